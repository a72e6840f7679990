"""Nothing waits that need not: rounds and calls in flight on a virtual clock, against a backend that takes 200 ms for every reply."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from outthink.core import Search, Stop
from outthink.engines.openai import Abilities, HostLimits
from outthink.search import Vote
from outthink.testing import run_virtual
from outthink.testing.openai_server import Personality
from outthink.text import Text, TextProcess
from tests.faults.latency_backend import SECONDS, WIRE, judged, latency_server, open_engine, solved

SIDES = {
    "n taken": (Personality(first_seconds=SECONDS), "always"),
    "n taken, not used": (Personality(first_seconds=SECONDS), "auto"),
    "n ignored": (Personality(first_seconds=SECONDS, n="ignored"), "always"),
    "n refused": (Personality(first_seconds=SECONDS, n="refused"), "always"),
}


@pytest.mark.parametrize("side", SIDES)
def test_eight_samples_and_eight_judgements_take_two_rounds(side: str, tmp_path: Path) -> None:
    personality, use_n = SIDES[side]

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with latency_server(personality) as server, open_engine(server, tmp_path, use_n=use_n) as engine:
            began, threads = loop.time(), threading.active_count()
            result = await solved(judged(engine), tokens=100_000)
            took = loop.time() - began
            assert result.stop is Stop.DONE
            assert len(result.candidates) == 8
            assert len({one.content for one in result.candidates}) == 8
            assert all(score is not None for score in result.scores)
            assert took == pytest.approx(2 * SECONDS, abs=1e-6), "two rounds: all samples at once, then all judgements"
            assert server.counters.calls == (9 if side == "n taken" else 16)
            assert server.counters.most_in_flight == 8, "all eight of a round are in flight together"
            assert threading.active_count() == threads, "no thread per call"

    run_virtual(work(), wire=WIRE)


def test_what_a_server_left_out_of_a_request_for_eight_is_asked_for_one_by_one(tmp_path: Path) -> None:
    """Nobody has probed this server, it is said to take `n`, and it gives one reply to each request."""

    async def work() -> None:
        personality = Personality(first_seconds=SECONDS, n="ignored")
        presumed = {"use_n": "always", "probe": "never", "assume": Abilities(n="yes", usage="yes", limits="yes")}
        async with latency_server(personality) as server, open_engine(server, tmp_path, **presumed) as engine:
            result = await solved(judged(engine), tokens=100_000)
            assert len({one.content for one in result.candidates}) == 8
            assert all(score is not None for score in result.scores)
            assert not result.degraded
            assert server.counters.calls == 16
            assert result.cost.calls == 16
            assert result.cost.output_tokens == server.counters.output_tokens
            assert result.uncertain.calls == 0
            assert any("left some out" in one.instead for one in engine.adaptations)
            server.reset()
            few = await solved(judged(engine), calls=4)
            assert server.counters.calls == 4, "claimed before they are asked for"
            assert few.answer is not None

    run_virtual(work(), wire=WIRE)


def test_a_cap_holds_while_what_was_left_out_is_asked_for(tmp_path: Path) -> None:
    async def work(calls: int) -> None:
        personality = Personality(first_seconds=SECONDS, n="ignored")
        presumed = {"use_n": "always", "probe": "never", "assume": Abilities(n="yes", usage="yes", limits="yes")}
        async with latency_server(personality) as server, open_engine(server, tmp_path, **presumed) as engine:
            result = await solved(judged(engine), calls=calls)
            assert server.counters.calls <= calls
            assert (result.stop, result.limit) == (Stop.BUDGET, "calls")
            told = [one for one in result.candidates if one.final]
            assert told
            assert result.answer is not None

    for calls in (2, 5, 11):
        run_virtual(work(calls), wire=WIRE)


@pytest.mark.parametrize("judge", [False, True], ids=["samples", "samples and judgements"])
def test_sixteen_requests_of_eight_keep_32_calls_in_flight(judge: bool, tmp_path: Path) -> None:
    calls, limit = (256 if judge else 128), 32
    ideal = calls / limit * SECONDS

    async def work() -> None:
        loop = asyncio.get_running_loop()
        settings = Text(max_tokens=8)
        async with (
            latency_server() as server,
            open_engine(server, tmp_path, limits=HostLimits(in_flight=limit)) as engine,
        ):
            began, threads = loop.time(), threading.active_count()
            vote = Search(lambda task: TextProcess(engine, task, settings, owner=task.id), Vote(n=8))
            searches = [judged(engine) if judge else vote for _ in range(16)]
            results = await asyncio.gather(*[solved(one, name=f"run {i}", seed=i) for i, one in enumerate(searches)])
            took = loop.time() - began
            assert all(len(result.candidates) == 8 and not result.degraded for result in results)
            # Drafts of one request that are equal are judged once.
            assert calls - 3 <= server.counters.calls <= calls
            assert server.counters.most_in_flight == limit, "the limit is used in full and never passed"
            assert took <= 1.1 * ideal + 1e-6, f"{took:.3f} s, ideal {ideal:.3f} s"
            assert threading.active_count() == threads, "no thread per call"

    run_virtual(work(), wire=WIRE)


def test_one_after_the_other_would_be_seen(tmp_path: Path) -> None:
    """The law has teeth: a limit of one call in flight takes sixteen rounds on the same clock."""

    async def work() -> float:
        loop = asyncio.get_running_loop()
        async with latency_server() as server, open_engine(server, tmp_path, limits=HostLimits(in_flight=1)) as engine:
            began = loop.time()
            await solved(judged(engine))
            assert server.counters.most_in_flight == 1
            return loop.time() - began

    assert run_virtual(work(), wire=WIRE) == pytest.approx(16 * SECONDS)
