"""The engine: requests in, generations or failures out, over as many connections as the limits allow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import EngineClosed, EngineError, Failure
from outthink.core.key import slot_rng
from outthink.core.process import Adaptation
from outthink.engines.engine import Continuation, Engine, EngineCapabilities, Generation, Request
from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.body import Speech, can_constrain, written
from outthink.engines.openai.calls import Call, PromptSizes, grouped, wait_seconds, wire_seed
from outthink.engines.openai.limits import gate_of
from outthink.engines.openai.reading import complete, read_event, read_whole
from outthink.engines.openai.settling import Settling, wants_no_more
from outthink.engines.openai.usage import Prices, Usage, cost_of, most_tokens
from outthink.engines.paid_failure import PaidFailure, Ungiven
from outthink.engines.prices import listed

if TYPE_CHECKING:
    from outthink.engines.openai.settings import Openai


class OpenAIEngine(Engine):
    """Serves requests from an OpenAI-compatible server. Usable from several event loops and threads.

    What the server cannot do is done here, and listed in `adaptations`, or refused by name before anything is sent.
    """

    def __init__(self, settings: Openai, abilities: Abilities) -> None:
        self._settings = settings
        self._abilities = abilities
        self._preset = settings.known
        self._transport = settings.transport()
        omit = frozenset(settings.omit)
        self._speech = Speech(settings.model, settings.api, self._preset, abilities, omit, settings.prompted)
        self._sizes = PromptSizes(
            template_tokens=settings.template_tokens,
            image_tokens=settings.image_tokens,
            context=settings.context or abilities.context,
        )
        self._prices, self._old_prices = _priced(settings)
        self._settling = Settling(
            prices=self._prices,
            trusted=abilities.usage != "no",
            limits=abilities.limits == "yes",
            echo=abilities.prefix_echo,
            # Over HTTP/2 nothing tells the server that nobody listens any more.
            abort_tokens=None if settings.http2 else self._preset.abort_tokens,
        )
        self._lock = threading.Lock()
        self._counted = ZERO
        self._uncertain = ZERO
        self._closed = False
        self._leaves_out = False
        self._running: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[object]]] = set()

    @property
    def name(self) -> str:
        return f"{self._settings.model} at {self._transport.host} ({self._settings.preset}, {self._settings.api})"

    @property
    def abilities(self) -> Abilities:
        """What the server can do, as far as is known."""
        return self._abilities

    @property
    def capabilities(self) -> EngineCapabilities:
        able, settings = self._abilities, self._settings
        ways = []
        if settings.api == "chat" and able.prefix not in ("none", "unknown"):
            ways.append(Continuation.ASSISTANT_PREFIX)
        if able.completion == "yes":
            ways.append(Continuation.COMPLETION)
        if settings.prompted and settings.api != "completions":
            ways.append(Continuation.PROMPTED)
        return EngineCapabilities(
            continuations=tuple(ways) or (Continuation.NONE,),
            exact=False,
            seeds=self._sends_seeds and able.seeds == "yes",
            log_probs=able.log_probs == "yes",
            constraints=can_constrain(self._speech),
            honours_limits=able.limits == "yes",
            context=settings.context or able.context,
            tools=settings.api == "chat" and "tools" not in settings.omit,
        )

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What is done in place of what the server cannot do; for the run's record."""
        able, found = self._abilities, []
        if able.system == "no":
            found.append(Adaptation("system messages", "put at the head of the first user message"))
        if self._shares:
            found.append(Adaptation("one seed a sample", "equal requests share one call with n, and one seed"))
        elif not self._sends_seeds or able.seeds != "yes":
            found.append(Adaptation("one seed a sample", "the server draws as it likes; runs do not repeat"))
        if self._leaves_out:
            found.append(
                Adaptation("several replies to a request", "the server left some out; each has a request of its own")
            )
        if not self._server_stops(()):
            found.append(Adaptation("stop strings", "found here; the server does not say which one ended a reply"))
        if able.usage == "no":
            found.append(Adaptation("usage", "estimated as an interval; the server reports none that can be believed"))
        if able.prefix_echo:
            found.append(Adaptation("continuing a reply", "the server repeats the prefix, which is taken off"))
        if self._settings.prompted and able.prefix in ("none", "unknown"):
            found.append(Adaptation("continuing a reply", "asked for in words: another distribution"))
        return (*found, *self._old_prices)

    def counters(self) -> Cost:
        return self._counted

    def uncertain(self) -> Cost:
        """How much more than `counters` the backend may have counted."""
        return self._uncertain

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        ready, refused = self._ready(requests)
        costs: dict[int, Cost | Failure] = {**refused}
        for call in self._calls(ready):
            own = Usage(0, call.request.max_tokens)
            first = Usage(call.input_most, call.request.max_tokens)
            parts = zip(call.slots, [first] + [own] * (call.n - 1), strict=True)
            costs.update({i: cost_of(u, self._prices, calls=1 if u is first else 0) for i, u in parts})
        return [costs[i] for i in range(len(requests))]

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        if self._closed:
            raise EngineClosed("The engine was used after it was closed.")
        ready, refused = self._ready(requests)
        results: dict[int, Generation | Failure] = {**refused}
        calls = []
        for call in self._calls(ready):
            if (broken := call.over_promised()) is None:
                calls.append(call)
            else:
                results.update(dict.fromkeys(call.slots, Failure.of(broken)))
        here = (asyncio.get_running_loop(), asyncio.ensure_future(gather_until(cut, [self._serve(c) for c in calls])))
        self._running.add(here)
        try:
            served = await here[1]
        except asyncio.CancelledError:
            here[1].cancel()
            await asyncio.gather(here[1], return_exceptions=True)
            if not self._is_closed():
                raise
            served = [None] * len(calls)
        finally:
            self._running.discard(here)
            for call in calls:
                if not call.settled:
                    self._count(call, self._settling.cut(call))
        for call, replies in zip(calls, served, strict=True):
            found = replies if replies is not None else self._settling.cut(call)
            results.update(zip(call.slots, found, strict=True))
        return [results[i] for i in range(len(requests))]

    async def leave_loop(self) -> None:
        """Close the connections that belong to the running loop; the engine stays open. For loops that end before the engine does."""
        await self._transport.leave_loop()

    async def close(self) -> None:
        self._closed = True
        for loop, task in list(self._running):
            loop.call_soon_threadsafe(task.cancel)
        await self._transport.close()

    def _is_closed(self) -> bool:
        return self._closed

    # -- calls ------------------------------------------------------------------------------------------------------

    def _call(self, slot: int, request: Request) -> Call:
        body = written(request, self._speech, server_stops=self._server_stops(request.stop))
        least, most = self._sizes.bounds(request.prompt)
        if request.tools is not None:
            # Servers write the definitions into the prompt, each in a template of its own.
            most += most_tokens(msgspec.json.encode(request.tools.definitions).decode()) * 2
        return Call([slot], [request], body, least, most)

    def _ready(self, requests: Sequence[Request]) -> tuple[list[Call], dict[int, Failure]]:
        """A call for each request, and why there is none for the others, by place."""
        ready: list[Call] = []
        refused: dict[int, Failure] = {}
        for i, request in enumerate(requests):
            try:
                ready.append(self._call(i, request))
            except EngineError as error:
                refused[i] = Failure.of(error)
        return ready, refused

    def _calls(self, ready: list[Call]) -> list[Call]:
        return grouped(ready, None) if self._shares else ready

    @property
    def _sends_seeds(self) -> bool:
        return self._abilities.seeds != "no" and self._settings.api != "responses" and "seed" not in self._settings.omit

    @property
    def _shares(self) -> bool:
        """Whether requests that differ in their seed only share a call: then they share a seed too."""
        if self._leaves_out:
            return False
        if self._settings.use_n == "never" or self._settings.api == "responses" or self._abilities.n != "yes":
            return False
        return self._settings.use_n == "always" or not self._sends_seeds or self._abilities.seeds != "yes"

    @property
    def _streams(self) -> bool:
        when, able = self._settings.stream, self._abilities
        return when == "always" or (when == "auto" and able.stream == "yes" and able.stream_usage == "yes")

    def _server_stops(self, stops: tuple[str, ...]) -> bool:
        if self._settings.stops != "auto":
            return self._settings.stops == "server"
        few = self._preset.most_stops is None or len(stops) <= self._preset.most_stops
        able = self._abilities
        return few and able.stop == "yes" and able.tells_stop == "yes" and self._settings.api != "responses"

    async def _serve(self, call: Call) -> list[Generation | Failure]:
        """One call, with as many attempts as a refusal is worth."""
        settings, gate = self._settings, gate_of(self._transport.host, self._settings.limits)
        rng = slot_rng(call.request.seed % 2**64)
        most = call.most.input + call.most.output
        results: list[Generation | Failure] = []
        async with gate.place(call.request.owner):
            for attempt in range(settings.retries + 1):
                await gate.pace(most)
                try:
                    call.reply.sent = True
                    await self._read(call)
                    results = self._settling.finished(call)
                    # From now on each has a request of its own, whatever was said of this server.
                    self._leaves_out = self._leaves_out or any(isinstance(one, Ungiven) for one in results)
                    break
                except EngineError as error:
                    again = error.retryable and not getattr(error, "billed", False) and attempt < settings.retries
                    wait = wait_seconds(
                        attempt,
                        float(rng.random()),
                        getattr(error, "retry_after", None),
                        backoff=settings.backoff_seconds,
                        patience=settings.patience_seconds,
                    )
                    if not again or wait is None:
                        results = self._settling.failed(call, error)
                        break
                    call.reply.sent = False
                    gate.unused(most)
                    await asyncio.sleep(wait)
        self._count(call, results)
        gate.unused(most - total_of(r.cost for r in results if isinstance(r, Generation | PaidFailure)).tokens)
        return results

    async def _read(self, call: Call) -> None:
        body = dict(call.written.body)
        if call.n > 1:
            body["n"] = call.n
        if self._sends_seeds:
            body["seed"] = wire_seed(call.request.seed, self._preset.seed_bits)
        if self._preset.token_ids and call.written.api != "responses":
            body[self._preset.token_ids] = True
        local = bool(call.request.stop) and not call.written.server_stops
        if not self._streams and not (local and self._abilities.stream == "yes" and self._settings.stream != "never"):
            read_whole(call.written.api, await self._transport.post(call.written.path, body), call.reply)
            return
        body["stream"] = call.reply.streamed = True
        if call.written.api != "responses" and self._abilities.stream_usage != "no":
            extra = {"continuous_usage_stats": True} if self._preset.continuous_usage else {}
            body["stream_options"] = {"include_usage": True, **extra}
        async with self._transport.events(call.written.path, body) as events:
            async for event in events:
                read_event(call.written.api, event, call.reply)
                if wants_no_more(call, self._abilities.prefix_echo):
                    call.reply.closed = True
                    return
        complete(call.reply)

    def _count(self, call: Call, results: list[Generation | Failure]) -> None:
        call.settled = True
        paid = [r for r in results if isinstance(r, Generation | PaidFailure)]
        with self._lock:
            self._counted = self._counted + total_of(r.cost for r in paid)
            self._uncertain = self._uncertain + total_of(r.uncertain for r in paid)
        usage = call.reply.usage
        plain = call.request.tools is None
        if usage is not None and usage.input > 0 and plain and self._abilities.usage != "no":
            self._sizes.learn(call.request.prompt, usage.input)


def _priced(settings: Openai) -> tuple[Prices | None, tuple[Adaptation, ...]]:
    """The settings' own prices, else the listed ones with what is to be said of their age; None where nobody knows."""
    if settings.prices is not None:
        return settings.prices, ()
    known = listed(str(urlsplit(settings.address).hostname), settings.model)
    if known is None:
        return None, ()
    return Prices(input=known.input, output=known.output, cached_input=known.cached_input), known.notice()
