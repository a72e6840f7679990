"""An engine around another: it answers as the one inside does, except where it says otherwise, and can do what that one can and no more.

    class Slow(Wrapper):
        async def generate(self, requests, *, cut=None): ...

    slow = with_capabilities(Slow, engine)(engine)

What an engine can do besides replying (own a tokenizer, rate continuations) is in its class, so a wrapper's class is made to fit the engine
inside. A wrapper with something of its own to do there gives its own classes for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from outthink.core.cost import Cost
from outthink.core.errors import EngineError, Failure
from outthink.core.process import Adaptation
from outthink.engines.engine import (
    Continued,
    Engine,
    EngineCapabilities,
    Request,
    ScoresContinuations,
    Tokenizer,
    Tokenizing,
    TokenPrompt,
)

E = TypeVar("E", bound=Engine)


class Wrapper(Engine):
    """Base of engines around another, `engine`. What is left to say is `generate`, and who closes the engine inside."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def capabilities(self) -> EngineCapabilities:
        return self.engine.capabilities

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.engine.adaptations

    def counters(self) -> Cost:
        return self.engine.counters()

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        return self.engine.most(requests)


class WrapsTokenizer(Tokenizing):
    """The tokenizer of the engine inside."""

    engine: Engine

    @property
    def tokenizer(self) -> Tokenizer:
        return tokenizer_in(self.engine)


class WrapsRatings(ScoresContinuations):
    """The ratings of the engine inside."""

    engine: Engine

    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        return await ratings_in(self.engine).log_probs(pairs, owner=owner, max_uncached=max_uncached)


def with_capabilities(
    base: type[E],
    engine: Engine,
    tokenizing: type[Tokenizing] = WrapsTokenizer,
    rating: type[ScoresContinuations] = WrapsRatings,
) -> Callable[..., E]:
    """`base` with those of the two capabilities that `engine` has; called as `base` is."""
    mixed = (tokenizing,) if isinstance(engine, Tokenizing) else ()
    rated = (rating,) if isinstance(engine, ScoresContinuations) else ()
    return variant(base, *mixed, *rated)


def variant(base: type[E], *capabilities: type[Any]) -> Callable[..., E]:
    """`base` with these capabilities, always the same class for the same ones; called as `base` is."""
    made: Callable[..., E] = _variant(base, capabilities)
    return made


@cache
def _variant(base: type[Any], capabilities: tuple[type[Any], ...]) -> type[Any]:
    return type(base.__name__, (*capabilities, base), {"__doc__": base.__doc__}) if capabilities else base


def tokenizer_in(engine: Engine) -> Tokenizer:
    """The engine's tokenizer. Raises `EngineError` where it has none."""
    if not isinstance(engine, Tokenizing):
        raise EngineError(f"{type(engine).__name__} has no tokenizer.")
    return engine.tokenizer


def ratings_in(engine: Engine) -> ScoresContinuations:
    """The engine, if it rates given continuations. Raises `EngineError` where it does not."""
    if not isinstance(engine, ScoresContinuations):
        raise EngineError(f"{type(engine).__name__} rates no continuations.")
    return engine
