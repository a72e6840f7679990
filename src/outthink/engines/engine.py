"""What every engine is: a list of requests in, one generation or failure each out, in the same order.

An engine serves many runs at once; it batches, caches and schedules as it likes, but a request's result depends on the request alone
(its prompt, its seed, its settings) to the exactness that `EngineCapabilities.exact` states. Costs are what the backend counted.

A prompt is one of three forms; which ones an engine takes is in its capabilities:
`TokenPrompt` (exact continuation), `TextPrompt` (raw text, continued), `ChatPrompt` (messages, with an optional assistant prefix).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.core.half_pairs import mended
from outthink.core.process import Adaptation
from outthink.core.settings import Count, Fraction, NonNegativeFloat, Settings
from outthink.core.task import Message, Task
from outthink.engines.tools import ToolCall, Tools
from outthink.numerics.types import FloatArray


class Continuation(StrEnum):
    """How a text that has begun is continued. A probe chooses; the run records it."""

    TOKENS = "tokens"
    COMPLETION = "completion"
    ASSISTANT_PREFIX = "assistant-prefix"
    PROMPTED = "prompted"
    NONE = "none"


@dataclass(frozen=True)
class TokenPrompt:
    """Token ids of the engine's own vocabulary, continued exactly."""

    tokens: tuple[int, ...]


@dataclass(frozen=True)
class TextPrompt:
    """Raw text without a chat template, continued."""

    text: str


@dataclass(frozen=True)
class ChatPrompt:
    """A conversation; `prefix` is the beginning of the assistant's reply that is to be continued."""

    messages: tuple[Message, ...]
    prefix: str = ""


Prompt = TokenPrompt | TextPrompt | ChatPrompt


class Sampling(Settings):
    """How the next token is drawn. Everything is neutral unless set; temperature 0 is greedy.

    Order of application: logit bias, constraint, penalties, temperature, top-k, top-p, min-p.
    """

    temperature: NonNegativeFloat = 1.0
    top_k: Count = 0
    top_p: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    min_p: Fraction = 0.0
    presence_penalty: Annotated[float, Meta(ge=-2.0, le=2.0)] = 0.0
    frequency_penalty: Annotated[float, Meta(ge=-2.0, le=2.0)] = 0.0
    repetition_penalty: Annotated[float, Meta(gt=0.0)] = 1.0
    logit_bias: dict[str, float] = msgspec.field(default_factory=dict)
    """Token id, written as text, to the value added to its logit (nats)."""

    @property
    def penalises(self) -> bool:
        """Whether a token's chance depends on how often the reply has used it."""
        return bool(self.presence_penalty or self.frequency_penalty) or self.repetition_penalty != 1.0


class Choice(Settings, tag_field="type", tag="choice"):
    """The reply is one of these strings."""

    options: Annotated[tuple[str, ...], Meta(min_length=1)]


class Regex(Settings, tag_field="type", tag="regex"):
    """The reply matches this regular expression as a whole."""

    pattern: Annotated[str, Meta(min_length=1)]


class JsonSchema(Settings, tag_field="type", tag="json-schema"):
    """The reply is a JSON document that this schema accepts."""

    document: dict[str, object]


Constraint = Choice | Regex | JsonSchema
Wanted = Literal["log_probs", "hidden"]


@dataclass(frozen=True)
class Request:
    """One reply wanted.

    Attributes:
        seed: this request's own random stream.
        max_tokens: the most tokens to generate, at least 1.
        stop: strings that end the reply. The reply's text is cut before the first of them; `Generation.stop_text` says which.
        wants: "log_probs" (of each generated token, nats, under the model at temperature 1 before any processor) or "hidden" (the last
            layer's state at the last token).
        max_uncached: the most uncached input that may be billed, as promised by `Engine.most`; a prefix that the engine evicted since
            is computed again at the engine's own expense. None: whatever it takes.
        owner: which run asks; engines share capacity fairly between owners.
        tools: functions that the model may ask to have called; only for engines with `EngineCapabilities.tools`.
        begun: how many of a `TokenPrompt`'s last tokens are the reply's own beginning, which penalties count too.
    """

    prompt: Prompt
    seed: int
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    wants: frozenset[Wanted] = frozenset()
    max_uncached: int | None = None
    owner: str = ""
    tools: Tools | None = None
    begun: int = 0


def owner_of(task: Task, part: str) -> str:
    """Whose work a part of a search on `task` is, for `Request.owner`. Tasks without an id are told apart by the object."""
    return f"{part} {task.id or id(task)}"


class StopReason(StrEnum):
    """Why a generation ended."""

    END = "end"
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Generation:
    """One reply.

    Attributes:
        text: without the stop string; thinking text is apart, in `reasoning`. Half surrogate pairs are mended in all texts.
        tokens: ids generated, the ones of a stop string or end token included, [t]; None where the backend does not tell.
        log_probs: [t] nats, aligned with `tokens`; None unless wanted and known.
        stop_text: the stop string that ended it, "" otherwise.
        hidden: last layer's state at the last token, [width]; None unless wanted.
        estimated: whether `cost` is an estimate (the backend reported no usage); `uncertain` is then how much more it may be.
        names: the text of each token that `log_probs` speaks of, [t], where the backend deals in text and tells.
        tool_calls: functions that the model asks to have called.
    """

    text: str
    stop: StopReason
    cost: Cost
    tokens: tuple[int, ...] | None = None
    log_probs: tuple[float, ...] | None = None
    stop_text: str = ""
    hidden: FloatArray | None = None
    reasoning: str = ""
    estimated: bool = False
    uncertain: Cost = field(default_factory=Cost)
    names: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    def __post_init__(self) -> None:
        # The one door of every engine's replies: see `outthink.core.half_pairs`.
        for name in ("text", "stop_text", "reasoning"):
            if not (said := getattr(self, name)).isascii():
                object.__setattr__(self, name, mended(said))
        if self.names is not None and not all(map(str.isascii, self.names)):
            object.__setattr__(self, "names", tuple(map(mended, self.names)))


@dataclass(frozen=True)
class EngineCapabilities:
    """What an engine can do; what a probe found, or what an in-process engine knows about itself.

    Attributes:
        continuations: ways in which it continues a text, best first.
        exact: same request, same tokens, whatever runs beside it. False: equal up to the arithmetic's dependence on the batch.
        honours_limits: whether `max_tokens` is a hard limit.
        context: the window in tokens; None when unknown.
        tools: whether tools can be sent with a request.
    """

    continuations: tuple[Continuation, ...]
    exact: bool
    seeds: bool
    log_probs: bool
    hidden: bool = False
    constraints: bool = False
    honours_limits: bool = True
    context: int | None = None
    tools: bool = False


class Engine(ABC):
    """Serves generation requests. Usable from several event loops and threads unless it says otherwise; closed once."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Model and build, for records: two engines of one name give the same replies."""

    @property
    @abstractmethod
    def capabilities(self) -> EngineCapabilities: ...

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What it does in place of what its backend cannot do; runs record it."""
        return ()

    @abstractmethod
    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        """The most that each request can cost if they are sent together in this order. No side effect, nothing is spent.

        A request that cannot be served at all has here the failure that `generate` would return for it (`ContextOverflow`); the prices
        of the others are those without it.
        """

    def price(self, request: Request) -> Cost:
        """The most that one request can cost when it is sent alone. Raises what refuses it: `ContextOverflow` or another error."""
        most = self.most([request])[0]
        if isinstance(most, Failure):
            raise most.as_error()
        return most

    @abstractmethod
    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        """One result per request, same order. Retryable errors were retried; what is left is a `Failure`.

        When `cut` fires, finished generations are kept and the rest come back with what they have, `StopReason.CANCELLED`.
        """

    @abstractmethod
    def counters(self) -> Cost:
        """What this engine has counted since it was opened: the other side of every bill."""

    @abstractmethod
    async def close(self) -> None:
        """Free everything. Requests in flight are cancelled. Safe to call twice."""


class Tokenizer(ABC):
    """Text to token ids and back, with the model's chat template."""

    @property
    @abstractmethod
    def end_tokens(self) -> frozenset[int]: ...

    @property
    def opening(self) -> tuple[int, ...]:
        """What the model expects before raw text: its begin token, or nothing. A chat template brings its own."""
        return ()

    @abstractmethod
    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids; `special`: whether markup of the template is read as control tokens (never for a user's text)."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Text; bytes that do not (yet) form a character become U+FFFD. End tokens give no text."""

    @abstractmethod
    def chat(self, messages: Sequence[Message], *, prefix: str = "") -> tuple[int, ...]:
        """The conversation in the model's own template, open for the assistant's reply, which begins with `prefix`."""


class Tokenizing(ABC):
    """An engine that owns a tokenizer."""

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer: ...


@dataclass(frozen=True)
class Continued:
    """Log-probabilities of a given continuation, [t] nats, and what computing them cost."""

    log_probs: tuple[float, ...]
    cost: Cost


class ScoresContinuations(ABC):
    """An engine that rates given continuations."""

    @abstractmethod
    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        """Log-probability of each token of each continuation given its prompt and the tokens before.

        `max_uncached`: for each pair the most uncached input that may be billed, as in `Request`; None: whatever it takes.
        """
