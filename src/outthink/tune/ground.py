"""What tuning knows: every measurement by candidate and question, and what is believed after them.

ground = Ground.over(objective, candidates, space, tuning)
await ground.take(trial)
believed(ground)                             # quality, deviation and price of every configuration that was measured
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from outthink.core.cost import Cost, Role
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Count, NonNegativeFloat, Positive, PositiveFloat, Settings
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.tune.beliefs import Beliefs
from outthink.tune.evidence import PairedTable
from outthink.tune.objective import Measured, Objective
from outthink.tune.space import Config, Space, Value, frozen


class Tuning(Settings):
    """How to tune.

    Attributes:
        tokens: the most that measurements may cost together. It is kept: what a measurement can still be paid for is measured.
        chunk: questions asked of a configuration at a time.
        initial: configurations, far from each other, that begin.
        at_most: tokens that an answer of the chosen configuration may cost; "first" for what those of the first do; None for no bound.
        least_gain: stop when no measurement is expected to raise the best believed quality by so much.
        refit: measurements between two searches for hyperparameters.
        first: the candidate that is measured first, such as what is used today; None for one at random.
    """

    tokens: PositiveFloat
    chunk: Positive = 10
    initial: Positive = 5
    at_most: PositiveFloat | Literal["first"] | None = None
    least_gain: NonNegativeFloat = 1e-7
    refit: Positive = 4
    first: Count | None = None

    def __post_init__(self) -> None:
        if self.at_most == "first" and self.first is None:
            raise SettingsError(
                explain(
                    "`at_most` refers to a first configuration that is not given.",
                    got='at_most = "first", first = None',
                    expected="the place of a candidate",
                    remedy="Give `first`, or a number of tokens.",
                )
            )


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, as it stands in the journal: `values`, `spent` and `failures` by question.

    `gain`: the rise that was expected of it. `best`, `deviation`: the best quality believed before it.
    """

    config: dict[str, Value]
    values: dict[str, float]
    spent: dict[str, float]
    tokens: float
    seconds: float = 0.0
    gain: float | None = None
    best: float | None = None
    deviation: float | None = None
    failures: dict[str, str] = {}
    bill: dict[Role, Cost] = {}

    @property
    def measured(self) -> Measured:
        """Without what the tuner thought."""
        return Measured(self.config, self.values, self.spent, self.tokens, self.failures, self.bill)


@dataclass(frozen=True)
class Believed:
    """A configuration: believed quality, the deviation of that belief, tokens an answer, and on how many questions it was asked."""

    config: Mapping[str, Value]
    quality: float
    deviation: float
    cost: float
    asked: int


@dataclass
class Ground:
    """All that has been measured, by candidate and question."""

    objective: Objective
    candidates: Sequence[Config]
    space: Space
    points: FloatArray
    tuning: Tuning
    n: IntArray
    total: FloatArray
    failed: IntArray
    squares: float = 0.0
    costs: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    trials: list[Trial] = field(default_factory=list)
    beliefs: Beliefs | None = None
    believed_at: int = -1

    @classmethod
    def over(cls, objective: Objective, candidates: Sequence[Config], space: Space, tuning: Tuning) -> Ground:
        """Nothing measured yet."""
        shape = (len(candidates), len(objective.questions))
        points = np.array([space.encode(config) for config in candidates])
        return cls(
            objective,
            candidates,
            space,
            points,
            tuning,
            np.zeros(shape, np.int64),
            np.zeros(shape),
            np.zeros(shape, np.int64),
            0.0,
            np.full(shape, np.nan),
        )

    @property
    def spent(self) -> float:
        """Tokens paid so far, for measurements that were lost too."""
        return self.objective.lost + sum(trial.tokens for trial in self.trials)

    @property
    def cost(self) -> FloatArray:
        """Mean tokens of an answer, nan where unknown, [candidates]."""
        known = np.isfinite(self.costs)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(known, self.costs, 0.0).sum(axis=1) / known.sum(axis=1), np.float64)

    @property
    def asked(self) -> IntArray:
        """Which questions were asked of which candidate, failed or not; none is asked twice, [candidates, questions]."""
        return self.n + self.failed

    async def take(self, trial: Trial) -> None:
        """Count a measurement, and all that it makes known besides."""
        self.trials.append(trial)
        row = self._places[frozen(trial.config)]
        for question in trial.failures:
            self.failed[row, self._columns[question]] = 1
        for one in (trial.measured, *await self.objective.made_known(trial.measured, self.candidates)):
            self._count(one)

    def _count(self, one: Measured) -> None:
        row = self._places[frozen(one.config)]
        for question, value in one.values.items():
            at = self._columns[question]
            if self.n[row, at] == 0:
                self.n[row, at], self.total[row, at] = 1, value
            else:
                self.squares -= self.total[row, at] ** 2
                self.total[row, at] = value  # known better now
            self.squares += value**2
        for question, cost in one.spent.items():
            self.costs[row, self._columns[question]] = cost

    def believe(self) -> Beliefs:
        """Beliefs after all that was counted, under the hyperparameters that were sought last."""
        if self.beliefs is None or self.believed_at != len(self.trials):
            self._renew(refit=self.beliefs is None)
        assert self.beliefs is not None
        return self.beliefs

    def refit_when_due(self) -> None:
        """Seek hyperparameters anew at every few measurements: at the same ones whenever a run is stopped and taken up again."""
        if self.n.any() and len(self.trials) % self.tuning.refit == 0:
            self._renew(refit=True)

    def _renew(self, *, refit: bool) -> None:
        table = PairedTable(self.n, self.total, self.squares)
        self.beliefs = Beliefs.after(
            self.points, table, self.cost, self._groups, earlier=None if refit else self.beliefs
        )
        self.believed_at = len(self.trials)

    @property
    def at_most(self) -> float | None:
        """Tokens that an answer may cost, as far as it is known; None for no bound."""
        if self.tuning.at_most != "first":
            return self.tuning.at_most
        cost = float(self.cost[self.tuning.first])
        return cost if np.isfinite(cost) else None

    def wanted(self, beliefs: Beliefs) -> BoolArray:
        """Which candidates may be the answer: those believed cheap enough."""
        if self.at_most is None:
            return np.ones(len(self.candidates), bool)
        cost = np.where(np.isfinite(self.cost), self.cost, beliefs.cost(self.points))
        return np.asarray(cost <= self.at_most, bool)

    def price(self, candidate: int, questions: IntArray, per_question: float) -> float:
        """Tokens still to be paid."""
        names = [self.objective.questions[i] for i in questions.tolist()]
        return self.objective.price(self.candidates[candidate], names, per_question)

    @property
    def groups(self) -> IntArray:
        """Which candidates are computed from the same samples, [candidates]."""
        return self._groups

    def __post_init__(self) -> None:
        names = [self.objective.drawn_as(config) for config in self.candidates]
        known = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self._groups = np.array([known[name] for name in names], np.int64)
        self._places = {frozen(config): i for i, config in enumerate(self.candidates)}
        self._columns = {name: i for i, name in enumerate(self.objective.questions)}


def believed(ground: Ground) -> list[Believed]:
    """What is believed of every configuration that was measured. Raises `InputError` before anything was."""
    beliefs = ground.believe()
    asked = np.count_nonzero(ground.n, axis=1)
    rows = np.flatnonzero(asked)
    quality = beliefs.quality.mean(ground.points[rows])
    deviation = np.sqrt(beliefs.quality.variance(ground.points[rows]))
    cost = np.where(np.isfinite(ground.cost[rows]), ground.cost[rows], beliefs.cost(ground.points[rows]))
    return [
        Believed(dict(ground.candidates[row]), float(q), float(d), float(c), int(asked[row]))
        for row, q, d, c in zip(rows.tolist(), quality, deviation, cost, strict=True)
    ]


def best_of(everything: Sequence[Believed], at_most: float | None) -> Believed | None:
    """The one believed best among those that cost no more than `at_most`; of equals the cheaper."""
    allowed = [one for one in everything if at_most is None or one.cost <= at_most]
    return max(allowed, key=lambda one: (one.quality, -one.cost), default=None)
