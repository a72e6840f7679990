"""How a scripted backend behaves beside its distribution: latency, capacity, a prefix cache, failures and faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from outthink.core.errors import EngineError
from outthink.engines.engine import Continuation, Request


@dataclass(frozen=True)
class Call:
    """One attempt at one request: its number since the engine was opened, which try it is, and the request."""

    index: int
    attempt: int
    request: Request


@dataclass(frozen=True)
class Behaviour:
    """How the scripted backend behaves beside its distribution.

    Attributes:
        call_seconds, token_seconds: latency of a request before its first token, and of each token, on the event loop's clock.
        slots: requests served at once; None for all. The others wait in order of submission.
        context: the window in tokens; None for no bound.
        cached: whether prefixes that were seen before count as cached input.
        fails: the error that an attempt meets, or None. Retryable ones are tried again, `attempts` times in all.
        over_limit: a fault: so many tokens past `max_tokens` before the backend stops.
        continuations: the ways in which it continues a text, best first; prompts that need another way are refused.
    """

    call_seconds: float = 0.0
    token_seconds: float = 0.0
    slots: int | None = None
    context: int | None = None
    cached: bool = True
    fails: Callable[[Call], EngineError | None] | None = None
    attempts: int = 3
    over_limit: int = 0
    continuations: tuple[Continuation, ...] = (
        Continuation.TOKENS,
        Continuation.COMPLETION,
        Continuation.ASSISTANT_PREFIX,
    )


@dataclass
class Seen:
    """Token sequences that were computed, as a tree."""

    root: dict[int, dict[int, object]] = field(default_factory=dict)

    def common(self, tokens: Sequence[int], *, add: bool) -> int:
        """How many leading tokens were computed before; `add` remembers the rest."""
        at, found, new = self.root, 0, False
        for token in tokens:
            below = at.get(token)
            if below is None:
                if not add:
                    break
                new = True
                below = at[token] = {}
            found += not new
            at = below  # type: ignore[assignment]
        return found
