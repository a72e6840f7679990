"""A population of opaque states with what search may know about each: its node, its depth, whether it is done or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from outthink.core.errors import CheckpointError
from outthink.core.process import Process, Temperable, lacks
from outthink.core.rows import Index, Rows, as_index
from outthink.numerics.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Batch(Rows):
    """n members of one process.

    Attributes:
        id: node in the trace, [n]; forks share one until they move on.
        depth: steps taken, [n].
        done: finished, [n].
        failed: lost for good, [n]; such a member has weight zero and holds the last state it had.
    """

    process: Process[Any]
    states: Any
    id: IntArray
    depth: IntArray
    done: BoolArray
    failed: BoolArray

    shared: ClassVar[tuple[str, ...]] = ("process", "states")

    @property
    def alive(self) -> BoolArray:
        """Members that can still move on, [n]."""
        return ~(self.done | self.failed)

    @property
    def finished(self) -> BoolArray:
        """Members that ended well, [n]."""
        return self.done & ~self.failed

    def take(self, index: Index) -> Batch:
        at = as_index(index)
        return replace(
            self,
            states=self.process.take(self.states, at),
            id=self.id[at],
            depth=self.depth[at],
            done=self.done[at],
            failed=self.failed[at],
        )

    def tempered(self, temperature: FloatArray) -> Batch:
        """The same members, each to be moved on at its own sampling temperature, [n]. Raises `Incompatible` where that cannot be."""
        if not isinstance(self.process, Temperable):
            raise lacks(self.process, Temperable)
        return replace(self, states=self.process.temper(self.states, temperature))

    def saved_fields(self) -> dict[str, Any]:
        columns = {name: getattr(self, name) for name in ("id", "depth", "done", "failed")}
        return {**columns, "states": self.process.dump(self.states)}

    @classmethod
    def from_saved(cls, fields: dict[str, Any], context: Any) -> Batch:
        """`context` is the process whose states these are."""
        if not isinstance(context, Process):
            raise CheckpointError("A checkpoint with a batch in it can only be read with its process at hand.")
        return cls(**{**fields, "process": context, "states": context.load(fields["states"])})

    def join(self, other: Batch) -> Batch:
        return Batch.concat([self, other])

    @staticmethod
    def concat(parts: Sequence[Batch]) -> Batch:
        """All members of all parts, in order. The parts share one process."""
        first = parts[0]
        return replace(
            first,
            states=first.process.concat([p.states for p in parts]),
            id=np.concatenate([p.id for p in parts]),
            depth=np.concatenate([p.depth for p in parts]),
            done=np.concatenate([p.done for p in parts]),
            failed=np.concatenate([p.failed for p in parts]),
        )
