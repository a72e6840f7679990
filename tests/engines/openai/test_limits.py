"""Limits per host: places in flight, shared fairly; rates by the minute, on a clock that the test turns."""

from __future__ import annotations

import asyncio

import pytest

from outthink.core import Message
from outthink.engines import ChatPrompt, Generation, Request
from outthink.engines.openai import HostLimits, Openai, connect
from outthink.engines.openai.limits import Bucket, Gate, gate_of
from outthink.testing import run_virtual
from outthink.testing.openai_server import OpenAIServer, Personality
from tests.engines.openai.conftest import pair


def hello(seed: int, owner: str = "") -> Request:
    return Request(ChatPrompt((Message("user", "hello"),)), seed=seed, max_tokens=4, owner=owner)


def test_a_bucket_holds_a_minute() -> None:
    bucket = Bucket(60.0)
    assert bucket.take(60, now=0.0) == 0.0
    assert bucket.take(1, now=0.0) == pytest.approx(1.0)
    assert bucket.take(1, now=2.0) == pytest.approx(0.0)
    bucket.give_back(1)
    assert bucket.take(1, now=2.0) == pytest.approx(0.0)
    assert bucket.take(1000, now=2.0) == pytest.approx(60.0), "more than a minute's allotment counts as a minute's"
    assert Bucket(60.0).take(30, now=5.0) == 0.0


def test_rates_space_requests_out() -> None:
    async def main() -> list[float]:
        gate, loop = Gate(HostLimits(requests_per_minute=60, tokens_per_minute=6000)), asyncio.get_running_loop()
        start, sent = loop.time(), []

        async def one() -> None:
            await gate.pace(10)
            sent.append(loop.time() - start)

        await asyncio.gather(*[one() for _ in range(63)])
        return sent

    sent = run_virtual(main())
    assert sent[:60] == [0.0] * 60
    assert sent[60:] == pytest.approx([1.0, 2.0, 3.0])


def test_places_are_given_in_turn_to_owners() -> None:
    async def main() -> list[str]:
        gate, order = Gate(HostLimits(in_flight=1)), []

        async def one(owner: str) -> None:
            async with gate.place(owner):
                order.append(owner)
                await asyncio.sleep(1.0)

        await asyncio.gather(*[one("many") for _ in range(5)], *[one("few") for _ in range(2)])
        return order

    assert run_virtual(main()) == ["many", "many", "few", "many", "few", "many", "many"]


def test_a_cancelled_wait_leaves_no_trace() -> None:
    async def main() -> None:
        gate, done = Gate(HostLimits(in_flight=1)), []

        async def one(name: str) -> None:
            async with gate.place("x"):
                done.append(name)
                await asyncio.sleep(1.0)

        tasks = [asyncio.ensure_future(one(name)) for name in "abc"]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert done == ["a", "c"]
        async with asyncio.timeout(0.1), gate.place("x"):
            done.append("d")

    run_virtual(main())


async def test_no_more_in_flight_than_allowed() -> None:
    async with pair(Personality(first_seconds=0.02), limits=HostLimits(in_flight=3)) as both:
        got = await both.engine.generate([hello(i) for i in range(9)])
        assert all(isinstance(reply, Generation) for reply in got)
        assert both.server.counters.most_in_flight == 3
        assert both.server.counters.connections <= 3, "one pool, whose connections are used again"


async def test_engines_of_one_host_share_its_limits() -> None:
    limits = HostLimits(in_flight=2)
    async with OpenAIServer(personality=Personality(first_seconds=0.02)) as server:
        fields = {"model": "m", "base_url": server.base_url, "probe": "never", "limits": limits}
        engines = [await connect(Openai(**fields)) for _ in range(2)]  # type: ignore[arg-type]
        await asyncio.gather(*[engine.generate([hello(i) for i in range(4)]) for engine in engines])
        assert server.counters.calls == 8
        assert server.counters.most_in_flight == 2
        assert gate_of("h", limits) is gate_of("h", HostLimits(in_flight=2))
        assert gate_of("h", limits) is not gate_of("g", limits)
        for engine in engines:
            await engine.close()


async def test_eight_samples_take_one_round() -> None:
    async with pair(Personality(first_seconds=0.05)) as both:
        await both.engine.generate([hello(i) for i in range(8)])
        assert both.server.counters.most_in_flight == 8
