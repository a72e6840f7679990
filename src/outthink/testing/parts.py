"""Answers of several parts that are right or wrong, a reviser that mends and breaks them at known rates, and a judge who may err.

An answer has m parts. A draw has each part wrong with probability e, independently. A revision reads which parts were named as wrong:

- a wrong part that is named is repaired with probability u; one that is not named stays wrong;
- a right part that is not named is broken with probability v; one that is named is written anew, and so is wrong with probability e.

Whether refinement beats more samples is decided by u, v and the judge, and everything is closed form where the judge makes no mistakes:
`best_of` and `refined` give the distribution of wrong parts. At u = 0 no revision has fewer wrong parts than its original, so
refinement is best-of-n with fewer samples: it cannot gain.

    PartsProcess(parts=6, wrong=0.3, repair=0.5, breakage=0.05)

Source: spec 01 (iterative agent decoding); the process and its closed forms are our own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from outthink.core import Advance, Allowance, Candidate, Cost, Revisable, Scores, ScoreSpec, Task, Verifier
from outthink.core.task import Feature
from outthink.core.verifier import ScoreKind
from outthink.numerics.types import BoolArray, FloatArray, SeedArray
from outthink.testing.array_process import ArrayProcess, Prices, ToyStates, put
from outthink.testing.noise import uniforms

_NAMED = re.compile(r"^(?!The (?:best|worst) answer).*wrong parts: ([\d ]+)", re.MULTILINE)
_REVISE = 1 << 22


@dataclass(frozen=True)
class Parted(ToyStates):
    """Answers. `bad` [n, m]: which parts are wrong. An answer is shown as text, "0" for each right part and "1" for each wrong one."""

    bad: BoolArray


class PartsProcess(ArrayProcess[Parted], Revisable[Parted]):
    """See the module. An answer costs one token for each part; a revision also reads the answer and each part that is named.

    Args:
        parts: m. `wrong`: e. `repair`: u. `breakage`: v.
        prompt: input tokens of the question.
    """

    states_class = Parted

    def __init__(
        self, *, parts: int = 6, wrong: float = 0.3, repair: float = 0.5, breakage: float = 0.0, prompt: int = 2
    ) -> None:
        super().__init__(1, Prices(call=Cost(calls=1, input_tokens=prompt), step=Cost(output_tokens=parts)))
        self.parts, self.wrong, self.repair, self.breakage = parts, wrong, repair, breakage

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Parted:
        n = len(seeds)
        return Parted(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros((n, self.parts), bool))

    def draw(self, states: Parted, seeds: SeedArray, counter: int) -> tuple[Parted, FloatArray]:
        n = len(states)
        bad = _table(seeds, 0, self.parts) < self.wrong
        return Parted(np.ones(n, np.int64), np.ones(n, bool), bad), np.zeros(n)

    async def view(self, states: Parted, wants: frozenset[Feature]) -> list[Candidate]:
        shown = ["".join("01"[part] for part in row) for row in states.bad.astype(int).tolist()]
        return [
            Candidate(content=text, final=done, answer=text if done else None)
            for text, done in zip(shown, states.done.tolist(), strict=True)
        ]

    async def revise(
        self, states: Parted, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Parted]:
        named = np.array([_named(said, self.parts) for said in feedback], bool).reshape(len(feedback), self.parts)
        prices = [self.prices.call + self.prices.step + Cost(input_tokens=self.parts + int(row.sum())) for row in named]
        granted = [allowance.claim(fixed=price, most=1, least=1) is not None for price in prices]
        at = np.flatnonzero(granted)
        bad, told, roll = states.bad[at], named[at], _table(seeds[at], _REVISE, self.parts)
        becomes_bad = roll < np.where(told, self.wrong, self.breakage)
        stays_bad = np.where(told, roll >= self.repair, True)
        rows = states.take(at)
        now = put(states, at, Parted(rows.level, rows.done, np.where(bad, stays_bad, becomes_bad)))
        cost = sum((prices[i] for i in at.tolist()), Cost())
        self.counters = self.counters + cost
        self.calls += len(at) > 0
        return Advance(now, now.done, np.zeros(len(seeds)), cost, untouched=~np.array(granted, bool))

    # -- exact answers, for a judge who makes no mistakes -------------------------------------------------------------

    def best_of(self, n: int) -> FloatArray:
        """P(the best of n draws has so many wrong parts), [m + 1]."""
        return _least(_binomial(self.parts, self.wrong), n)

    def refined(self, n: int, rounds: int) -> FloatArray:
        """The same for the best of n draws, of which each round draws n revisions and keeps the best if it is better, [m + 1].

        Of w wrong parts, a revision has Binomial(w, 1 - u) + Binomial(m - w, v): all w are named, and nothing else.
        """
        law = self.best_of(n)
        moves = np.stack([self._kept(wrong, n) for wrong in range(self.parts + 1)])
        for _ in range(rounds):
            law = law @ moves
        return law

    def _kept(self, wrong: int, n: int) -> FloatArray:
        revision = np.convolve(_binomial(wrong, 1.0 - self.repair), _binomial(self.parts - wrong, self.breakage))
        least = _least(revision, n)
        kept = np.zeros(self.parts + 1)
        kept[:wrong] = least[:wrong]
        kept[wrong] = least[wrong:].sum()
        return kept


class PartsJudge(Verifier):
    """Says which parts are wrong and scores the share of the others; each verdict is the opposite of the truth with probability `noise`.

    The same answer gets the same verdicts from one judge, as from a model at temperature 0; `seed` makes another judge.
    """

    def __init__(self, *, noise: float = 0.0, seed: int = 0) -> None:
        self.noise, self.seed = noise, seed

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(ScoreKind.OUTCOME, partial=False)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        seen = [self.verdicts(str(candidate.content)) for candidate in candidates]
        notes = [f"wrong parts: {' '.join(map(str, np.flatnonzero(row)))}" if row.any() else "" for row in seen]
        values = np.array([1.0 - row.mean() for row in seen])
        return Scores(values, tuple(notes), Cost(verifier_calls=len(candidates)))

    def verdicts(self, shown: str) -> BoolArray:
        """Which parts it says are wrong, [m]."""
        digest = hashlib.blake2b(f"{self.seed}/{shown}".encode(), digest_size=8).digest()
        seeds = np.array([int.from_bytes(digest, "little")], np.uint64)
        truth = np.array([part == "1" for part in shown], bool)
        return np.asarray(truth ^ (_table(seeds, 0, len(shown))[0] < self.noise))


def _named(feedback: str, parts: int) -> list[bool]:
    found = _NAMED.search(feedback)
    named = {int(part) for part in found.group(1).split()} if found else set()
    return [part in named for part in range(parts)]


def _table(seeds: SeedArray, counter: int, width: int) -> FloatArray:
    return uniforms(seeds, counter, width).reshape(len(seeds), width)


def _binomial(n: int, p: float) -> FloatArray:
    return np.array([comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(n + 1)])


def _least(law: FloatArray, n: int) -> FloatArray:
    """The law of the least of n independent draws, over 0, 1, ...: P(least >= k) = P(one >= k)^n."""
    above = np.append(np.cumsum(law[::-1])[::-1], 0.0) ** n
    return np.asarray(above[:-1] - above[1:])
