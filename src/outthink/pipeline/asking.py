"""A process whose members are single requests to models: what every stage of a pipeline is made of.

    batch = replace(await run.start(2, key), states=(Asked(ask=one), Asked(ask=other)))
    moved = await run.advance(batch, key, steps=None)

A member is told what to ask (`Ask`) and is finished when it has its reply. All members of a call go out together, each to its own engine,
and claim from the budget in their order, so a stage of twenty requests is one round. Replies that something is read from (a ranking, a
verdict) are asked for whole or not at all; answers may be shortened by the budget, and are then unfinished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby

from outthink.core.checkpoint import Saved, decode, encode
from outthink.core.component import EngineSettings
from outthink.core.cost import Budget
from outthink.core.cut import gather_until
from outthink.core.errors import CheckpointError, Failure, Incompatible, OutthinkError, explain
from outthink.core.ledger import Allowance
from outthink.core.process import Adaptation, Advance, Process
from outthink.core.settings import replace as changed
from outthink.core.slots import Slots
from outthink.core.solver import Search
from outthink.core.task import Candidate, Feature, Message, Task
from outthink.engines.engine import (
    ChatPrompt,
    Engine,
    Request,
    Sampling,
    StopReason,
    Tokenizing,
)
from outthink.engines.replying import claimed, replies
from outthink.numerics.types import IntArray, SeedArray
from outthink.text.modes import continuation
from outthink.text.partial import Partial
from outthink.text.prompts import Prompter
from outthink.text.settings import Text

_RUNS = count()
UNCUT = "given"


@dataclass(frozen=True)
class Ask(Saved):
    """What one member asks.

    Attributes:
        messages: role and words of each message; None: the task itself, in the form of the recipe's [process].
        more: for the task itself, words that are put after the question.
        engine: which engine, by its place in the process.
        temperature: None: the process's own sampling. max_tokens: of the reply.
        whole: whether a reply that the budget shortens is of no use.
    """

    messages: tuple[tuple[str, str], ...] | None = None
    more: str = ""
    engine: int = 0
    temperature: float | None = None
    max_tokens: int = 512
    whole: bool = False


@dataclass(frozen=True)
class Asked(Saved):
    """A member: what it asks (None: the task, as [process] has it), and its reply. `stop` says why that ended; "" while there is none."""

    ask: Ask | None = None
    text: str = ""
    reasoning: str = ""
    stop: str = ""

    @classmethod
    def written(cls, text: str) -> Asked:
        """A member whose text came from elsewhere, such as a search inside the pipeline."""
        return cls(text=text, stop=UNCUT)


Asks = tuple[Asked, ...]


@dataclass(frozen=True)
class Inner:
    """A search inside a pipeline, and its share of the budget; None for all that is left."""

    search: Search
    budget: Budget | None = None


class AskingProcess(Process[Asks]):
    """One task's requests. `engine` is the recipe's; `others` are those that stages ask for in their own settings."""

    def __init__(
        self,
        engine: Engine,
        task: Task,
        settings: Text | None = None,
        *,
        others: Sequence[tuple[EngineSettings, Engine]] = (),
        extract: Callable[[str], str | None] | None = None,
        solvers: Sequence[Inner] = (),
    ) -> None:
        """Args:
        settings: how the task itself is asked and sampled.
        extract: finds the answer in a finished text; None: candidates have no answer beside their text.
        solvers: what the pipeline's stages "solve" run, in their order.
        """
        self.task = task
        self.settings = settings or Text()
        self.engines: tuple[Engine, ...] = (engine, *(other for _, other in others))
        self.solvers = tuple(solvers)
        self.adapted: tuple[Adaptation, ...] = ()
        self._named = tuple(named for named, _ in others)
        self._extract = extract
        self._owner = f"{task.id}/pipeline {next(_RUNS)}"
        self._prompters: dict[tuple[int, str], Prompter] = {}

    @property
    def exact(self) -> bool:
        return all(engine.capabilities.exact for engine in self.engines)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        said = [one for engine in self.engines for one in engine.adaptations]
        return tuple(dict.fromkeys((*said, *self.adapted)))

    def index_of(self, engine: EngineSettings | None) -> int:
        """The place of the engine with these settings; 0, the recipe's own, for None. Raises `Incompatible` when nobody opened it."""
        if engine is None:
            return 0
        if engine not in self._named:
            raise Incompatible(
                explain(
                    "A stage asks for an engine that is not open.",
                    got=engine,
                    expected="an engine that was opened with the pipeline",
                    remedy="Build the pipeline with outthink.build, or give it to AskingProcess(others=...).",
                )
            )
        return 1 + self._named.index(engine)

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Asks:
        return (Asked(),) * len(seeds)

    async def advance(
        self, states: Asks, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Asks]:
        work = Slots(states)
        plain = Ask(max_tokens=self.settings.max_tokens)
        todo = [(i, state.ask or plain) for i, state in enumerate(states) if not state.stop]
        wanted = [(i, ask, self.request(ask, int(seeds[i]))) for i, ask in todo]
        sent: dict[int, Request] = {}
        # Claims are made in slot order, whichever engine a slot asks.
        for (engine, whole), group in groupby(wanted, key=lambda one: (one[1].engine, one[1].whole)):
            some = list(group)
            least = max(ask.max_tokens for _, ask, _ in some) if whole else self.settings.least_tokens
            pairs = [(i, request) for i, _, request in some]
            sent.update(claimed(work, self.engines[engine], pairs, allowance, least).requests)
        sending = [self._send(work, place, sent, dict(todo), allowance) for place in range(len(self.engines))]
        await gather_until(None, sending)
        return work.result(lambda state: bool(state.stop))

    def take(self, states: Asks, index: IntArray) -> Asks:
        return tuple([states[i] for i in index.tolist()])

    def concat(self, parts: Sequence[Asks]) -> Asks:
        return tuple(state for part in parts for state in part)

    async def view(self, states: Asks, wants: frozenset[Feature]) -> list[Candidate]:
        texts = [self.shown(state) for state in states]
        if self._extract is None:
            return self._viewed(states, texts)
        # A user's pattern may take its time.
        return await asyncio.to_thread(self._viewed, states, texts)

    def dump(self, states: Asks) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> Asks:
        states = decode(data)
        if not isinstance(states, tuple) or not all(isinstance(state, Asked) for state in states):
            raise CheckpointError("The checkpoint does not hold requests.")
        return states

    # -- requests ---------------------------------------------------------------------------------------------------

    def shown(self, state: Asked) -> str:
        """A reply without its thinking."""
        thinking = self.settings.thinking
        return (state.text if thinking is None else thinking.split(state.text, done=bool(state.stop))[1]).strip()

    def request(self, ask: Ask, seed: int) -> Request:
        """What is sent for a member."""
        sampling = self.settings.sampling if ask.messages is None else Sampling(temperature=0.0)
        if ask.temperature is not None:
            sampling = changed(sampling, temperature=ask.temperature)
        own = ask.messages is None
        prompt = (
            self._prompter(ask.engine, ask.more).prompt(Partial())
            if own
            else ChatPrompt(tuple(Message(role, words) for role, words in ask.messages or ()))
        )
        return Request(
            prompt=prompt,
            seed=seed,
            max_tokens=ask.max_tokens,
            sampling=sampling,
            stop=self.settings.stops if own else (),
            constraint=self.settings.constraint if own else None,
            owner=self._owner,
        )

    def _prompter(self, place: int, more: str) -> Prompter:
        if (place, more) not in self._prompters:
            engine = self.engines[place]
            mode = continuation(engine, self.settings)
            tokenizer = engine.tokenizer if isinstance(engine, Tokenizing) else None
            raw_text = "completion" in engine.capabilities.continuations
            self._prompters[(place, more)] = Prompter(
                with_more(self.task, more), self.settings, mode, tokenizer, raw_text
            )
        return self._prompters[(place, more)]

    async def _send(
        self, work: Slots[Asked], place: int, sent: dict[int, Request], asks: dict[int, Ask], allowance: Allowance
    ) -> None:
        requests = {i: request for i, request in sent.items() if asks[i].engine == place}
        try:
            found = await replies(work, self.engines[place], requests, allowance.cut)
        except OutthinkError as error:
            # One engine that breaks as a whole leaves what the others were paid for.
            work.failures.update(dict.fromkeys(requests, Failure.of(error)))
            return
        for i, generation in found.items():
            said = replace(work.states[i], text=generation.text, reasoning=generation.reasoning)
            if generation.stop is StopReason.CANCELLED or (
                generation.stop is StopReason.LENGTH and sent[i].max_tokens < asks[i].max_tokens
            ):
                work.states[i] = said
                work.short.add(i)
            else:
                work.states[i] = replace(said, stop="length" if generation.stop is StopReason.LENGTH else "end")

    def _viewed(self, states: Asks, texts: Sequence[str]) -> list[Candidate]:
        extract = self._extract
        return [
            Candidate(
                content=text,
                final=bool(state.stop),
                answer=extract(text) if extract is not None and state.stop else None,
            )
            for state, text in zip(states, texts, strict=True)
        ]


def with_more(task: Task, more: str) -> Task:
    """The same task with words put after its question."""
    if not more:
        return task
    if isinstance(task.prompt, str):
        return Task(prompt=f"{task.prompt}\n\n{more}", id=task.id, reference=task.reference, data=task.data)
    messages = list(task.prompt)
    at = max((i for i, one in enumerate(messages) if one.role == "user" and isinstance(one.content, str)), default=-1)
    if at < 0:
        messages.append(Message("user", more))
    else:
        messages[at] = Message("user", f"{messages[at].content}\n\n{more}", messages[at].more)
    return Task(prompt=tuple(messages), id=task.id, reference=task.reference, data=task.data)
