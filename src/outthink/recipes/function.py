"""A plain function as a generator of whole answers: any model that you can call from Python, in three lines.

    def ask(prompt: str) -> str:
        return my_model(prompt)

    outthink.solve("...", process=outthink.Function(generate=ask), method="vote")

What the function takes is read from its signature; nothing is flagged:

- the first parameter is the prompt, or, by its name, `messages` (the conversation), `task` (the whole task) or `prompts` (one list for all
  members: the function is then batched and returns a list);
- a parameter named `seed` (or `seeds`, one for each prompt, of a batched function) is given the member's own seed. Without one the
  function draws for itself, and the same seed of the search does not give the same search;
- `async def` functions run on the event loop, others in worker threads, so they may block.

An error of the function is the failure of that member, with its cause. A function cannot continue a half-written answer, so only searches
over whole answers apply, and nobody can count its tokens, so a budget limits calls, verifier calls and seconds. Both are checked before
anything is called. When time is up the calls under way are given up and billed as uncertain; a thread cannot be stopped and ends by itself.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from outthink.core.component import AnswerSettings, Parts
from outthink.core.cost import Cost
from outthink.core.cut import gather_until
from outthink.core.errors import Failure, Incompatible, SettingsError, explain
from outthink.core.half_pairs import mended
from outthink.core.ledger import Allowance
from outthink.core.process import Advance, Process
from outthink.core.rows import as_index
from outthink.core.task import Candidate, Feature, Message, Task
from outthink.numerics.types import IntArray, SeedArray
from outthink.recipes.function_signature import Generate, Takes, read_signature

CALL = Cost(calls=1)
MEASURED = ("calls", "verifier_calls", "seconds")


@dataclass(frozen=True)
class Function:
    """Makes the process of a task from a plain function that returns whole answers.

    Attributes:
        generate: the function; see the module's documentation for what it may take.
        workers: the most calls under way at once.
    Raises `SettingsError` when the signature is none of the known ones.
    """

    generate: Generate
    workers: int = 8
    takes: Takes = field(init=False, repr=False)
    seeded: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SettingsError(
                explain(
                    "Function.workers cannot be that.",
                    got=self.workers,
                    expected="at least 1",
                    remedy="Leave it out for 8.",
                )
            )
        takes, seeded = read_signature(self.generate)
        object.__setattr__(self, "takes", takes)
        object.__setattr__(self, "seeded", seeded)

    def build(self, task: Task, parts: Parts) -> FunctionProcess:
        """The process of one task. Raises `Incompatible` when the task is a conversation that the function does not take."""
        if self.takes in ("prompt", "prompts") and not isinstance(task.prompt, str) and len(task.prompt) != 1:
            raise Incompatible(
                explain(
                    "The task is a conversation, and this function takes one prompt.",
                    got=f"{len(task.prompt)} messages",
                    expected="one question",
                    remedy="Name the function's first parameter `messages`, and it is given the whole conversation.",
                )
            )
        return FunctionProcess(self, task, parts.answer)


@dataclass(frozen=True)
class Answers:
    """Whole answers, [n]; None for a member that has not been asked yet."""

    texts: tuple[str | None, ...]


@dataclass(frozen=True)
class FunctionProcess(Process[Answers]):
    """Every member is one call; a single step goes to the end. Without `answer` the whole text is the answer."""

    function: Function
    task: Task
    answer: AnswerSettings | None = None

    @property
    def exact(self) -> bool:
        return False

    async def start(self, seeds: SeedArray) -> Answers:
        return Answers((None,) * len(seeds))

    async def advance(
        self, states: Answers, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Answers]:
        n = len(states.texts)
        waiting = [i for i, text in enumerate(states.texts) if text is None]
        asked = [i for i in waiting if allowance.claim(fixed=CALL) is not None]
        replies = await self._ask([int(seeds[i]) for i in asked], allowance)
        texts, failures = list(states.texts), dict[int, Failure]()
        untouched, given_up = np.zeros(n, bool), np.zeros(n, bool)
        untouched[sorted(set(waiting) - set(asked))] = True
        for i, reply in zip(asked, replies, strict=True):
            if isinstance(reply, str):
                texts[i] = reply
            elif isinstance(reply, Failure):
                failures[i] = reply
            else:
                given_up[i] = reply is Unanswered.GIVEN_UP
                untouched[i] = reply is Unanswered.NOT_CALLED
        lost = int(given_up.sum())
        return Advance(
            Answers(tuple(texts)),
            done=np.array([text is not None for text in texts], bool),
            log_ratio=np.zeros(n),
            cost=CALL.times(n - lost - int(untouched.sum()) - (n - len(waiting))),
            failures=failures,
            short=given_up,
            untouched=untouched,
            uncertain=CALL.times(lost),
        )

    def take(self, states: Answers, index: IntArray) -> Answers:
        return Answers(tuple(states.texts[i] for i in as_index(index).tolist()))

    def concat(self, parts: Sequence[Answers]) -> Answers:
        return Answers(tuple(text for part in parts for text in part.texts))

    async def view(self, states: Answers, wants: frozenset[Feature]) -> list[Candidate]:
        return [
            Candidate(
                content=text or "",
                final=text is not None,
                answer=text if text is None or self.answer is None else self.answer.extract(text),
            )
            for text in states.texts
        ]

    def dump(self, states: Answers) -> bytes:
        return msgspec.msgpack.encode(states.texts)

    def load(self, data: bytes) -> Answers:
        return Answers(msgspec.msgpack.decode(data, type=tuple[str | None, ...]))

    async def _ask(self, seeds: Sequence[int], allowance: Allowance) -> list[str | Failure | Unanswered]:
        """One reply a seed, in order."""
        if not seeds:
            return []
        function, first = self.function, self._first()
        if function.takes == "prompts":
            drawn = {"seeds": list(seeds)} if function.seeded else {}
            (found,) = await gather_until(allowance.cut, [_called(function.generate, [first] * len(seeds), drawn)])
            return [Unanswered.GIVEN_UP] * len(seeds) if found is None else _spread(found.value, len(seeds))
        gate, called = asyncio.Semaphore(function.workers), set[int]()

        async def one(place: int, seed: int) -> _Outcome:
            async with gate:
                called.add(place)
                return await _called(function.generate, first, {"seed": seed} if function.seeded else {})

        replies = await gather_until(allowance.cut, [one(place, seed) for place, seed in enumerate(seeds)])
        return [
            _text(reply.value) if reply else Unanswered.GIVEN_UP if place in called else Unanswered.NOT_CALLED
            for place, reply in enumerate(replies)
        ]

    def _first(self) -> Any:
        if self.function.takes == "task":
            return self.task
        prompt = self.task.prompt
        if self.function.takes == "messages":
            return (Message("user", prompt),) if isinstance(prompt, str) else prompt
        return self.task.question


class Unanswered(Enum):
    """Why a member has no reply when the cut fired."""

    GIVEN_UP = "given-up"
    NOT_CALLED = "not-called"


@dataclass(frozen=True)
class _Outcome:
    """What a call returned or raised."""

    value: Any


async def _called(generate: Generate, first: Any, named: Mapping[str, Any]) -> _Outcome:
    """Call it where it may block; what it raises is a value, for it is one member's failure and not the search's."""
    if inspect.iscoroutinefunction(generate):
        work: asyncio.Future[Any] = asyncio.ensure_future(generate(first, **named))
    else:
        work = asyncio.ensure_future(asyncio.to_thread(generate, first, **named))
    value: Any = (await asyncio.gather(work, return_exceptions=True))[0]
    if inspect.isawaitable(value):  # an object or a partial whose call gives a coroutine
        value = (await asyncio.gather(value, return_exceptions=True))[0]
    if isinstance(value, BaseException) and not isinstance(value, Exception):
        raise value
    return _Outcome(value)


def _text(value: Any) -> str | Failure:
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, Exception):
        return Failure.of(value)
    return Failure("TypeError", f"The function returned {type(value).__name__} {value!r:.80}; expected a str.")


def _spread(value: Any, n: int) -> list[str | Failure | Unanswered]:
    if isinstance(value, Exception):
        return [Failure.of(value)] * n
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != n:
        got = f"{len(value)} values" if isinstance(value, Sequence) and not isinstance(value, str) else repr(value)[:80]
        return [Failure("ValueError", f"The batched function returned {got}; expected a list of {n} texts.")] * n
    return [_text(one) for one in value]
