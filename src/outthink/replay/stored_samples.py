"""A pool of finished samples as a process: vote and best-of-n choose from the very same answers, each billed in full.

Slot i of a search holds sample i, so methods of different sizes see nested samples, and a search over m members costs what m samples
cost when they were drawn. Nothing is generated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from outthink.core.checkpoint import decode, encode
from outthink.core.cost import Cost, total_of
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.ledger import Allowance
from outthink.core.process import Advance, Process
from outthink.core.rows import Rows
from outthink.core.task import Candidate, Feature
from outthink.numerics.types import BoolArray, IntArray, SeedArray


@dataclass(frozen=True)
class StoredSample:
    """One finished sample, or the failure that stood in its place, and what it cost when it was drawn."""

    outcome: Candidate | Failure
    cost: Cost


@dataclass(frozen=True)
class Shown(Rows):
    """Which sample each member holds, [n], and whether it has been paid for, [n]."""

    sample: IntArray
    paid: BoolArray


class StoredSamples(Process[Shown]):
    """Samples of one task, revealed whole."""

    def __init__(self, samples: Sequence[StoredSample]) -> None:
        self._samples = tuple(samples)
        self._given = 0

    @property
    def exact(self) -> bool:
        return True

    @property
    def step_wise(self) -> bool:
        return False

    async def start(self, seeds: SeedArray) -> Shown:
        """The next samples of the pool. Raises `Incompatible` when it has not so many."""
        n, first = len(seeds), self._given
        if first + n > len(self._samples):
            raise Incompatible(
                explain(
                    "The pool of stored samples is too small.",
                    got=f"{first + n} members wanted",
                    expected=f"at most {len(self._samples)}",
                    remedy="Lower n, or store more samples.",
                )
            )
        self._given += n
        return Shown(np.arange(first, first + n), np.zeros(n, bool))

    async def advance(
        self, states: Shown, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Shown]:
        """Reveal each sample, at its stored cost; any number of steps is the whole sample."""
        n = len(states)
        served = np.zeros(n, bool)
        for i, sample in enumerate(states.sample.tolist()):
            served[i] = states.paid[i] or allowance.claim(fixed=self._samples[sample].cost) is not None
        fresh = [self._samples[s] for s in states.sample[served & ~states.paid].tolist()]
        failures = {
            i: outcome
            for i, sample in enumerate(states.sample.tolist())
            if served[i] and isinstance(outcome := self._samples[sample].outcome, Failure)
        }
        return Advance(
            states=replace(states, paid=states.paid | (served & ~np.isin(np.arange(n), list(failures)))),
            done=served,
            log_ratio=np.zeros(n),
            cost=total_of(sample.cost for sample in fresh),
            failures=failures,
            untouched=~served,
        )

    def take(self, states: Shown, index: IntArray) -> Shown:
        return states.take(index)

    def concat(self, parts: Sequence[Shown]) -> Shown:
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.join(part)
        return joined

    async def view(self, states: Shown, wants: frozenset[Feature]) -> list[Candidate]:
        return [self._candidate(s, bool(p)) for s, p in zip(states.sample.tolist(), states.paid, strict=True)]

    def dump(self, states: Shown) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> Shown:
        states = decode(data)
        if not isinstance(states, Shown):
            raise Incompatible("These bytes are not states of stored samples.")
        self._given = max(self._given, int(states.sample.max(initial=-1)) + 1)
        return states

    def _candidate(self, sample: int, paid: bool) -> Candidate:
        outcome = self._samples[sample].outcome
        if not paid or isinstance(outcome, Failure):
            known = {} if isinstance(outcome, Failure) else dict.fromkeys(outcome.features, float("nan"))
            return Candidate(content="", final=False, features=known)
        return msgspec.structs.replace(outcome, final=True)
