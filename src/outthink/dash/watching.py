"""One run as it grows: what another process wrote to the store since the last look, and no more than that.

    watch = Watch.open(store, name)
    while watch.look():                 # whether anything is new
        watch.run.events, watch.run.candidates

A look is three reads by index. A run that was resumed has other events than those that were read; that is noticed, and it is read anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import msgspec
import sqlalchemy as sa

from outthink.core.task import Candidate
from outthink.store import Store, StoredRun
from outthink.store.reading import find_run, read_candidates, read_events, read_run, read_scores


@dataclass
class Watch:
    """See the module. `run` is what is known."""

    store: Store
    run: StoredRun

    @classmethod
    def open(cls, store: Store, name: str) -> Self:
        """Everything of the run so far. Raises `NoSuchRun`."""
        return cls(store, store.run(name))

    @property
    def going(self) -> bool:
        """Whether more may come."""
        return self.run.line.status == "running"

    def look(self) -> bool:
        """Read what is new; whether there was anything. Raises `NoSuchRun` for a run that was removed."""
        before = self.run
        self.run = self.store.read(self._looked)
        return self.run is not before

    def _looked(self, connection: sa.Connection) -> StoredRun:
        known = self.run
        line = find_run(connection, known.line.id)
        if line == known.line:
            return known
        # The last event that is known is read again: if it is another one now, the run was taken up before it.
        last = max(0, len(known.events) - 1)
        fresh = read_events(connection, line.number, first=last)
        same = not known.events or (bool(fresh) and fresh[0] == known.events[-1])
        if line.status != "running" or not same:
            return read_run(connection, line.id)
        seen: dict[int, Candidate] = read_candidates(
            connection, line.number, first=max(known.candidates, default=-1) + 1
        )
        return msgspec.structs.replace(
            known,
            line=line,
            events=(*known.events[:last], *fresh),
            candidates={**known.candidates, **seen},
            scores=read_scores(connection, line.number),
        )
