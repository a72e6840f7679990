"""The smallest process over an engine: a text that grows by a few tokens a step. And the script, verifier and searches that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core import Advance, Allowance, Candidate, Cost, Failure, Process, Search, Task
from outthink.core.checkpoint import Saved, decode, encode
from outthink.core.cost import total_of
from outthink.engines import Engine, Request, StopReason, TextPrompt
from outthink.engines.scripted import Behaviour, ScriptedEngine
from outthink.engines.scripted_tokens import END
from outthink.numerics.types import IntArray, SeedArray
from outthink.search.particle_filter import ParticleFilter
from outthink.search.vote import Vote
from outthink.testing import FunctionOfContent

LETTERS = ("a", "b", "c", "d")
LENGTH = 6


@dataclass(frozen=True)
class Text(Saved):
    text: str = ""
    done: bool = False


class Words(Process[tuple[Text, ...]]):
    def __init__(self, engine: Engine, prompt: str, *, tokens: int = 1, owner: str = "") -> None:
        self.engine = engine
        self.prompt = prompt
        self.tokens = tokens
        self.owner = owner

    @property
    def exact(self) -> bool:
        return self.engine.capabilities.exact

    async def start(self, seeds: SeedArray) -> tuple[Text, ...]:
        return tuple(Text() for _ in seeds)

    async def advance(
        self, states: tuple[Text, ...], seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[tuple[Text, ...]]:
        limit = self.tokens * steps if steps is not None else LENGTH + 1
        requests = [
            Request(TextPrompt(self.prompt + s.text), int(seed), limit, owner=self.owner)
            for s, seed in zip(states, seeds, strict=True)
        ]
        served = [
            i
            for i, (request, most) in enumerate(zip(requests, self.engine.most(requests), strict=True))
            if allowance.claim(fixed=most) is not None
        ]
        replies = await self.engine.generate([requests[i] for i in served], cut=allowance.cut)
        new, failures, costs, uncertain = list(states), {}, [], []
        for i, reply in zip(served, replies, strict=True):
            if isinstance(reply, Failure):
                failures[i] = reply
                continue
            new[i] = Text(states[i].text + reply.text, reply.stop is StopReason.END)
            costs.append(reply.cost)
            uncertain.append(reply.uncertain)
        untouched = np.ones(len(states), bool)
        untouched[served] = False
        return Advance(
            states=tuple(new),
            done=np.array([s.done for s in new], bool),
            log_ratio=np.zeros(len(states)),
            cost=total_of(costs),
            failures=failures,
            untouched=untouched,
            uncertain=total_of(uncertain),
        )

    def take(self, states: tuple[Text, ...], index: IntArray) -> tuple[Text, ...]:
        return tuple(states[i] for i in index)

    def concat(self, parts: Sequence[tuple[Text, ...]]) -> tuple[Text, ...]:
        return tuple(s for part in parts for s in part)

    async def view(self, states: tuple[Text, ...], wants: frozenset[str]) -> list[Candidate]:
        return [
            Candidate(content=s.text, answer=s.text or None, features={"letters": len(s.text), "wide": np.ones(3)})
            for s in states
        ]

    def dump(self, states: tuple[Text, ...]) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> tuple[Text, ...]:
        found: tuple[Text, ...] = decode(data)
        return found


def script(text: str) -> Mapping[str, float]:
    """Letters in uneven measure, `LENGTH` of them after the colon."""
    said = text.partition(":")[2]
    if len(said) >= LENGTH:
        return {END: 1.0}
    return {letter: (i + 1.0) / 10 for i, letter in enumerate(LETTERS)}


def scripted(*, seconds: float = 0.0, cached: bool = False, name: str = "letters") -> ScriptedEngine:
    return ScriptedEngine(
        script, vocabulary=LETTERS, behaviour=Behaviour(call_seconds=seconds, cached=cached), name=name
    )


def share_of_a(text: str) -> float:
    return text.count("a") - 0.5 * text.count("d")


def filtered(engine: Engine, *, n: int = 4) -> Search:
    return Search(
        lambda task: Words(engine, task.question + ":"),
        ParticleFilter(n=n, ess_threshold=1.0),
        FunctionOfContent(share_of_a, price=Cost(verifier_calls=1)),
    )


def voted(engine: Engine, *, n: int = 4) -> Search:
    return Search(lambda task: Words(engine, task.question + ":"), Vote(n=n))


TASK = Task(prompt="letters", id="t1")
