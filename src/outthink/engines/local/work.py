"""One request inside the scheduler: what it holds, how far it is, and what it has been billed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure
from outthink.core.key import slot_rng
from outthink.engines.engine import Sampling, StopReason
from outthink.engines.local.backend import LogitArray, TokenArray
from outthink.engines.local.processors import Processors
from outthink.engines.local.queues import chain
from outthink.engines.local.text_stream import TextStream


@dataclass(frozen=True)
class Order:
    """What a request asks of the scheduler, in tokens.

    Attributes:
        tokens: the prompt.
        limit: the most tokens to generate; 0 for a given continuation that is only rated.
        continuation: tokens to be rated after the prompt, where nothing is generated.
    """

    tokens: tuple[int, ...]
    owner: str = ""
    seed: int = 0
    limit: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    log_probs: bool = False
    hidden: bool = False
    max_uncached: int | None = None
    continuation: tuple[int, ...] = ()


@dataclass
class Outcome:
    """How a job ended."""

    tokens: tuple[int, ...]
    text: str
    stop: StopReason
    stop_text: str
    cost: Cost
    log_probs: tuple[float, ...]
    hidden: LogitArray | None
    failure: Failure | None = None


class Job:
    """An order on its way. Only the scheduler changes it.

    Attributes:
        content: prompt and reply so far, the tokens that the model must have seen before the next one can be drawn.
        first: index of the first token whose logits are needed; what lies before it need not be computed if it is in the cache.
        billable: uncached input that it pays for, fixed when it was submitted.
        sequence: its place in the cache while it is running, else -1.
        leader: the job whose computation it waits for, to share the first `target` tokens.
        ready: logits after its prompt that were remembered, so that nothing need be computed.
        paid, reached: prompt tokens computed at its own expense; the furthest position that it has computed.
        awaited: whether others may still count on the logits after its prompt.
    """

    def __init__(self, order: Order, done: Callable[[Job], None], processors: Processors | None = None) -> None:
        self.order, self.owner, self.processors = order, order.owner, processors
        self._done = done
        self.prompt_size = len(order.tokens)
        self.content: list[int] = list(order.tokens) + list(order.continuation[:-1])
        self.input_size = len(self.content)
        self.keys = chain(self.content)
        self.first = self.prompt_size - 1
        self.rng = slot_rng(order.seed)
        self.stream = TextStream(order.stop)
        self.generated: list[int] = []
        self.log_probs: list[float] = []
        self.hidden: LogitArray | None = None
        self.stop: StopReason | None = None
        self.stop_text = ""
        self.number = -1
        self.billable = 0
        self.input_billed = False
        self.paid = 0
        self.reached = 0
        self.cost = ZERO
        self.failure: Failure | None = None
        self.cancelled = False
        self.finished = False
        self.awaited = True
        self.sequence = -1
        self.leader: Job | None = None
        self.target = 0
        self.ready: LogitArray | None = None

    @property
    def rates(self) -> bool:
        """Whether it only rates a given continuation."""
        return self.order.limit == 0

    @property
    def lacks_hidden(self) -> bool:
        """Whether the state at its last token is wanted and not there yet."""
        return self.order.hidden and not self.rates and self.hidden is None

    @property
    def array(self) -> TokenArray:
        """The content as an array."""
        return np.array(self.content, dtype=np.int32)

    def same_prompt(self, other: Job) -> bool:
        """Whether both wait for the logits after one and the same prompt."""
        return not (self.rates or other.rates or self.generated or other.generated) and self.content == other.content

    def outcome(self) -> Outcome:
        """What the submitter gets."""
        return Outcome(
            tokens=tuple(self.generated),
            text=self.stream.text,
            stop=self.stop or StopReason.CANCELLED,
            stop_text=self.stop_text,
            cost=self.cost,
            log_probs=tuple(self.log_probs),
            hidden=self.hidden,
            failure=self.failure,
        )

    def finish(self) -> None:
        """Tell the submitter, once."""
        if not self.finished:
            self.finished = True
            self._done(self)
