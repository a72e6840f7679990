"""An engine whose every next-token probability is written down: exact answers for tests, demonstrations and documentation.

    def coin(text: str) -> dict[str, float]:
        return {END: 1.0} if text.endswith(("heads", "tails")) else {" heads": 0.7, " tails": 0.3}

    engine = ScriptedEngine(coin)

A script sees the whole text so far, the prompt included (a chat prompt in the plain template of `ScriptedTokenizer`), and returns a
distribution over token strings, `END` among them. Everything else behaves as a real engine does: settings, seeds, stop strings, limits,
log-probabilities, a prefix cache that shows in the bill, latency on the event loop's clock, and failures on request.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import ContextOverflow, EngineClosed, EngineError, Failure, explain
from outthink.core.key import slot_rng
from outthink.engines.engine import (
    ChatPrompt,
    Continuation,
    Continued,
    Engine,
    EngineCapabilities,
    Generation,
    Prompt,
    Request,
    ScoresContinuations,
    StopReason,
    TextPrompt,
    Tokenizing,
    TokenPrompt,
)
from outthink.engines.scripted_behaviour import Behaviour, Call, Seen
from outthink.engines.scripted_sampling import checked, drawn, processed
from outthink.engines.scripted_tokens import END, ScriptedTokenizer, reply_of

NextToken = Callable[[str], Mapping[str, float]]

__all__ = [
    "END",
    "Behaviour",
    "Call",
    "NextToken",
    "ScriptedEngine",
    "ScriptedTokenizer",
    "reply_of",
]


class ScriptedEngine(Engine, Tokenizing, ScoresContinuations):
    """Serves requests from a script. Replies depend on the request alone, so it is exact; used from one event loop at a time.

    Attributes:
        requests: every request received, in order. `sizes`: how many came in each call of `generate`.
        most_in_flight: the most requests that were being served at the same moment.
    """

    def __init__(
        self,
        next_token: NextToken,
        *,
        vocabulary: Sequence[str] = (),
        behaviour: Behaviour | None = None,
        name: str = "scripted",
    ) -> None:
        self._next_token = next_token
        self._tokenizer = ScriptedTokenizer(vocabulary)
        self._behaviour = behaviour or Behaviour()
        self._name = name
        self._seen = Seen()
        self._counters = ZERO
        self._closing: Cut | None = None
        self._closed = False
        self._gate: asyncio.Semaphore | None = None
        self._in_flight = 0
        self.most_in_flight = 0
        self.requests: list[Request] = []
        self.sizes: list[int] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def tokenizer(self) -> ScriptedTokenizer:
        return self._tokenizer

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(
            continuations=self._behaviour.continuations,
            exact=True,
            seeds=True,
            log_probs=True,
            honours_limits=self._behaviour.over_limit == 0,
            context=self._behaviour.context,
        )

    def counters(self) -> Cost:
        return self._counters

    def forget(self) -> None:
        """Evict every cached prefix."""
        self._seen = Seen()

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        computed = Seen()
        costs: list[Cost | Failure] = []
        for request in requests:
            try:
                tokens = self._prompt(request)
            except EngineError as error:
                costs.append(Failure.of(error))
                continue
            cached = max(self._cached(tokens, self._seen), self._cached(tokens, computed, add=True))
            costs.append(self._input(request, len(tokens), cached) + Cost(output_tokens=self._limit(request, tokens)))
        return costs

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        if self._closed:
            raise EngineClosed("The scripted engine was used after it was closed.")
        behaviour = self._behaviour
        if behaviour.slots is not None and self._gate is None:
            self._gate = asyncio.Semaphore(behaviour.slots)
        self._closing = self._closing or Cut()
        first = len(self.requests)
        self.requests.extend(requests)
        self.sizes.append(len(requests))
        work = [self._serve(first + i, request, cut) for i, request in enumerate(requests)]
        return [reply for reply in await gather_until(None, work) if reply is not None]

    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        if self._closed:
            raise EngineClosed("The scripted engine was used after it was closed.")
        results: list[Continued | Failure] = []
        for i, (prompt, continuation) in enumerate(pairs):
            try:
                values = self._rated(prompt.tokens, continuation)
            except EngineError as error:
                results.append(Failure.of(error))
                continue
            tokens = (*prompt.tokens, *continuation)
            cached = self._cached(tokens, self._seen, add=True)
            if max_uncached is not None:
                cached = max(cached, len(tokens) - max_uncached[i])
            cost = Cost(input_tokens=len(tokens), cached_input_tokens=cached, calls=1)
            self._counters = self._counters + cost
            results.append(Continued(values, cost))
        return results

    async def close(self) -> None:
        self._closed = True
        if self._closing is not None:
            self._closing.fire("closed")

    # -- one request ------------------------------------------------------------------------------------------------

    async def _serve(self, index: int, request: Request, cut: Cut | None) -> Generation | Failure:
        if self._gate is None:
            return await self._attempts(index, request, cut)
        async with self._gate:
            return await self._attempts(index, request, cut)

    async def _attempts(self, index: int, request: Request, cut: Cut | None) -> Generation | Failure:
        if self._stopped(cut):
            return Generation("", StopReason.CANCELLED, ZERO, tokens=(), log_probs=_wanted(request, []))
        error: EngineError | None = None
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            for attempt in range(self._behaviour.attempts):
                error = self._behaviour.fails(Call(index, attempt, request)) if self._behaviour.fails else None
                if error is None:
                    return await self._reply(request, cut)
                await self._pause(self._behaviour.call_seconds, cut)
                if not error.retryable or self._stopped(cut):
                    break
        except EngineError as refused:
            error = refused
        finally:
            self._in_flight -= 1
        return Failure.of(error or EngineError("The backend was given no attempt."))

    async def _reply(self, request: Request, cut: Cut | None) -> Generation:
        prompt = self._prompt(request)
        limit = self._limit(request, prompt) + self._behaviour.over_limit
        cost = self._input(request, len(prompt), self._cached(prompt, self._seen, add=True))
        before, rng = self._text(prompt), slot_rng(request.seed)
        tokens: list[int] = []
        log_probs: list[float] = []
        counts: Counter[int] = Counter(prompt[len(prompt) - request.begun :])
        text, stop, stop_text = "", StopReason.LENGTH, ""
        self._counters = self._counters + cost
        await self._pause(self._behaviour.call_seconds, cut)
        while len(tokens) < limit:
            await self._pause(self._behaviour.token_seconds, cut)
            if self._stopped(cut):
                stop = StopReason.CANCELLED
                break
            logits = self._logits(before + text)
            token = drawn(processed(logits, request.sampling, counts), rng.random())
            tokens.append(token)
            counts[token] += 1
            log_probs.append(logits[token])
            one = Cost(output_tokens=1)
            cost, self._counters = cost + one, self._counters + one
            if token in self._tokenizer.end_tokens:
                stop = StopReason.END
                break
            text += self._tokenizer.text_of(token)
            at, stop_text = _first(text, request.stop)
            if stop_text:
                text, stop = text[:at], StopReason.STOP
                break
        self._seen.common((*prompt, *tokens), add=True)
        return Generation(
            text, stop, cost, tokens=tuple(tokens), log_probs=_wanted(request, log_probs), stop_text=stop_text
        )

    def _stopped(self, cut: Cut | None) -> bool:
        return bool((cut is not None and cut.reason) or self._closed)

    async def _pause(self, seconds: float, cut: Cut | None) -> None:
        """Wait so long, or until the cut fires or the engine is closed."""
        if seconds <= 0 or self._stopped(cut):
            return
        woken = asyncio.Event()
        handles = [c.on_fire(woken.set) for c in (cut, self._closing) if c is not None]
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return
        finally:
            for remove in handles:
                remove()

    # -- prompts and prices -----------------------------------------------------------------------------------------

    def _prompt(self, request: Request) -> tuple[int, ...]:
        if request.constraint is not None or "hidden" in request.wants:
            what = "hidden states" if request.constraint is None else "constrained replies"
            raise EngineError(
                explain(
                    f"The scripted engine has no {what}.",
                    got=what,
                    expected="plain generation",
                    remedy="Use the embedded engine.",
                )
            )
        tokens = self._encoded(request.prompt)
        context = self._behaviour.context
        if context is not None and len(tokens) >= context:
            raise ContextOverflow(
                explain(
                    "The prompt does not fit into the context.",
                    got=f"{len(tokens)} tokens",
                    expected=f"fewer than {context} tokens",
                    remedy="Shorten the prompt.",
                )
            )
        return tokens

    def _encoded(self, prompt: Prompt) -> tuple[int, ...]:
        ways = self._behaviour.continuations
        if isinstance(prompt, TokenPrompt) and Continuation.TOKENS in ways:
            return prompt.tokens
        if isinstance(prompt, TextPrompt) and Continuation.COMPLETION in ways:
            return self._tokenizer.encode(prompt.text)
        if isinstance(prompt, ChatPrompt) and (not prompt.prefix or Continuation.ASSISTANT_PREFIX in ways):
            return self._tokenizer.chat(prompt.messages, prefix=prompt.prefix)
        what = "ChatPrompt with a prefix" if isinstance(prompt, ChatPrompt) else type(prompt).__name__
        raise EngineError(
            explain(
                "The scripted engine was told not to take this form of prompt.",
                got=what,
                expected=f"a form that {', '.join(ways) or 'a plain chat'} allows",
                remedy="Change Behaviour.continuations.",
            )
        )

    def _limit(self, request: Request, prompt: tuple[int, ...]) -> int:
        context = self._behaviour.context
        return request.max_tokens if context is None else min(request.max_tokens, context - len(prompt))

    def _cached(self, tokens: tuple[int, ...], seen: Seen, *, add: bool = False) -> int:
        """Leading tokens that need not be computed; the last one always is, because its logits are wanted."""
        return min(seen.common(tokens, add=add), len(tokens) - 1) if self._behaviour.cached and tokens else 0

    def _input(self, request: Request, length: int, cached: int) -> Cost:
        if request.max_uncached is not None:
            cached = max(cached, length - request.max_uncached)
        return Cost(input_tokens=length, cached_input_tokens=cached, calls=1)

    def _text(self, tokens: Sequence[int]) -> str:
        """What the script sees: control tokens by their markup, end tokens by nothing."""
        return self._tokenizer.decode(tokens)

    def _logits(self, text: str) -> dict[int, float]:
        distribution = checked(self._next_token(text))
        return {self._tokenizer.id_of(string): math.log(p) for string, p in distribution.items()}

    def _rated(self, prompt: tuple[int, ...], continuation: tuple[int, ...]) -> tuple[float, ...]:
        values: list[float] = []
        text = self._text(prompt)
        for token in continuation:
            values.append(self._logits(text).get(token, -math.inf))
            text += self._tokenizer.decode([token])
        return tuple(values)


def _first(text: str, stops: Sequence[str]) -> tuple[int, str]:
    """Where the first stop string begins and which it is; ("" when none occurs)."""
    found = [(text.find(stop), i) for i, stop in enumerate(stops) if stop and stop in text]
    if not found:
        return -1, ""
    at, which = min(found)
    return at, stops[which]


def _wanted(request: Request, log_probs: list[float]) -> tuple[float, ...] | None:
    return tuple(log_probs) if "log_probs" in request.wants else None
