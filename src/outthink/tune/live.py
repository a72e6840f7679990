"""Recipes as an objective: each configuration's recipe answers the questions for real, and every answer is marked and billed.

    async with open_recipes() as recipes:
        objective = LiveRecipes(problem, questions, session, recipes, SharedSamples(journal))
        await objective.read_pools(candidates)
        tuned = await tune(objective, ...)

Configurations share engines wherever their [engine] tables agree, and samples wherever they only choose among them (`shared_samples`). The
same question has the same randomness under every configuration, so what differs is the configuration. The session's ledger pays, and its
budget is kept as in any search: a question that it does not suffice for has no value.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from outthink.bench.contest import Contestant, Question, is_cut, unrecorded
from outthink.bench.grid.drawing import PoolPlan
from outthink.bench.grid.entrants import DRAWN, part_of
from outthink.bench.grid.growing import grow
from outthink.bench.grid.selecting import asks, members, reading, reads_pools, select
from outthink.bench.open_recipes import OpenRecipes
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool, apart
from outthink.core.component import Parts
from outthink.core.cost import Budget, Cost, Role
from outthink.core.errors import OutthinkError
from outthink.core.ledger import Ledger
from outthink.core.session import Session
from outthink.core.task import Task
from outthink.core.verifier import Verifier
from outthink.recipes.build import Built
from outthink.recipes.engines import Engines
from outthink.recipes.recipe import Recipe
from outthink.tune.objective import Measured, Objective
from outthink.tune.problem import Problem
from outthink.tune.rounds import in_rounds
from outthink.tune.shared_samples import SEED, SharedSamples
from outthink.tune.space import Config, Value, frozen

OPEN_ENGINES = 4
"""Engines that stay open without a user, so that a model is loaded once and not for every measurement."""
METHOD = "tuned"
"""One name for all: the same randomness for each question, whatever the configuration."""


@dataclass(frozen=True)
class Reader:
    """A configuration that reads a pool: which, how many of its samples, and under which name its verifier's verdicts stand there."""

    pool: str
    n: int
    label: str | None


class LiveRecipes(Objective):
    """Answers questions with the recipes of configurations."""

    def __init__(
        self,
        problem: Problem,
        questions: Sequence[Question],
        session: Session,
        recipes: OpenRecipes,
        samples: SharedSamples,
    ) -> None:
        self._problem, self._session, self._recipes, self._samples = problem, session, recipes, samples
        self._by_id = {question.task.id: question for question in questions}
        self._measured = 0.0
        self._readers: dict[tuple[tuple[str, Value], ...], Reader] = {}
        self._judges: dict[str, dict[str, Recipe]] = {}
        self._known: dict[tuple[tuple[tuple[str, Value], ...], str], Outcome] = {}

    async def read_pools(self, configs: Iterable[Config]) -> None:
        """Find out which of these only choose among whole samples; the others sample for themselves."""
        whether: dict[str, bool] = {}
        for config in configs:
            recipe = self._problem.with_config(config)
            if not reads_pools(recipe, None):
                continue
            judged = f"{part_of(recipe, ('engine', 'answer', 'verifier'))} {asks(recipe.algorithm)}"
            if judged not in whether:
                whether[judged] = await self._reads(recipe)
            if whether[judged]:
                reader = Reader(part_of(recipe, DRAWN), members(recipe.algorithm), label_of(recipe))
                self._readers[frozen(config)] = reader
                if reader.label is not None:
                    self._judges.setdefault(reader.pool, {}).setdefault(reader.label, recipe)

    async def _reads(self, recipe: Recipe) -> bool:
        try:
            async with self._recipes.built(recipe) as built:
                judge = built.solver.verifier
                return reads_pools(recipe, None if judge is None else judge.spec)
        except OutthinkError:
            # Measuring it meets the same error, and says so where it counts.
            return False

    @property
    def questions(self) -> tuple[str, ...]:
        return tuple(self._by_id)

    @property
    def lost(self) -> float:
        """What the ledger holds, or may have to, beyond all measurements."""
        ledger = self._session.ledger
        return max(0.0, ledger.total.tokens + ledger.uncertain.tokens - self._measured)

    def remember(self, measured: Measured) -> None:
        self._measured += measured.tokens

    def drawn_as(self, config: Config) -> Hashable:
        reader = self._readers.get(frozen(config))
        return frozen(config) if reader is None else reader.pool

    def price(self, config: Config, questions: Sequence[str], per_question: float) -> float:
        """For a method that reads pools: the samples that are missing, each for what a sample has cost so far."""
        reader = self._readers.get(frozen(config))
        if reader is None:
            return per_question * len(questions)
        missing = sum(max(0, reader.n - self._samples.drawn(reader.pool, question)) for question in questions)
        each = self._samples.sample_price(reader.pool)
        return missing * (per_question / reader.n if each is None else each)

    async def measure(self, config: Mapping[str, Value], questions: Sequence[str], most: float) -> Measured:
        before = self._session.ledger.state()
        recipe = self._problem.with_config(config)
        reader = self._readers.get(frozen(config))
        if reader is None:
            outcomes = await self.answered(recipe, questions, most)
        else:
            outcomes = await self._chosen(config, recipe, reader, questions, most)
        after = self._session.ledger.state()
        bill: dict[Role, Cost] = {role: after[role] - before[role] for role in after}
        tokens = float(sum(cost.tokens for cost in bill.values()))
        self._measured += tokens
        return _measured(config, outcomes, tokens, bill)

    async def made_known(self, measured: Measured, configs: Sequence[Config]) -> list[Measured]:
        """All other methods that read the same pools, as far as those reach."""
        mine = self._readers.get(frozen(measured.config))
        found = []
        for config in configs if mine is not None else ():
            reader = self._readers.get(frozen(config))
            if mine is None or reader is None or reader.pool != mine.pool or dict(config) == dict(measured.config):
                continue
            there = {one: self._samples.pool(reader.pool, one, reader.n, reader.label) for one in measured.values}
            pools = {one: pool for one, pool in there.items() if pool is not None}
            if pools:
                async with self._recipes.built(self._problem.with_config(config)) as built:
                    outcomes = [await self._select(config, built, reader, one, pool) for one, pool in pools.items()]
                found.append(_measured(config, outcomes, 0.0, {}))
        return found

    async def answered(self, recipe: Recipe, questions: Sequence[str], most: float = math.inf) -> list[Outcome]:
        """What a recipe says to the questions, but for those that `most` tokens, the session's own limit or a cut left unanswered.

        Raises what building it raises; what breaks on one question is in its outcome.
        """
        async with self._recipes.built(recipe) as built:
            contestant = Contestant(METHOD, 1, lambda question, seed: built.solver)
            paying = self._within(most)

            async def one(name: str) -> Outcome | None:
                grown = await grow(contestant, self._by_id[name], SEED, recipe.budget, paying)
                return None if grown.kept_from_being_whole(paying) else grown.outcome

            return await self._in_rounds(questions, one)

    async def _chosen(
        self, config: Mapping[str, Value], recipe: Recipe, reader: Reader, questions: Sequence[str], most: float
    ) -> list[Outcome]:
        async with self._recipes.built(recipe) as built, AsyncExitStack() as stack:
            judges = {label: await self._judge(one, stack) for label, one in self._judges.get(reader.pool, {}).items()}
            paying = self._within(most)
            plan = plan_of(reader, built, judges, self._by_id[questions[0]].asked)

            async def one(question: str) -> Outcome | None:
                asked = self._by_id[question]
                pool = await self._samples.upto(plan, asked, paying, reader.label, judges)
                return None if pool is None else await self._select(config, built, reader, question, pool)

            return await self._in_rounds(questions, one)

    def _within(self, most: float) -> Session:
        """The session, with `most` tokens of its ledger."""
        if math.isinf(most):
            return self._session
        return replace(self._session, ledger=Ledger(Budget(tokens=int(most)), parent=self._session.ledger))

    async def _in_rounds(
        self, questions: Sequence[str], one: Callable[[str], Awaitable[Outcome | None]]
    ) -> list[Outcome]:
        at_once = self._problem.in_flight
        found = await in_rounds(questions, one, at_once=at_once, ended=lambda: is_cut(self._session))
        return list(found.values())

    async def _judge(self, recipe: Recipe, stack: AsyncExitStack) -> Verifier:
        judge = (await stack.enter_async_context(self._recipes.built(recipe))).solver.verifier
        assert judge is not None, "only recipes that ask a verifier are among the judges"
        return judge

    async def _select(self, config: Config, built: Built, reader: Reader, question: str, pool: Pool) -> Outcome:
        place = (frozen(config), question)
        if place not in self._known:
            search = reading(built.solver, pool, reader.label)
            contestant = Contestant(METHOD, 1, lambda question, seed: search)
            child = unrecorded(apart(self._session).child(f"{METHOD}/1/{SEED}/{question}", budget=built.recipe.budget))
            self._known[place] = await select(contestant, self._by_id[question], SEED, pool, child)
        return self._known[place]


def label_of(recipe: Recipe) -> str | None:
    """Under which name a pool keeps what the recipe's verifier says; None where its method does not ask one."""
    return part_of(recipe, ("verifier",)) if recipe.verifier is not None and asks(recipe.algorithm) else None


def plan_of(reader: Reader, built: Built, judges: Mapping[str, Verifier], task: Task) -> PoolPlan:
    """How the pool is drawn for a method: those that look at more than texts, or cost no tokens, judge each sample as it comes."""
    recipe = built.recipe
    looking = {label: judge for label, judge in judges.items() if judge.spec.wants or judge.most(task).tokens == 0}
    settings = recipe.process
    for judge in looking.values():
        settings = settings.showing(judge.spec.wants)
    parts = Parts(engine=built.engine, answer=recipe.answer)
    return PoolPlan(reader.pool, lambda task: settings.build(task, parts), looking, reader.n)


def _measured(config: Config, outcomes: Sequence[Outcome], tokens: float, bill: Mapping[Role, Cost]) -> Measured:
    kept = [one for one in outcomes if not one.failure]
    return Measured(
        config,
        {one.question: float(one.right) for one in kept},
        {one.question: float(one.tokens) for one in kept},
        tokens,
        {one.question: one.failure for one in outcomes if one.failure},
        bill,
    )


@asynccontextmanager
async def open_recipes() -> AsyncIterator[OpenRecipes]:
    """What recipes of a study share, closed after the context."""
    async with AsyncExitStack() as stack:
        engines = Engines(idle=0)
        stack.push_async_callback(engines.close)
        recipes = OpenRecipes(engines, most=OPEN_ENGINES)
        stack.push_async_callback(recipes.close)
        yield recipes
