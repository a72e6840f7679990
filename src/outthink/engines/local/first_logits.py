"""Logits after a few recent prompts, so that a prompt that comes again costs nothing at all while its tokens are still in the cache."""

from __future__ import annotations

from collections import OrderedDict

from outthink.engines.local.backend import LogitArray, TokenArray

KEPT = 16


class FirstLogits:
    """The last `KEPT` prompts' logits by content; a vocabulary of 49,152 takes 200 kB each."""

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, LogitArray] = OrderedDict()

    def __contains__(self, tokens: TokenArray) -> bool:
        return tokens.tobytes() in self._rows

    def get(self, tokens: TokenArray) -> LogitArray | None:
        """The row, or None; it must not be changed."""
        key = tokens.tobytes()
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, tokens: TokenArray, row: LogitArray) -> None:
        """Remember a copy."""
        self._rows[tokens.tobytes()] = row.copy()
        self._rows.move_to_end(tokens.tobytes())
        if len(self._rows) > KEPT:
            self._rows.popitem(last=False)
