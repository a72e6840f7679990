"""What a stage is: frozen settings that turn one `Flow` into the next, and say beforehand what that can cost.

    class Shorter(Stage):
        async def run(self, flow, desk, key): ...

A stage asks models through its `Desk` and never sees an engine. Whatever fails in it leaves what there was: a ranking that cannot be read
keeps the order, a critic without a reply leaves no critiques, and the record says so.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, TypeVar

from msgspec import Meta

from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.core.settings import NonNegativeFloat, Positive, Tagged
from outthink.engines.local.settings import Local
from outthink.engines.openai.settings import Openai
from outthink.engines.recorded import Recorded
from outthink.engines.scripted_table import Scripted
from outthink.engines.torch.settings import Transformers
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import Desk, Heard
from outthink.pipeline.members import Flow
from outthink.pipeline.pricing import Need

T = TypeVar("T")
AnyEngine = Local | Openai | Recorded | Scripted | Transformers
Retries = Annotated[int, Meta(ge=0, le=10)]

LABEL = 8
"""Tokens that a label and the blank lines around a text add to a prompt, at most."""


@dataclass(frozen=True)
class Sizes:
    """The most that there is between two layers.

    Attributes:
        n: candidates.
        length, remark: of one candidate and of one critique, in tokens of the reply that it came from.
        tests: of all unit tests together, tokens. `told`: whether they are shown with the question.
    """

    n: int = 0
    length: int = 0
    remark: int = 0
    tests: int = 0
    told: bool = False

    def quoted(self, *, critiques: bool = True) -> int:
        """Tokens that all candidates add to one prompt. A text that is read again counts twice: it may fall into more tokens."""
        return self.n * (2 * (self.length + (self.remark if critiques else 0)) + LABEL) + self.shown

    @property
    def one(self) -> int:
        """Tokens that one candidate adds to a prompt."""
        return 2 * self.length + LABEL + self.shown

    @property
    def shown(self) -> int:
        """Tokens that the unit tests add to the question."""
        return 2 * self.tests + 4 * LABEL if self.told else 0


@dataclass(frozen=True)
class Rehearsal:
    """What a stage needs to say beforehand what it will ask.

    Attributes:
        question: of the task. place_of: an engine's place in the process. longest: the process's limit on a reply, in tokens.
    """

    question: str
    place_of: Callable[[AnyEngine | None], int]
    longest: int


class Stage(Tagged):
    """Base of every stage."""

    makes: ClassVar[bool] = False
    """Whether it makes candidates from the question alone."""

    one_by_one: ClassVar[bool] = False
    """Whether it has a model judge each candidate by itself, so that a layer which makes candidates can keep room for one of them."""

    def parts(self) -> tuple[Stage, ...]:
        """The stages that stand side by side in it: itself, unless it is made of others."""
        return (self,)

    def over(self, flow: Flow) -> bool:
        """Whether it needs no further round after the one that left `flow`."""
        return flow.progress is None

    @abstractmethod
    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        """One round: the flow with what this stage writes; everything else is carried over."""

    @abstractmethod
    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        """Its requests, for so much at most."""

    def judges(self, sizes: Sizes) -> int:
        """Candidates that the recipe's verifier judges for it at most."""
        return 0

    @abstractmethod
    def after(self, sizes: Sizes, longest: int) -> Sizes:
        """What there is after it at most; `longest` is the process's limit on a reply, in tokens."""


class ModelStage(Stage):
    """Base of stages that ask one model and read something from its replies.

    Attributes:
        engine: an engine of its own; None: the recipe's.
        temperature: of its replies; 0 is greedy.
        max_tokens: of one reply.
    """

    engine: AnyEngine | None = None
    temperature: NonNegativeFloat = 0.0
    max_tokens: Positive = 512

    def ask(self, said: str, role: str, place: int, earlier: Sequence[tuple[str, str]] = ()) -> Ask:
        """The request with this prompt; `role` is what the model is told that it does."""
        return Ask(
            messages=(("system", role), *earlier, ("user", said)),
            engine=place,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            whole=True,
        )


async def read_each(
    desk: Desk, asks: Sequence[Ask], read: Callable[[int, str], T | None], key: Key, *, kind: str, retries: int
) -> Heard[T]:
    """What is read from each reply. Those from which nothing could be are asked again, all together, up to `retries` times.

    `read` is given the place of the ask and the reply.
    """
    found: list[T | None] = [None] * len(asks)
    waiting = list(range(len(asks)))
    unheard = set(waiting)
    for attempt in range(1 + retries):
        try:
            heard = await desk.replies([asks[i] for i in waiting], key.child(attempt), kind=kind)
        except BudgetExhausted as error:
            if attempt == 0:
                raise
            desk.run.limit = error.limit
            break  # what has been read stays
        unheard -= {i for at, i in enumerate(waiting) if at not in heard.unheard}
        for i, reply in zip(waiting, heard.found, strict=True):
            found[i] = None if reply is None else read(i, reply)
        waiting = [i for i in waiting if found[i] is None]
        if not waiting:
            break
    return Heard(found, frozenset(unheard))


def unscored(flow: Flow) -> Flow:
    """The flow without what votes said of the candidates before."""
    return replace(flow, agreement=None)
