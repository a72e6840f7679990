"""Recipes as an objective: each configuration's recipe answers the questions for real, and every answer is marked and billed.

    async with open_live(problem, questions, session) as objective:
        tuned = await tune(objective, ...)

Configurations share engines wherever their [engine] tables agree. The same question has the same randomness under every configuration, so
what differs is the configuration.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from outthink.bench.contest import Contestant, Question, enter
from outthink.bench.outcome import Outcome
from outthink.core.session import Session
from outthink.recipes.build import build
from outthink.recipes.engines import Engines
from outthink.recipes.recipe import Recipe
from outthink.tune.objective import Measured, Objective
from outthink.tune.problem import Problem
from outthink.tune.space import Config, Value

OPEN_ENGINES = 4
"""Engines that stay open without a user, so that a model is loaded once and not for every measurement."""


class LiveRecipes(Objective):
    """Answers questions with the recipes of configurations."""

    def __init__(self, problem: Problem, questions: Sequence[Question], session: Session, engines: Engines) -> None:
        self._problem, self._session, self.engines = problem, session, engines
        self._by_id = {question.task.id: question for question in questions}

    @property
    def questions(self) -> tuple[str, ...]:
        return tuple(self._by_id)

    def price(self, config: Config, questions: Sequence[str], per_question: float) -> float:
        return per_question * len(questions)

    async def measure(self, config: Mapping[str, Value], questions: Sequence[str]) -> Measured:
        outcomes = await self.answered(self._problem.with_config(config), questions)
        failed = {one.question: one.failure for one in outcomes if one.failure}
        kept = [one for one in outcomes if not one.failure]
        return Measured(
            config,
            {one.question: float(one.right) for one in kept},
            {one.question: float(one.tokens) for one in kept},
            float(sum(one.tokens for one in outcomes)),
            failed,
        )

    async def answered(self, recipe: Recipe, questions: Sequence[str]) -> list[Outcome]:
        """What a recipe says to the questions. Raises what building it raises; what breaks on one question is in its outcome."""
        gate = asyncio.Semaphore(self._problem.in_flight)
        async with build(recipe, engines=self.engines) as built:
            # One name for all: the same randomness for each question, whatever the configuration.
            contestant = Contestant("tuned", 1, lambda question, seed: built.solver, budget=recipe.budget)

            async def one(name: str) -> Outcome:
                async with gate:
                    return await enter(contestant, 0, self._by_id[name], self._session)

            return list(await asyncio.gather(*(one(name) for name in questions)))


@asynccontextmanager
async def open_live(problem: Problem, questions: Sequence[Question], session: Session) -> AsyncIterator[LiveRecipes]:
    """The objective while the context lasts; its engines are closed after it."""
    engines = Engines(idle=OPEN_ENGINES)
    try:
        yield LiveRecipes(problem, questions, session, engines)
    finally:
        await engines.close()
