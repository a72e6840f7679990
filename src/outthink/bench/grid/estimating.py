"""What the rest of a grid will cost: tokens, calls, money and minutes, what that is based on, and how far off it may be.

    said = await estimate(running)
    said.text()                      # "about 1.2 M tokens (within a factor of 1.3), 40,000 calls, ...; from 24 pools and 16 searches"

Costs come from what the folder holds already: a pilot of a few questions, which are part of the run and never paid twice. A method that
was not seen at a size, or on a set, is taken from its other sizes or sets, in proportion. With nothing to go by, every sample is priced at
the longest reply that it may have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.bench.grid.executors import Unit
from outthink.bench.grid.running import Running
from outthink.bench.grid.workbench import PoolOf
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.cost import ZERO, Cost, total_of
from outthink.pipeline import Pipeline
from outthink.recipes.build import Built
from outthink.recipes.most import most, price

COLUMNS = ("tokens", "calls", "verifier_calls", "money")
LEAST_FACTOR = 1.25
PILOT_QUESTIONS = 3
ERRORS = 2.5
"""Standard errors on either side."""
BORROWED = 0.35
"""Relative standard error of what is taken from another size or set of the same method."""


@dataclass(frozen=True)
class Estimate:
    """What is still to be paid.

    Attributes:
        columns: tokens, calls, verifier_calls and money; nan for money that nobody knows.
        seconds: None before anything has run.
        factor: the true tokens lie within this factor on either side; None where only a bound is known.
        pools, searches: that are left. basis: what the figures are from, in words.
    """

    columns: dict[str, float]
    seconds: float | None
    factor: float | None
    pools: int
    searches: int
    basis: str

    @property
    def tokens(self) -> float:
        """Tokens, over all roles."""
        return self.columns["tokens"]

    def text(self) -> str:
        """All of it in one line."""
        money = self.columns["money"]
        priced = "money unknown" if math.isnan(money) else f"{money:.4g} in money"
        within = "at most about" if self.factor is None else "about"
        factor = "" if self.factor is None else f" (within a factor of {self.factor:.2g})"
        minutes = "minutes not known yet" if self.seconds is None else f"about {self.seconds / 60:.0f} minutes"
        return (
            f"{self.pools:,} pools and {self.searches:,} searches to go: {within} {self.tokens:,.0f} tokens{factor}, "
            f"{self.columns['calls']:,.0f} calls, {self.columns['verifier_calls']:,.0f} judgements, {priced}, {minutes}; {self.basis}"
        )


@dataclass(frozen=True)
class _Unit:
    """What one unit of a group costs, with the relative standard error of its mean; None where only a bound is known."""

    cost: dict[str, float]
    error: float | None


def pilot(running: Running) -> list[Unit]:
    """The first units of the run, for an estimate: of 3 questions a set, every pool, and every method's searches of the smallest size."""
    early: set[str] = set()
    for found in running.bench.posed.sets.values():
        early |= {question.task.id for question in found.questions[:PILOT_QUESTIONS]}
    seeds = [seed for one in running.bench.entrants for seed in one.seeds]
    first = min(seeds)
    pools = [one for one in running.pool_units(first) if one.question in early]
    growing = running.bench.growing
    least = {(one.method, one.set): min(o.size for o in growing if o.method == one.method) for one in growing}
    searches = [
        one
        for one in running.search_units(first)
        if one.question in early
        and growing[one.entrant].size == least[growing[one.entrant].method, growing[one.entrant].set]
    ]
    return [*pools, *searches]


async def estimate(running: Running) -> Estimate:
    """What the folder still lacks will cost; spends nothing."""
    pools, searches = running.pool_units(), running.search_units()
    parts: list[tuple[float, _Unit]] = []
    for i, pool in enumerate(running.bench.pools):
        left = sum(one.pool == i for one in pools)
        if left:
            parts.append((left, await _pool(running, pool)))
    counts: dict[int, int] = {}
    for one in searches:
        counts[one.entrant] = counts.get(one.entrant, 0) + 1
    by: dict[tuple[str, str, int], list[Outcome]] = {}
    for row in running.outcomes.rows:
        by.setdefault((row.method, row.task, row.size), []).append(row)
    for index, left in counts.items():
        parts.append((left, await _search(running, index, by)))
    columns = {name: float(sum(left * unit.cost[name] for left, unit in parts)) for name in COLUMNS}
    spent = running.ledger.total.tokens
    seconds = running.before.seconds + running.seconds
    return Estimate(
        columns=columns,
        seconds=None if not spent or not running.pools else columns["tokens"] * seconds / spent,
        factor=_factor(parts, columns["tokens"]),
        pools=len(pools),
        searches=len(searches),
        basis=_basis(running, any(unit.error is None for _, unit in parts)),
    )


def _factor(parts: Sequence[tuple[float, _Unit]], tokens: float) -> float | None:
    if any(unit.error is None for _, unit in parts):
        return None
    if not tokens:
        return LEAST_FACTOR
    # Groups share their questions, so that their errors may all point one way.
    error = sum(left * unit.cost["tokens"] * (unit.error or 0.0) for left, unit in parts) / tokens
    return max(LEAST_FACTOR, math.exp(ERRORS * error))


def _basis(running: Running, bound: bool) -> str:
    growing = {one.method for one in running.bench.growing}
    searches = sum(row.method in growing for row in running.outcomes.rows)
    if not running.pools and not searches:
        return "nothing was measured: the longest replies, at the prices of the model"
    measured = f"from {len(running.pools):,} pools and {searches:,} searches of this run"
    return measured + (", and the longest replies where nothing was measured" if bound else "")


async def _pool(running: Running, pool: PoolOf) -> _Unit:
    questions = {one.task.id for one in running.bench.posed.sets[pool.set].questions}
    own = [one for one in running.pools.values() if one.name == pool.plan.name and one.question in questions]
    if own:
        return _measured([_paid(one) for one in own])
    other = [one for one in running.pools.values() if one.name == pool.plan.name]
    if other:
        return _measured([_paid(one) for one in other], borrowed=True)
    question = running.bench.posed.sets[pool.set].questions[0]
    sample = (await price(pool.plan.process(question.asked))).asked
    judged = total_of(verifier.most(question.shown_to(verifier)) for verifier in pool.plan.verifiers.values())
    return _Unit(_columns((sample + judged).times(pool.plan.n)), None)


async def _search(running: Running, index: int, by: dict[tuple[str, str, int], list[Outcome]]) -> _Unit:
    entrant = running.bench.growing[index]
    own = by.get((entrant.method, entrant.set, entrant.size))
    if own:
        return _measured([row.generated + row.judged for row in own])
    for near in (
        {key: rows for key, rows in by.items() if key[:2] == (entrant.method, entrant.set)},
        {key: rows for key, rows in by.items() if key[0] == entrant.method},
    ):
        if near:
            size = min((key[2] for key in near), key=lambda one: abs(math.log(one / entrant.size)))
            rows = [row for key, found in near.items() if key[2] == size for row in found]
            return _scaled(_measured([row.generated + row.judged for row in rows], borrowed=True), entrant.size / size)
    search = running.bench.solver(entrant)
    question = running.bench.posed.sets[entrant.set].questions[0].shown_to(search.verifier)
    if isinstance(search.algorithm, Pipeline):
        # Its requests differ, and are no samples: the bound of `outthink run --dry-run`.
        layers = await most(Built(entrant.recipe, search, None), [question])
        return _Unit({name: layers.bounds[name] for name in COLUMNS}, None)
    sample = (await price(search.process(question))).asked
    judged = ZERO if search.verifier is None else search.verifier.most(question)
    return _Unit(_columns((sample + judged).times(entrant.size)), None)


def _paid(pool: Pool) -> Cost:
    return total_of(one.cost + total_of(judged.cost for judged in one.judged.values()) for one in pool.samples)


def _measured(costs: Iterable[Cost], *, borrowed: bool = False) -> _Unit:
    rows = [_columns(cost) for cost in costs]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in COLUMNS}
    tokens = np.array([row["tokens"] for row in rows])
    # One measurement says nothing of how they spread: it may be anything up to itself.
    spread = float(tokens.std(ddof=1)) if len(tokens) > 1 else float(tokens.mean())
    error = 0.0 if not tokens.any() else spread / math.sqrt(len(tokens)) / float(tokens.mean())
    return _Unit(mean, math.hypot(error, BORROWED) if borrowed else error)


def _scaled(unit: _Unit, by: float) -> _Unit:
    return _Unit({name: value * by for name, value in unit.cost.items()}, unit.error)


def _columns(cost: Cost) -> dict[str, float]:
    return {name: cost.column(name) for name in COLUMNS}
