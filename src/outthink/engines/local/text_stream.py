"""The bytes of a growing reply, watched for stop strings that may begin and end anywhere, also within a token or a character."""

from __future__ import annotations

from collections.abc import Sequence


class TextStream:
    """Collects a reply's bytes; `push` says which stop string has appeared.

    UTF-8 synchronises itself, so a stop string is found among bytes exactly where it is found in the text.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._bytes = bytearray()
        self._stops = [(text, text.encode()) for text in stop if text]
        self._longest = max((len(code) for _, code in self._stops), default=0)
        self._end: int | None = None

    @property
    def text(self) -> str:
        """The reply so far, up to the stop string; bytes that form no character are U+FFFD."""
        return self._bytes[: self._end].decode("utf-8", "replace")

    def push(self, piece: bytes) -> str:
        """Append a token's bytes; the stop string that is now complete, the one that begins first if several are, or ""."""
        known = len(self._bytes)
        self._bytes += piece
        if not self._stops:
            return ""
        start = max(0, known - self._longest + 1)
        found = [(at, text) for text, code in self._stops if (at := self._bytes.find(code, start)) >= 0]
        if not found:
            return ""
        self._end, text = min(found, key=lambda hit: (hit[0], -len(hit[1])))
        return text
