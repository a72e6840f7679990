"""The loop: measure what tells most for its tokens, believe, and stop when the budget says so or nothing more is to be learned.

    tuned = await tune(objective, candidates, space, Tuning(tokens=2_000_000), key=Key(1), journal=journal)
    tuned.best.config, tuned.best.quality, tuned.front

Every measurement is on disk before the next one begins; a run that was killed goes on from them and pays nothing twice. `strategy`:
"gaussian-process" (the default), "random" (random candidates on all questions) or one of Optuna's samplers (`with_optuna`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from outthink.bench.journal import Journal
from outthink.core.errors import Failure, OutthinkError
from outthink.core.key import Key
from outthink.numerics.pareto import pareto_frontier
from outthink.numerics.types import IntArray
from outthink.tune.choosing import Proposal, chunk_for, next_measurement, spread_out
from outthink.tune.ground import Believed, Ground, Trial, Tuning, believed, best_of
from outthink.tune.objective import Measured, Objective
from outthink.tune.space import Config, Space, frozen


@dataclass(frozen=True)
class Tuned:
    """Attributes:
    best: the configuration with the highest believed quality among those measured and allowed, or None when none was measured.
    front: measured configurations that no other is believed to beat in both cost and quality, by ascending cost.
    trials: what was measured. tokens: what was paid, for measurements that earlier runs lost too.
    stop: "tokens", "nothing-to-learn", "all-asked" or "interrupt".
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
    if not ground.trials and ground.tuning.first is not None:
        return on_everything(ground, ground.tuning.first)
    left = np.flatnonzero(ground.asked.min(axis=1) == 0)
    left = np.array([i for i in left.tolist() if not _tried(ground, i)], np.int64)
    if len(left) == 0:
        return None
    candidate = int(key.child("random", len(ground.trials)).rng().choice(left))
    return on_everything(ground, candidate)


def on_everything(ground: Ground, candidate: int) -> Proposal:
    """A candidate on all questions, at a price that is not known."""
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
    """Tune. Measurements in `journal` are taken up first and never paid again; one begins only if its believed price fits the budget.

    told: called after each measurement. interrupted: asked before and after each.
    Raises `OutthinkError` when what a first configuration costs bounds the others, and it fails.
    """
    ground = Ground.over(objective, candidates, space, tuning)

    async def count(trial: Trial) -> None:
        await ground.take(trial)
        if strategy is gaussian_process:
            ground.refit_when_due()

    for trial in journal.rows if journal is not None else ():
        objective.remember(trial.measured)
        await count(trial)
    stop = ""
    while not stop:
        proposal = "interrupt" if interrupted() else _next(ground, strategy, key)
        if isinstance(proposal, str):
            stop = proposal
            break
        left = tuning.tokens - ground.spent
        trial = await _measured(objective, candidates[proposal.candidate], proposal, left, _best_before(ground))
        if journal is not None:
            journal.add(trial)
        await count(trial)
        if told is not None:
            told(ground)
        if trial.measured.answered < len(proposal.questions):
            stop = "interrupt" if interrupted() else "tokens"
        elif tuning.at_most == "first" and ground.at_most is None:
            raise OutthinkError(
                f"The first configuration failed on every question: {next(iter(trial.failures.values()))}"
            )
    return _tuned(ground, stop)


def _next(ground: Ground, strategy: Strategy, key: Key) -> Proposal | str:
    """What to measure next, or why nothing more is."""
    proposal = strategy(ground, key)
    if proposal is None:
        return "all-asked" if ground.asked.min() > 0 else "nothing-to-learn"
    price = proposal.price
    if price != price:
        typical = float(np.nanmean(ground.cost)) if np.isfinite(ground.cost).any() else 0.0
        price = ground.price(proposal.candidate, proposal.questions, typical)
    return "tokens" if ground.spent + price > ground.tuning.tokens else proposal


def _best_before(ground: Ground) -> Believed | None:
    if ground.believed_at != len(ground.trials) or not ground.n.any():
        return None
    return best_of(believed(ground), ground.at_most)


async def _measured(
    objective: Objective, config: Config, proposal: Proposal, most: float, before: Believed | None
) -> Trial:
    names = [objective.questions[i] for i in proposal.questions.tolist()]
    began = time.perf_counter()
    try:
        found = await objective.measure(dict(config), names, most)
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
        bill=dict(found.bill),
    )


def _tuned(ground: Ground, stop: str) -> Tuned:
    if not ground.n.any():
        return Tuned(None, (), tuple(ground.trials), ground.spent, stop, False, ground)
    everything = believed(ground)
    edge = pareto_frontier(np.array([one.cost for one in everything]), np.array([one.quality for one in everything]))
    front = tuple(everything[i] for i in edge.tolist())
    best = best_of(everything, ground.at_most)
    return Tuned(best, front, tuple(ground.trials), ground.spent, stop, ground.believe().fitted.signal, ground)
