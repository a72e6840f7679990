"""What passes from layer to layer: the candidates, each with all that is known of it, and the unit tests of the question.

Candidates and critiques are aligned by construction: `Members` is one `Rows`, so whatever sorts, cuts or filters the candidates does the
same to their scores and to what was said of them, in one gather. What replaces candidates starts with nothing said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.rows import Index, Rows, as_index
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Remarks(Rows):
    """One text a candidate, [n]; "" where nothing was said."""

    texts: tuple[str, ...]

    def take(self, index: Index) -> Remarks:
        return Remarks(tuple([self.texts[i] for i in as_index(index).tolist()]))

    def join(self, other: Remarks) -> Remarks:
        return Remarks(self.texts + other.texts)

    @property
    def any(self) -> bool:
        """Whether something was said of anyone."""
        return any(self.texts)

    @classmethod
    def none(cls, n: int) -> Remarks:
        """Nothing said of n candidates."""
        return cls(("",) * n)


@dataclass(frozen=True)
class Members(Rows):
    """The candidates between two layers.

    Attributes:
        score: what the last stage that scores gave them, [n]; nan for no opinion. Its scale is that stage's own.
        critique: what a critic said of each, [n].
    """

    batch: Batch
    score: FloatArray
    critique: Remarks

    @classmethod
    def fresh(cls, batch: Batch) -> Members:
        """Candidates of which nothing is known yet."""
        return cls(batch, np.full(len(batch), np.nan), Remarks.none(len(batch)))


@dataclass(frozen=True)
class Flow(Saved):
    """A pipeline between two steps.

    Attributes:
        members: the candidates.
        layer: layers that are complete.
        tests: unit tests of the question; empty where there are none. `told`: whether later stages show them with the question.
        progress: what a stage of several rounds needs to go on; None between two layers.
        chosen: place of the answer while a stage of several rounds is under way; None: the pipeline's choice.
        agreement: share of the votes behind the first candidate, where the last stage voted.
        notes: what stages had to do without, in words.
        draw: uniform in [0, 1), for the choice of one candidate among several.
    """

    members: Members
    layer: int = 0
    tests: tuple[str, ...] = ()
    told: bool = False
    progress: Any = None
    chosen: int | None = None
    agreement: float | None = None
    notes: tuple[str, ...] = ()
    draw: float = 0.0


def labelled(texts: Sequence[str]) -> str:
    """Texts under the labels that replies use: [1], [2], ..."""
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(texts, 1))
