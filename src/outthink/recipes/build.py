"""From a recipe to something that solves: opens the engine, builds verifier and equivalence, and closes what it opened.

    async with build(load("particle-filter")) as built:
        result = await built.solver.solve(Task(prompt="..."), Session.open(budget=built.recipe.budget))

`Live` holds parts that are objects already (an engine, a process, a verifier, an equivalence). They stand in place of the recipe's own and
are closed by whoever made them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from outthink.core.component import EngineSettings, Parts
from outthink.core.errors import Incompatible, explain
from outthink.core.process import Process
from outthink.core.solver import ProcessFor, Search
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence, Verifier
from outthink.engines.engine import Engine
from outthink.pipeline import AskingProcess, Inner, Pipeline
from outthink.recipes.engines import Engines, own_engines
from outthink.recipes.fitting import check_function, check_text, unseen
from outthink.recipes.function import Function
from outthink.recipes.layers import engines_inside, inner_recipes
from outthink.recipes.recipe import Recipe
from outthink.text.settings import Text


@dataclass(frozen=True)
class Live:
    """Parts that exist already; None: as the recipe says.

    `own`: engines that parts ask for in their own settings, such as a judge's, and that are open already.
    """

    engine: Engine | None = None
    process: Function | ProcessFor | None = None
    verifier: Verifier | None = None
    equivalence: Equivalence | None = None
    own: tuple[tuple[EngineSettings, Engine], ...] = ()


@dataclass(frozen=True)
class Built:
    """A recipe come to life. `engine` is None where a live process needs none."""

    recipe: Recipe
    solver: Search
    engine: Engine | None


@asynccontextmanager
async def build(recipe: Recipe, *, live: Live | None = None, engines: Engines | None = None) -> AsyncIterator[Built]:
    """The recipe's solver, open while the context lasts. `engines` shares engines with others; by default it has its own.

    Raises `Incompatible` for parts that do not fit, and what opening the engine raises, before anything is spent.
    """
    live, engines, own = live or Live(), engines or Engines(idle=0), engines is None
    async with AsyncExitStack() as stack:
        if own:
            stack.push_async_callback(engines.close)
        engine = live.engine
        if engine is None and live.process is None:
            engine = await stack.enter_async_context(engines.leased(recipe.engine))
        process = recipe.process if live.process is None else None
        parts = Parts(
            engine=engine, answer=recipe.answer, process=process, own=await own_open(recipe, live, engines, stack)
        )
        verifier = live.verifier
        if verifier is None and recipe.verifier is not None:
            # Libraries are imported and sandboxes are tried out there: no work for an event loop.
            verifier = await asyncio.to_thread(recipe.verifier.build, parts)
            stack.push_async_callback(verifier.close)
        equivalence = live.equivalence
        if equivalence is None:
            equivalence = WholeTexts() if recipe.answer is None else recipe.answer.build(parts)
        search = Search(
            await _pipeline_for(recipe, live, parts, verifier, engines, stack)
            if isinstance(recipe.algorithm, Pipeline)
            else _process_for(recipe, live, parts, verifier),
            recipe.algorithm,
            verifier,
            equivalence,
            tolerance=recipe.tolerance,
        )
        yield Built(recipe, search, engine)


async def own_open(
    recipe: Recipe, live: Live, engines: Engines, stack: AsyncExitStack
) -> tuple[tuple[EngineSettings, Engine], ...]:
    """The engines that the recipe's parts ask for in their own settings, open while the stack is."""
    wanted = (*(own_engines(recipe.verifier) if live.verifier is None else ()), *engines_inside(recipe))
    wanted = tuple(one for at, one in enumerate(wanted) if one not in wanted[:at])
    there = [settings for settings, _ in live.own]
    opened = [(one, await stack.enter_async_context(engines.leased(one))) for one in wanted if one not in there]
    return (*live.own, *opened)


class WholeTexts(Equivalence):
    """What a recipe without [answer] compares: the answer that the process found, else the whole text. Blank ones abstain."""

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        found = [c.content if c.answer is None else c.answer for c in candidates]
        return [text.strip() or None if isinstance(text, str) else None for text in found]


def _process_for(recipe: Recipe, live: Live, parts: Parts, verifier: Verifier | None) -> ProcessFor:
    if isinstance(live.process, Function):
        function = live.process
        check_function(function, recipe.algorithm, recipe.budget, verifier)
        return lambda task: function.build(task, parts)
    if live.process is not None:
        return live.process

    settings = recipe.process if verifier is None else recipe.process.showing(verifier.spec.wants)

    def make(task: Task) -> Process[Any]:
        process = settings.build(task, parts)
        check_text(process, recipe.algorithm, verifier)
        return process

    return make


async def _pipeline_for(
    recipe: Recipe, live: Live, parts: Parts, verifier: Verifier | None, engines: Engines, stack: AsyncExitStack
) -> ProcessFor:
    """The process of a pipeline's stages, and the searches inside it."""
    if live.process is not None or not isinstance(recipe.process, Text) or not isinstance(parts.engine, Engine):
        raise Incompatible(
            explain(
                "A pipeline's stages ask models.",
                got="a process of your own" if live.process is not None else recipe.process.name(),
                expected="an engine that generates text, and [process] type = 'text'",
                remedy="Leave the process out, or use a search method for it.",
            )
        )
    inside: list[Inner] = []
    for stage, inner in inner_recipes(recipe):
        same = inner.engine == recipe.engine
        own = isinstance(stage.recipe, str) or "verifier" in stage.recipe
        there = replace(live, engine=parts.engine if same else parts.opened(inner.engine), own=parts.own)
        built = await stack.enter_async_context(
            build(inner, live=replace(there, verifier=None if own else live.verifier), engines=engines)
        )
        inside.append(Inner(built.solver, inner.budget if inner.budget.limits() else None))
    settings, extract = recipe.process, recipe.answer.extract if recipe.answer is not None else None

    def make(task: Task) -> Process[Any]:
        if verifier is not None and verifier.spec.wants:
            raise unseen(verifier.spec.wants, "a pipeline")
        return AskingProcess(parts.engine, task, settings, others=parts.own, extract=extract, solvers=inside)

    return make
