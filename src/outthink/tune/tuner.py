"""The loop: measure what tells most for its tokens, believe, and stop when the budget says so or nothing more is to be learned.

    tuned = await tune(objective, candidates, space, Tuning(tokens=2_000_000), key=Key(1), journal=journal)
    tuned.best.config, tuned.best.quality, tuned.front

Every measurement is on disk before the next one begins; a run that was killed goes on from them and pays nothing twice. `strategy`:
"gaussian-process" (the default), "random" (random candidates on all questions) or one of Optuna's samplers (`with_optuna`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np

from outthink.bench.journal import Journal
from outthink.core.errors import Failure, OutthinkError
from outthink.core.key import Key
from outthink.core.settings import Count, NonNegativeFloat, Positive, PositiveFloat, Settings
from outthink.numerics.pareto import pareto_frontier
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.tune.beliefs import Beliefs
from outthink.tune.choosing import Proposal, chunk_for, next_measurement, spread_out
from outthink.tune.evidence import PairedTable
from outthink.tune.objective import Measured, Objective
from outthink.tune.space import Config, Space, Value, frozen


class Tuning(Settings):
    """How to tune.

    Attributes:
        tokens: the most that measurements may cost together.
        chunk: questions asked of a configuration at a time.
        initial: configurations, far from each other, that begin.
        at_most: tokens that an answer of the chosen configuration may cost; None for no bound.
        least_gain: stop when no measurement is expected to raise the best believed quality by so much.
        refit: measurements between two searches for hyperparameters.
        first: the candidate that is measured first, such as what is used today; None for one at random.
    """

    tokens: PositiveFloat
    chunk: Positive = 10
    initial: Positive = 5
    at_most: PositiveFloat | None = None
    least_gain: NonNegativeFloat = 1e-7
    refit: Positive = 4
    first: Count | None = None


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

    @property
    def measured(self) -> Measured:
        """Without what the tuner thought."""
        return Measured(self.config, self.values, self.spent, self.tokens, self.failures)


@dataclass(frozen=True)
class Believed:
    """A configuration: believed quality, the deviation of that belief, tokens an answer, and on how many questions it was asked."""

    config: Mapping[str, Value]
    quality: float
    deviation: float
    cost: float
    asked: int


@dataclass(frozen=True)
class Tuned:
    """Attributes:
    best: the configuration with the highest believed quality among those measured and allowed, or None when none was measured.
    front: measured configurations that no other is believed to beat in both cost and quality, by ascending cost.
    trials: what was measured. tokens: what that cost. stop: "tokens", "nothing-to-learn", "all-asked" or "interrupt".
    signal: whether qualities differ at all as far as the data tell; if not, the choice is no better than another.
    """

    best: Believed | None
    front: tuple[Believed, ...]
    trials: tuple[Trial, ...]
    tokens: float
    stop: str
    signal: bool
    ground: Ground


class Strategy(Protocol):
    """Chooses the next measurement; None: nothing is left."""

    def __call__(self, ground: Ground, key: Key) -> Proposal | None: ...


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
    cost_sum: FloatArray = field(default_factory=lambda: np.zeros(0))
    cost_n: FloatArray = field(default_factory=lambda: np.zeros(0))
    trials: list[Trial] = field(default_factory=list)
    beliefs: Beliefs | None = None
    believed_at: int = -1

    @classmethod
    def over(cls, objective: Objective, candidates: Sequence[Config], space: Space, tuning: Tuning) -> Ground:
        """Nothing measured yet."""
        shape = (len(candidates), len(objective.questions))
        points = np.array([space.encode(config) for config in candidates])
        zero = np.zeros(len(candidates))
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
            zero,
            zero.copy(),
        )

    @property
    def spent(self) -> float:
        """Tokens paid so far."""
        return sum(trial.tokens for trial in self.trials)

    @property
    def cost(self) -> FloatArray:
        """Mean tokens of an answer, nan where unknown, [candidates]."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.cost_n > 0, self.cost_sum / np.maximum(self.cost_n, 1), np.nan)

    @property
    def asked(self) -> IntArray:
        """Which questions were asked of which candidate, failed or not; none is asked twice, [candidates, questions]."""
        return self.n + self.failed

    def take(self, trial: Trial) -> None:
        """Count a measurement, and all that it makes known besides."""
        self.trials.append(trial)
        row = self._places[frozen(trial.config)]
        for question in trial.failures:
            self.failed[row, self._columns[question]] = 1
        for one in (trial.measured, *self.objective.made_known(trial.measured, self.candidates)):
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
        self.cost_sum[row] = sum(one.spent.values())
        self.cost_n[row] = len(one.spent)

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

    def wanted(self, beliefs: Beliefs) -> BoolArray:
        """Which candidates may be the answer: those believed cheap enough."""
        if self.tuning.at_most is None:
            return np.ones(len(self.candidates), bool)
        cost = np.where(np.isfinite(self.cost), self.cost, beliefs.cost(self.points))
        return np.asarray(cost <= self.tuning.at_most, bool)

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


def gaussian_process(ground: Ground, key: Key) -> Proposal | None:
    """First configurations far from each other, then the knowledge gradient per token."""
    tuning = ground.tuning
    done = len(ground.trials)
    # A random order: lists of questions are often sorted by kind or difficulty, and the first few shall stand for all.
    rank = key.child("questions").rng().permutation(ground.n.shape[1])
    first = spread_out(ground.points, tuning.initial, key.child("initial").rng(), tuning.first)
    if done < len(first):
        candidate = int(first[done])
        questions = chunk_for(ground.asked, candidate, tuning.chunk, rank)
        if len(questions):
            return Proposal(candidate, questions, float("nan"))
    if not ground.n.any():
        return None
    beliefs = ground.believe()
    cost = np.where(np.isfinite(ground.cost), ground.cost, beliefs.cost(ground.points))

    def price(candidate: int, questions: IntArray) -> float:
        return ground.price(candidate, questions, float(cost[candidate]))

    found = next_measurement(
        beliefs,
        ground.points,
        ground.asked,
        ground.groups,
        rank,
        price,
        chunk=tuning.chunk,
        wanted=ground.wanted(beliefs),
    )
    return None if found is None or found.gain < tuning.least_gain else found


def random_search(ground: Ground, key: Key) -> Proposal | None:
    """A candidate that was not measured yet, at random, on all questions."""
    left = np.flatnonzero(ground.asked.min(axis=1) == 0)
    left = np.array([i for i in left.tolist() if not _tried(ground, i)], np.int64)
    if len(left) == 0:
        return None
    candidate = int(key.child("random", len(ground.trials)).rng().choice(left))
    return Proposal(candidate, np.arange(ground.n.shape[1]), float("nan"))


def _tried(ground: Ground, candidate: int) -> bool:
    tried = {frozen(trial.config) for trial in ground.trials}
    return frozen(ground.candidates[candidate]) in tried


async def tune(
    objective: Objective,
    candidates: Sequence[Config],
    space: Space,
    tuning: Tuning,
    *,
    key: Key,
    journal: Journal[Trial] | None = None,
    strategy: Strategy = gaussian_process,
    told: Callable[[Ground], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Tuned:
    """Tune. Measurements in `journal` are taken up first and never paid again; a measurement begins only if its price fits the budget.

    told: called after each measurement. interrupted: asked before each; a measurement under way is finished.
    Raises `OutthinkError` when the very first measurements all fail.
    """
    ground = Ground.over(objective, candidates, space, tuning)
    for trial in journal.rows if journal is not None else ():
        objective.remember(trial.measured)
        ground.take(trial)
        if strategy is gaussian_process:
            ground.refit_when_due()
    stop = ""
    while not stop:
        if interrupted():
            stop = "interrupt"
            break
        proposal = strategy(ground, key)
        if proposal is None:
            stop = "all-asked" if ground.asked.min() > 0 else "nothing-to-learn"
            break
        price = proposal.price
        if price != price:
            typical = float(np.nanmean(ground.cost)) if np.isfinite(ground.cost).any() else 0.0
            price = ground.price(proposal.candidate, proposal.questions, typical)
        if ground.spent + price > tuning.tokens:
            stop = "tokens"
            break
        trial = await _measured(objective, candidates[proposal.candidate], proposal, _best_before(ground))
        if journal is not None:
            journal.add(trial)
        ground.take(trial)
        if strategy is gaussian_process:
            ground.refit_when_due()
        if told is not None:
            told(ground)
    return _tuned(ground, stop)


def _best_before(ground: Ground) -> Believed | None:
    if ground.believed_at != len(ground.trials) or not ground.n.any():
        return None
    return best_of(believed(ground), ground.tuning.at_most)


async def _measured(objective: Objective, config: Config, proposal: Proposal, before: Believed | None) -> Trial:
    names = [objective.questions[i] for i in proposal.questions.tolist()]
    began = time.perf_counter()
    try:
        found = await objective.measure(dict(config), names)
    except OutthinkError as error:
        problem = Failure.of(error)
        found = Measured(config, {}, {}, 0.0, dict.fromkeys(names, f"{problem.kind}: {problem.message}"))
    return Trial(
        config=dict(config),
        values=dict(found.values),
        spent=dict(found.spent),
        tokens=found.tokens,
        seconds=time.perf_counter() - began,
        gain=None if proposal.gain != proposal.gain else proposal.gain,
        best=None if before is None else before.quality,
        deviation=None if before is None else before.deviation,
        failures=dict(found.failures),
    )


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


def _tuned(ground: Ground, stop: str) -> Tuned:
    if not ground.n.any():
        return Tuned(None, (), tuple(ground.trials), ground.spent, stop, False, ground)
    everything = believed(ground)
    edge = pareto_frontier(np.array([one.cost for one in everything]), np.array([one.quality for one in everything]))
    front = tuple(everything[i] for i in edge.tolist())
    best = best_of(everything, ground.tuning.at_most)
    return Tuned(best, front, tuple(ground.trials), ground.spent, stop, ground.believe().fitted.signal, ground)
