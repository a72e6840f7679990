"""One request's search: its recipe on the model of its name, stored as a run where the gateway has a store."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import OutthinkError
from outthink.core.events import Sink
from outthink.core.ledger import Bill
from outthink.core.process import Process
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.settings import replace as changed
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.engines.engine import Engine
from outthink.engines.recording import recording
from outthink.pipeline import Pipeline
from outthink.recipes.build import Built, Live, build
from outthink.recipes.digest import digest
from outthink.recipes.fitting import check_text
from outthink.recipes.most import Most, most
from outthink.recipes.recipe import Recipe
from outthink.search import Vote
from outthink.serve.asking import Ask
from outthink.serve.catalogue import Entry
from outthink.serve.preparing import asked, check_able
from outthink.serve.process import ServedText
from outthink.serve.refusal import Refusal, of_error
from outthink.serve.same import equivalence_of
from outthink.serve.selecting import Answered, selected
from outthink.serve.tap import Tap, tapped
from outthink.serve.upstreams import Upstreams
from outthink.store.recorder import Recorder
from outthink.store.solving import solve_in_session
from outthink.store.store import Store
from outthink.text.settings import Text

SEED_BITS = 53
SHOWN_WITHIN = 0.1
"""Seconds until a request that nobody could take up again is to be seen as a run that is at work."""
Reserve = Callable[[Most], Awaitable[None]]
Begun = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    """What a request is answered with, best answer first. `seed` repeats the search; `run` names it in the store ("": not stored)."""

    answers: list[Answered]
    result: Result
    method: str
    seed: int
    run: str = ""


@dataclass(frozen=True)
class About:
    """Whose request it is.

    Attributes:
        request, holder: their ids; `holder` is "" without keys.
        run: the stored run that goes on, of an earlier attempt at this request; "" for a new one.
        reserve: called with the most that the search can cost, before anything is spent.
        begun: called with the name of the stored run.
        brief: whether nobody could go on with the search after a kill, so that nothing is kept for that.
        spent: called with the bill, also of a search that has no answer.
        cut: ends the search, with what it has paid for on the bill.
    """

    request: str
    holder: str = ""
    run: str = ""
    reserve: Reserve | None = None
    begun: Begun | None = None
    brief: bool = False
    spent: Callable[[Bill], None] | None = None
    cut: Cut = field(default_factory=Cut)


class Searcher:
    """Searches on the gateway's models; `store` keeps them as runs, None keeps none."""

    def __init__(self, upstreams: Upstreams, store: Store | None = None) -> None:
        self._upstreams = upstreams
        self._store = store

    async def search(
        self, ask: Ask, entry: Entry, recipe: Recipe, about: About, *, sinks: Sequence[Sink] = ()
    ) -> Outcome:
        """The search. Raises `Refusal` for all that keeps it from having an answer; cancel it to end it."""
        try:
            return await self._searched(ask, entry, recipe, about, sinks)
        except OutthinkError as error:
            raise of_error(error, ask.prompt_field) from error

    async def _searched(self, ask: Ask, entry: Entry, recipe: Recipe, about: About, sinks: Sequence[Sink]) -> Outcome:
        engine = await self._upstreams.engine(entry.source)
        check_able(ask, engine, recipe)
        recipe, task = asked(ask, recipe, engine, _data(ask, about))
        if about.reserve is not None:
            tap = _tap(ask, engine, None)
            async with self._built(ask, recipe, tap or engine, tap) as built:
                await about.reserve(await most(built, [task]))
        seed = ask.seed if ask.seed is not None else secrets.randbits(SEED_BITS)
        recorder = await self._recorder(ask, entry, recipe, about, engine, task, seed)
        try:
            asked_of = engine if about.brief or recorder is None else recording(engine, recorder.replies)
            tap = _tap(ask, asked_of, recorder)
            async with self._built(ask, recipe, tap or asked_of, tap, about.holder) as built:
                result = await _solved(built.solver, task, recorder, recipe.budget, seed, about, sinks)
        except BaseException as error:
            if recorder is not None:
                recorder.failed(error)
            raise
        answers = await selected(
            result,
            ask.n,
            form=ask.form,
            votes=isinstance(recipe.algorithm, Vote),
            split=tap.split if tap is not None else lambda text: (text, ()),
            log_probs=ask.log_probs,
        )
        run = recorder.id if recorder is not None else ""
        used = seed if recorder is None else recorder.key.entropy
        return Outcome(answers, result, "direct" if entry.direct else result.method, used, run)

    async def _recorder(
        self, ask: Ask, entry: Entry, recipe: Recipe, about: About, engine: Engine, task: Task, seed: int
    ) -> Recorder | None:
        if self._store is None:
            return None
        # Log-probabilities are heard as tokens arrive, so they are known only of a search that begins here.
        if about.run and not ask.log_probs:
            return await self._store.resume(about.run, take_over=True)
        # Forms and tools bring parts that are objects: such a run cannot be resumed from its recipe alone.
        whole = ask.form is None and ask.tools is None and not isinstance(entry.source, Engine)
        recorder = await self._store.begin(
            task,
            method="direct" if entry.direct else recipe.algorithm.name(),
            seed=seed,
            engine=engine.name,
            recipe=recipe.tables() if whole else None,
            digest=digest(recipe) if whole else "",
            budget=recipe.budget.limits(),
            late=SHOWN_WITHIN if about.brief else None,
        )
        if about.begun is not None:
            await about.begun(recorder.id)
        return recorder

    @asynccontextmanager
    async def _built(
        self, ask: Ask, recipe: Recipe, engine: Engine, tap: Tap | None, owner: str = ""
    ) -> AsyncIterator[Built]:
        """The recipe's parts, its texts showing what a reply must say."""
        live = Live(engine=engine, equivalence=equivalence_of(ask, tap))
        async with build(recipe, live=live, engines=self._upstreams.engines) as built:
            yield replace(built, solver=_served(recipe, built.solver, engine, tap if ask.log_probs else None, owner))


def _data(ask: Ask, about: About) -> dict[str, Any]:
    """What the stored task says of its request."""
    said = {
        "request": about.request,
        "key": about.holder,
        "model": ask.model,
        "user": ask.user,
        "metadata": ask.metadata,
    }
    return {"gateway": {name: value for name, value in said.items() if value}}


def _tap(ask: Ask, engine: Engine, recorder: Recorder | None) -> Tap | None:
    if ask.tools is None and not ask.log_probs:
        return None
    # Named by the run, so that a resumed run reads the candidates of its checkpoint.
    name = recorder.id if recorder is not None else secrets.token_hex(12)
    return tapped(engine, name=name, tools=ask.tools, log_probs=ask.log_probs)


async def _solved(
    search: Search,
    task: Task,
    recorder: Recorder | None,
    budget: Budget,
    seed: int,
    about: About,
    sinks: Sequence[Sink],
) -> Result:
    if recorder is not None and budget.seconds is not None and recorder.seconds_before:
        budget = changed(budget, seconds=max(1.0, budget.seconds - recorder.seconds_before))
    session = Session.open(seed=seed, budget=budget, sinks=sinks, cut=about.cut)
    try:
        if recorder is None:
            return await search.solve(task, session)
        session.key = recorder.key
        return await solve_in_session(search, task, recorder, session, checkpoints=not about.brief)
    finally:
        session.close()
        if about.spent is not None:
            about.spent(session.ledger.bill())


def _served(recipe: Recipe, search: Search, engine: Engine, listening: Tap | None, owner: str) -> Search:
    """The search with texts that also show what a reply must say. `owner`: whose share of the engine it has."""
    if isinstance(recipe.algorithm, Pipeline):
        return search
    verifier, extract = search.verifier, recipe.answer.extract if recipe.answer is not None else None
    wants = verifier.spec.wants if verifier is not None else frozenset()
    settings = recipe.process.showing(wants)

    def make(task: Task) -> Process[Any]:
        if not isinstance(settings, Text):
            raise Refusal(400, "This recipe generates no text.", param="model")
        process = ServedText(engine, task, settings, extract=extract, owner=owner)
        process.tap = listening
        check_text(process, recipe.algorithm, verifier)
        return process

    return Search(make, recipe.algorithm, verifier, search.equivalence, tolerance=recipe.tolerance)
