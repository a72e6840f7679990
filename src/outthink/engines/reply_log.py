"""Where replies are kept: by kind of call, digest of the request, and the index of the sample among equal requests.

A log is written before a request is sent (`asked`) and when its reply is there (`answered`). The file of a recording is one
(`outthink.engines.cassette.Cassette`), the journal of a stored run another (`outthink.store`), which is why this is a protocol of plain
values: neither needs to know the other.
"""

from __future__ import annotations

from typing import Literal, Protocol

Kind = Literal["generate", "log-probs", "most", "encode", "decode", "chat", "engine"]


class ReplyLog(Protocol):
    """Replies by (kind, key, index). Used from one event loop."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of call that it keeps; the others are not offered to it."""

    def place(self, kind: str, key: str) -> int:
        """The index of the next request with this key: 0, 1, 2, ... in the order of asking."""

    def find(self, kind: str, key: str, index: int) -> bytes | None:
        """The reply kept; None for none."""

    def lost(self, kind: str, key: str, index: int) -> bool:
        """Whether an earlier process asked and was gone before a reply was kept: it may have been paid for."""

    def asked(self, kind: str, key: str, index: int, about: str) -> None:
        """The request will be sent now. `about` names it to people."""

    def answered(self, kind: str, key: str, index: int, value: bytes) -> None:
        """Its reply, as JSON."""

    async def kept(self) -> None:
        """Return once all that was said so far is written."""

    def close(self) -> None:
        """Nothing more will be said. Safe to call twice."""
