"""The replies of the step that a run is in: written as requests before they are sent, completed as replies arrive.

A reply log in the sense of `outthink.engines.reply_log`. What was kept since the checkpoint that a run resumes from is served again, so
that only requests without a reply are sent. Requests are numbered anew at each checkpoint; those of steps that no checkpoint can need any
more are deleted with the step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from outthink.store.database import insert_or_replace
from outthink.store.late import LateRow, Line
from outthink.store.tables import replies
from outthink.store.writer import Writer, nothing

KINDS = frozenset({"generate", "log-probs", "most"})


@dataclass(frozen=True)
class Kept:
    """One request of an earlier process: its reply, or None where the process was gone before there was one."""

    value: bytes | None


Place = tuple[str, str, int]
"""Kind of call, digest of the request, index of the sample."""


class Journal:
    """The reply log of one stored run. `step` is the checkpoint that the run is past."""

    kinds = KINDS

    def __init__(self, writer: Writer | LateRow, line: Line, step: int, kept: Mapping[Place, Kept]) -> None:
        self._writer = writer
        self._line = line
        self._step = step
        self._kept = dict(kept)
        self._places: Counter[tuple[str, str]] = Counter()

    @staticmethod
    def read(connection: sa.Connection, run: int, step: int) -> dict[Place, Kept]:
        """What was kept past this checkpoint."""
        rows = connection.execute(
            sa.select(replies.c.kind, replies.c.key, replies.c.place, replies.c.value).where(
                replies.c.run == run, replies.c.step == step
            )
        )
        return {(kind, key, place): Kept(value) for kind, key, place, value in rows}

    def checkpoint(self, step: int) -> None:
        """A checkpoint was made: requests from here on belong to it."""
        self._step = step
        self._kept.clear()
        self._places.clear()

    def place(self, kind: str, key: str) -> int:
        """See `ReplyLog`; so for all the methods below."""
        self._places[(kind, key)] += 1
        return self._places[(kind, key)] - 1

    def find(self, kind: str, key: str, index: int) -> bytes | None:
        found = self._kept.get((kind, key, index))
        return None if found is None else found.value

    def lost(self, kind: str, key: str, index: int) -> bool:
        found = self._kept.get((kind, key, index))
        return found is not None and found.value is None

    def asked(self, kind: str, key: str, index: int, about: str) -> None:
        self._put(kind, key, index, {"about": about, "value": None})

    def answered(self, kind: str, key: str, index: int, value: bytes) -> None:
        self._put(kind, key, index, {"value": value})

    async def kept(self) -> None:
        await self._writer.run(nothing)

    def close(self) -> None:
        """The store closes its own writer."""

    def _put(self, kind: str, key: str, index: int, what: dict[str, object]) -> None:
        row = {"step": self._step, "kind": kind, "key": key, "place": index, **what}
        self._writer.post(
            lambda connection: insert_or_replace(connection, replies, [{"run": self._line.number, **row}])
        )
