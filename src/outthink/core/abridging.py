"""What a record keeps of members that are too large to be kept whole at every step, such as images.

By default a trace keeps whatever was seen at a node. A process derived from `Abridging` says what is kept instead; verifiers are shown the
whole candidate all the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from outthink.core.events import Trace
from outthink.core.process import Process
from outthink.core.task import Candidate, Feature


class Abridging(ABC):
    """What members show is too large to be recorded whole at every step: images, tensors."""

    @property
    @abstractmethod
    def needs_for_record(self) -> frozenset[Feature]:
        """Features that `abridged` looks at; a run asks for them whenever it looks at members."""

    @abstractmethod
    async def abridged(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """What the record keeps of these candidates; those of which it keeps nothing are left out."""


def looked_at(process: Process[Any], wants: frozenset[Feature]) -> frozenset[Feature]:
    """What a run asks a process to show: what was wanted, and what its record needs."""
    return wants | process.needs_for_record if isinstance(process, Abridging) else wants


async def keep(process: Process[Any], trace: Trace, run: str, seen: Sequence[Candidate]) -> None:
    """Keep what was seen at each node in the trace; of what is too large for that, what the process makes of it, once a node."""
    kept = seen
    if isinstance(process, Abridging):
        kept = await process.abridged([one for one in seen if (run, one.id) not in trace.contents])
    trace.contents.update({(run, one.id): one for one in kept})
