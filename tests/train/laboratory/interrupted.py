"""What the tests of both trainings share: the signal of Ctrl-C in the middle of one, and whether two ended with the same weights."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from outthink.train.laboratory.training import Progress

Weights = dict[str, np.ndarray]


def interrupting(step: int) -> Callable[[Progress], None]:
    """A report that presses Ctrl-C after this step; never at 0."""

    def report(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return report


def same(one: Weights | None, other: Weights | None) -> bool:
    """Whether two trainings went to their end and hold the same numbers."""
    assert one is not None
    assert other is not None
    return all(np.array_equal(one[name], other[name]) for name in one)
