"""Dead, refusing, slow and broken servers: the right failure with status and words, never as content; retries by count."""

from __future__ import annotations

import asyncio
import contextlib
import time
from email.utils import formatdate

import pytest

from outthink.core import ContextOverflow, EngineClosed, Failure, Message
from outthink.engines import ChatPrompt, Generation, Request, StopReason
from outthink.engines.openai import HostLimits, Openai, OpenAIEngine, Timeouts, connect
from outthink.engines.openai.calls import wait_seconds
from outthink.engines.openai.failing import refusal, wait_of
from outthink.testing.openai_server import Fault, Personality, every, first
from tests.engines.openai.conftest import cut_when, pair, until

HELLO = ChatPrompt((Message("user", "hello"),))


def hello(seed: int = 1, **fields: object) -> Request:
    return Request(HELLO, seed=seed, **{"max_tokens": 5, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "kind", "status", "tries"),
    [
        (Fault("status", status=400, text="no such thing"), "Refusal", 400, 1),
        (Fault("status", status=401, text="no such thing"), "Refusal", 401, 1),
        (Fault("status", status=404, text="no such thing"), "Refusal", 404, 1),
        (Fault("status", status=429, text="no such thing"), "Refusal", 429, 3),
        (Fault("status", status=500, text="no such thing"), "Refusal", 500, 3),
        (Fault("status", status=503, text="no such thing"), "Refusal", 503, 3),
        (Fault("status", status=302, text="no such thing"), "Refusal", 302, 1),
        (Fault("error-body", status=502, text="no such thing"), "Refusal", 502, 3),
        (Fault("not-json"), "BrokenReply", None, 1),
        (Fault("drop"), "BrokenReply", None, 1),
        (Fault("truncated-json"), "BrokenReply", None, 1),
        (Fault("empty-choices"), "BrokenReply", None, 1),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else None,
)
async def test_each_fault_is_a_failure_of_its_kind(fault: Fault, kind: str, status: int | None, tries: int) -> None:
    async with pair(Personality(faults=every(1, fault)), retries=2) as both:
        (failure,) = await both.engine.generate([hello()])
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.status) == (kind, status)
        assert fault.text in failure.message
        assert both.server.counters.requests == tries


@pytest.mark.parametrize("stream", ["always", "never"])
async def test_a_kept_connection_that_the_server_closed_is_no_failure(stream: str) -> None:
    def second(index: int, body: object) -> Fault | None:
        return Fault("drop") if index == 1 else None

    async with pair(Personality(faults=second), retries=0, stream=stream) as both:
        for seed in range(2):
            (reply,) = await both.engine.generate([hello(seed)])
            assert isinstance(reply, Generation)
        assert both.server.counters.requests == 3
        assert both.server.counters.connections == 2
        assert both.engine.counters().calls == both.server.counters.calls == 2


async def test_survivors_survive() -> None:
    async with pair(Personality(faults=every(2, Fault("status", status=400)))) as both:
        got = await both.engine.generate([hello(i) for i in range(8)])
        assert sum(isinstance(reply, Generation) for reply in got) == 4
        assert sum(isinstance(reply, Failure) for reply in got) == 4


async def test_a_dead_server() -> None:
    async with pair() as both:
        address = both.server.base_url
    engine = await connect(Openai(model="m", base_url=address, probe="never", retries=1, backoff_seconds=0.0))
    (failure,) = await engine.generate([hello()])
    assert isinstance(failure, Failure)
    assert failure.kind == "Unreachable"
    assert failure.retryable
    await engine.close()


@pytest.mark.parametrize("stream", ["always", "never"])
async def test_a_hanging_server_is_left_by_the_deadline(stream: str) -> None:
    limits = Timeouts(idle=0.1, whole=0.1)
    async with pair(Personality(faults=every(1, Fault("hang"))), timeouts=limits, stream=stream) as both:
        (failure,) = await both.engine.generate([hello()])
        assert isinstance(failure, Failure)
        assert failure.kind == "TimedOut"
        assert both.server.counters.requests == 1
        await until(lambda: both.server.counters.in_flight == 0)


async def test_a_slow_stream_is_not_a_hanging_one() -> None:
    slow = Personality(token_seconds=0.05)
    async with pair(slow, timeouts=Timeouts(idle=0.15)) as both:
        (reply,) = await both.engine.generate([hello()])
        assert isinstance(reply, Generation)
    async with pair(slow, timeouts=Timeouts(idle=0.15, whole=0.12)) as both:
        (failure,) = await both.engine.generate([hello(max_tokens=50)])
        assert isinstance(failure, Failure)
        assert failure.kind == "TimedOut"


async def test_retry_after_is_waited_for_and_bounded_by_patience() -> None:
    async with pair(Personality(faults=first(1, Fault("status", status=429, retry_after=0.2)))) as both:
        started = time.monotonic()
        (reply,) = await both.engine.generate([hello()])
        assert isinstance(reply, Generation)
        assert time.monotonic() - started >= 0.2
    async with pair(Personality(faults=first(1, Fault("status", status=429, retry_after=90)))) as both:
        (failure,) = await both.engine.generate([hello()])
        assert isinstance(failure, Failure)
        assert failure.status == 429
        assert both.server.counters.requests == 1


def test_waits_double_and_shake_by_the_seed() -> None:
    waits = [wait_seconds(i, 0.5, None, backoff=1.0, patience=5.0) for i in range(4)]
    assert waits == [1.0, 2.0, 4.0, 5.0]
    assert wait_seconds(0, 0.0, None, backoff=1.0, patience=5.0) == 0.5
    assert wait_seconds(9, 0.0, 7.0, backoff=1.0, patience=5.0) is None
    asked = wait_seconds(0, 0.0, 2.0, backoff=1.0, patience=5.0)
    assert asked is not None
    assert asked >= 2.0


def test_retry_after_in_both_forms() -> None:
    assert wait_of({"retry-after": "3.5"}) == 3.5
    dated = wait_of({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert dated is not None
    assert 90 < dated <= 100
    assert [wait_of({"retry-after": text}) for text in ("", "soon", "nan", "inf")] == [None] * 4
    assert wait_of({"retry-after": "-4"}) == 0.0


async def test_a_prompt_that_the_server_finds_too_long() -> None:
    async with pair(Personality(context=40)) as both:
        long = Request(ChatPrompt((Message("user", "word " * 20),)), seed=1, max_tokens=5)
        failure, reply = await both.engine.generate([long, hello()])
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.status) == (ContextOverflow.__name__, 400)
        assert isinstance(reply, Generation)
    async with pair(context=40) as both:
        surely = Request(ChatPrompt((Message("user", "word " * 2000),)), seed=1, max_tokens=5)
        with pytest.raises(ContextOverflow):
            both.engine.price(surely)
        (failure,) = await both.engine.generate([surely])
        assert isinstance(failure, Failure)
        assert both.server.counters.requests == 0


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b'{"detail": "x"}', b'{"error": "x"}', b"[1]", b"null", b'{"error": {"code": 7}}']
)
def test_error_bodies_of_any_form(body: bytes) -> None:
    error = refusal(418, body, {})
    assert "418" in str(error)
    assert error.status == 418


# -- cancellation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["always", "never"])
async def test_a_cut_closes_every_connection_and_starts_no_call(stream: str) -> None:
    async with pair(Personality(token_seconds=0.02), limits=HostLimits(in_flight=8), stream=stream) as both:
        counters = both.server.counters
        cut = cut_when(lambda: counters.output_tokens >= 8 * 5)
        got = await both.engine.generate([hello(i, max_tokens=100) for i in range(12)], cut=cut)
        begun = both.server.counters.requests
        assert [reply.stop for reply in got if isinstance(reply, Generation)] == [StopReason.CANCELLED] * 12
        await until(lambda: counters.open_connections == 0)
        assert counters.requests == begun == 8, "four were still waiting for a place"
        assert counters.aborts == 8
        assert counters.in_flight == 0
        assert both.engine.counters().calls == (8 if stream == "always" else 0)
        (reply,) = await both.engine.generate([hello()])
        assert isinstance(reply, Generation), "the pool is whole after the cut"


async def test_a_cancelled_task_closes_its_connections_and_is_counted() -> None:
    async with pair(Personality(token_seconds=0.02)) as both:
        task = asyncio.ensure_future(both.engine.generate([hello(i, max_tokens=100) for i in range(4)]))
        await until(lambda: both.server.counters.output_tokens >= 4 * 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await until(lambda: both.server.counters.open_connections == 0)
        assert both.server.counters.aborts == 4
        assert both.engine.counters().calls == 4
        assert both.engine.uncertain().output_tokens > 0


async def test_closing_ends_what_is_in_flight() -> None:
    async with pair(Personality(token_seconds=0.02)) as both:
        task = asyncio.ensure_future(both.engine.generate([hello(max_tokens=100)]))
        await until(lambda: both.server.counters.output_tokens >= 3)
        await both.engine.close()
        (reply,) = await task
        assert isinstance(reply, Generation)
        assert reply.stop is StopReason.CANCELLED
        with pytest.raises(EngineClosed):
            await both.engine.generate([hello()])
        await until(lambda: both.server.counters.open_connections == 0)


def test_one_engine_serves_several_loops() -> None:
    """The pool belongs to a loop; the engine does not."""

    async def one(engine: OpenAIEngine, seed: int) -> str:
        (reply,) = await engine.generate([hello(seed)])
        await engine.leave_loop()
        assert isinstance(reply, Generation)
        return reply.text

    async def main() -> None:
        async with pair() as both:
            elsewhere = [asyncio.to_thread(asyncio.run, one(both.engine, seed)) for seed in range(2)]
            assert await asyncio.gather(*elsewhere) == [await one(both.engine, seed) for seed in range(2)]

    asyncio.run(main())
