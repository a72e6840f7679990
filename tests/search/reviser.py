"""A process that is right or wrong, whose revisions mend and break at known rates; and wrappers that reach revisions too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outthink.core import Advance, Allowance, Candidate, Process, Revisable
from outthink.core.task import Feature
from outthink.numerics.types import BoolArray, FloatArray, SeedArray
from outthink.testing import ArrayProcess, Prices, ToyStates, Wrapper, uniforms
from outthink.testing.array_process import put

FLIP = 1 << 22


@dataclass(frozen=True)
class Marked(ToyStates):
    """Answers that are right or not, [n]."""

    right: BoolArray


class Reviser(ArrayProcess[Marked], Revisable[Marked]):
    """The first answer is right with probability `first`; a revision mends a wrong one with `mend` and breaks a right one with `spoil`.

    Where `blind`, a revision is a fresh draw: the old answer and the feedback say nothing. `heard`: the feedback of every revision.
    """

    states_class = Marked

    def __init__(self, first: float, mend: float = 0.0, spoil: float = 0.0, *, blind: bool = False) -> None:
        super().__init__(1, Prices())
        self.first, self.mend, self.spoil, self.blind = first, mend, spoil, blind
        self.heard: list[str] = []

    async def start(self, seeds: SeedArray) -> Marked:
        n = len(seeds)
        return Marked(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n, bool))

    def draw(self, states: Marked, seeds: SeedArray, counter: int) -> tuple[Marked, FloatArray]:
        n = len(states)
        return Marked(np.ones(n, np.int64), np.ones(n, bool), uniforms(seeds, counter) < self.first), np.zeros(n)

    async def view(self, states: Marked, wants: frozenset[Feature]) -> list[Candidate]:
        said = ["right" if right else "wrong" for right in states.right.tolist()]
        return [
            Candidate(content=s, final=d, answer=s if d else None)
            for s, d in zip(said, states.done.tolist(), strict=True)
        ]

    async def revise(
        self, states: Marked, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Marked]:
        self.heard += feedback
        grants = self.claim(np.ones(len(seeds), np.int64), allowance)
        at = np.flatnonzero(grants > 0)
        if self.blind:
            right = uniforms(seeds[at], 0) < self.first
        else:
            flips = uniforms(seeds[at], FLIP) < np.where(states.right[at], self.spoil, self.mend)
            right = states.right[at] ^ flips
        now = put(states, at, replace(states.take(at), right=right))
        cost = self.charge(len(at), len(at))
        return Advance(now, now.done, np.zeros(len(seeds)), cost, untouched=grants < 0)


class Rewriting(Wrapper[Any], Revisable[Any]):
    """A wrapper whose change reaches revisions as well: they fail, or take time, as its steps do."""

    def __init__(self, made: Wrapper[Any]) -> None:
        super().__init__(made)
        self.made = made

    @property
    def counters(self) -> Any:
        return self.made.counters

    async def revise(
        self, states: Any, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Any]:
        changed = copy.copy(self.made)
        changed.inner = _AsSteps(self.made.inner, feedback)
        got = await changed.advance(states, seeds, allowance=allowance)
        # A slot that was cut holds the answer that it was given, which is no new one.
        lost = got.was_short() & got.done
        return replace(got, short=got.was_short() & ~lost, untouched=got.was_untouched() | lost)


class _AsSteps(Wrapper[Any]):
    """Revisions in the place of steps."""

    def __init__(self, inner: Process[Any], feedback: Sequence[str]) -> None:
        super().__init__(inner)
        self.feedback = feedback

    async def advance(self, states: Any, seeds: SeedArray, *, steps: Any = 1, allowance: Allowance) -> Advance[Any]:
        inner = self.inner
        assert isinstance(inner, Revisable)
        return await inner.revise(states, self.feedback, seeds, allowance=allowance)
