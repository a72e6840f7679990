"""What a run hands back when it has moved a batch on."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.batch import Batch
from outthink.numerics.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Moved:
    """What became of a batch.

    Attributes:
        batch: all n members; those that moved have new nodes.
        log_ratio: [n] nats, 0 for members that did not move.
        moved: members that went on, [n].
        short: members that should have completed their step and did not, for lack of budget or time, [n].
    """

    batch: Batch
    log_ratio: FloatArray
    moved: BoolArray
    short: BoolArray
