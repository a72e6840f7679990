"""Scripted models for pipelines: a function from what is asked to the whole reply, said as one token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from outthink.core import Budget, Cut, Equivalence, Failure, Result, Search, Session, Task, Verifier
from outthink.core.component import EngineSettings
from outthink.core.events import AnyEvent
from outthink.engines.engine import Engine, Generation, Request, StopReason
from outthink.engines.scripted import END, Behaviour, ScriptedEngine
from outthink.engines.scripted_tokens import ASSISTANT, reply_of
from outthink.pipeline import AskingProcess, Inner, Pipeline, wording
from outthink.pipeline.plangen import wording as plangen_wording
from outthink.testing import run_virtual
from outthink.text.settings import Text

QUESTION = Task(prompt="How much is 6 times 7?", id="q")


TEMPLATES = [
    text for part in (wording, plangen_wording) for text in vars(part).values() if isinstance(text, str) and "{" in text
]
WORDS = tuple(
    sorted(
        {piece for text in TEMPLATES for piece in re.split(r"\{\w+\}", text) if len(piece) > 40}, key=len, reverse=True
    )
)
"""The long pieces of the built-in prompts as single tokens, which makes the scripted models quick."""


class Overheard(ScriptedEngine):
    """Keeps what it was asked and what it said, in order: prompts, and replies that were not cut short."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.heard: list[tuple[str, str]] = []

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        found = await super().generate(requests, cut=cut)
        for request, reply in zip(requests, found, strict=True):
            if isinstance(reply, Generation) and reply.stop is StopReason.END:
                self.heard.append((self._text(self._prompt(request)), reply.text))
        return found


E = TypeVar("E", bound=ScriptedEngine)


def saying(reply: Callable[[str], str | Mapping[str, float]], **behaviour: Any) -> ScriptedEngine:
    """An engine whose reply is a function of the prompt: one text, or texts with their probabilities."""
    return engine_saying(ScriptedEngine, reply, **behaviour)


def engine_saying(made: type[E], reply: Callable[[str], str | Mapping[str, float]], **behaviour: Any) -> E:
    """The same, of the class that is asked for."""

    def next_token(text: str) -> Mapping[str, float]:
        if ASSISTANT in text and reply_of(text):
            return {END: 1.0}
        said = reply(text)
        return {said: 1.0} if isinstance(said, str) else said

    return made(next_token, vocabulary=WORDS, behaviour=Behaviour(**{"cached": False, **behaviour}))


def searching(
    pipeline: Pipeline,
    engine: Engine,
    *,
    others: Sequence[tuple[EngineSettings, Engine]] = (),
    verifier: Verifier | None = None,
    equivalence: Equivalence | None = None,
    solvers: Sequence[Inner] = (),
    settings: Text | None = None,
    **changes: Any,
) -> Search:
    def make(task: Task) -> AskingProcess:
        return AskingProcess(engine, task, settings or Text(), others=others, solvers=solvers)

    return Search(make, pipeline, verifier, equivalence, **changes)


def solved(
    search: Search,
    task: Task = QUESTION,
    *,
    budget: Budget | None = None,
    seed: int = 0,
    events: list[AnyEvent] | None = None,
    **how: Any,
) -> Result:
    async def work() -> Result:
        session = Session.open(seed=seed, budget=budget, sinks=[] if events is None else [events.append])
        try:
            return await search.solve(task, session, **how)
        finally:
            session.close()

    return run_virtual(work())
