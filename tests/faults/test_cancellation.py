"""Deadline, Ctrl-C and a cancelled task with eight calls in flight: no new call, every connection closed within one chunk, nothing left."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from outthink.core import Cut, Result, Search
from outthink.engines.local import Local
from outthink.engines.openai import HostLimits, OpenAIEngine
from outthink.search import BestOfN, Vote
from outthink.testing import run_virtual
from outthink.testing.openai_server import Fault, OpenAIServer, Personality, able_model
from outthink.text import Text, TextProcess
from tests.faults.latency_backend import WIRE, judged, latency_server, open_engine, solved
from tests.faults.searching import METHODS, search, talkative
from tests.needs import need

CHUNK = 0.05
SLOW = Personality(first_seconds=0.2, token_seconds=CHUNK)
DEADLINE = 0.52


def open_files() -> int:
    """Files and sockets of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


@dataclass
class Watched:
    """A search under way, and what the server had counted at the moment of the cut."""

    server: OpenAIServer
    engine: OpenAIEngine
    cut: Cut = field(default_factory=Cut)
    requests: int = -1
    in_flight: int = -1

    def note(self) -> None:
        """The moment of the cut."""
        self.requests, self.in_flight = self.server.counters.requests, self.server.counters.in_flight


Way = Callable[[Watched, Callable[..., Awaitable[Result]]], Awaitable[Result | None]]


async def by_deadline(watched: Watched, solve: Callable[..., Awaitable[Result]]) -> Result | None:
    asyncio.get_running_loop().call_later(DEADLINE - 1e-6, watched.note)
    result = await solve(seconds=DEADLINE)
    assert (result.stop.value, result.limit) == ("budget", "seconds")
    return result


async def by_interrupt(watched: Watched, solve: Callable[..., Awaitable[Result]]) -> Result | None:
    loop = asyncio.get_running_loop()
    loop.call_later(DEADLINE, lambda: (watched.note(), watched.cut.fire("interrupt")))
    result = await solve(cut=watched.cut)
    assert result.stop.value == "interrupted"
    return result


async def by_cancel(watched: Watched, solve: Callable[..., Awaitable[Result]]) -> Result | None:
    task: asyncio.Task[Result] = asyncio.ensure_future(solve())  # type: ignore[arg-type]
    await asyncio.sleep(DEADLINE)
    watched.note()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return None


WAYS: dict[str, Way] = {"deadline": by_deadline, "interrupt": by_interrupt, "cancelled task": by_cancel}


@asynccontextmanager
async def watching(server: OpenAIServer, folder: Path, **settings: Any) -> AsyncIterator[Watched]:
    """A server and an engine; at the end the threads and the files of this process are those from before."""
    gc.collect()
    threads = threading.active_count()
    files = open_files()
    async with server, open_engine(server, folder, **settings) as engine:
        yield Watched(server, engine)
    # A socket is given back one turn of the loop after it was closed.
    await asyncio.sleep(0.01)
    assert threading.active_count() == threads
    assert open_files() == files


def eight(engine: OpenAIEngine, n: int = 8) -> Search:
    """Eight long drafts, nobody judging."""
    return Search(lambda task: TextProcess(engine, task, Text(max_tokens=100)), Vote(n=n))


async def no_trace(watched: Watched, began: float, idle: int = 0) -> None:
    """One chunk after the cut: no call that was not there, no connection open but those that were `idle` before it."""
    loop, counters = asyncio.get_running_loop(), watched.server.counters
    assert watched.in_flight == 8
    assert loop.time() - began <= DEADLINE + CHUNK
    await asyncio.sleep(began + DEADLINE + CHUNK - loop.time())
    assert counters.requests == watched.requests, "no new call from the moment of the cut"
    assert counters.in_flight == 0
    assert counters.open_connections == idle
    await asyncio.sleep(3.0)
    assert counters.requests == watched.requests
    assert counters.open_connections == idle


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stream", ["always", "never"])
def test_eight_samples_in_flight(way: str, stream: str, tmp_path: Path) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with watching(OpenAIServer(able_model, personality=SLOW), tmp_path, stream=stream) as watched:
            began = loop.time()

            async def solve(**limits: Any) -> Result:
                return await solved(eight(watched.engine), **limits)

            result = await WAYS[way](watched, solve)
            await no_trace(watched, began)
            assert watched.server.counters.aborts == 8
            if result is not None:
                # What was paid for is there: the pieces that had arrived by then.
                lengths = [len(str(one.content)) for one in result.candidates]
                assert all(lengths) if stream == "always" else not any(lengths)
            low, more = watched.engine.counters().output_tokens, watched.engine.uncertain().output_tokens
            assert low <= watched.server.counters.output_tokens <= low + more

    run_virtual(work(), wire=WIRE)


@pytest.mark.parametrize("way", WAYS)
def test_eight_judgements_in_flight(way: str, tmp_path: Path) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        slow = Personality(first_seconds=0.4, token_seconds=CHUNK)
        async with watching(latency_server(slow), tmp_path) as watched:
            began = loop.time()

            async def solve(**limits: Any) -> Result:
                return await solved(judged(watched.engine), **limits)

            result = await WAYS[way](watched, solve)
            await no_trace(watched, began)
            assert watched.requests == 16
            if result is not None:
                assert all(str(one.content).startswith("draft") for one in result.candidates)
                assert result.answer is not None, "the drafts were finished: one of them is the best so far"

    run_virtual(work(), wire=WIRE)


@pytest.mark.parametrize("way", WAYS)
def test_those_that_wait_for_a_place_are_never_sent(way: str, tmp_path: Path) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        limits = HostLimits(in_flight=8)
        server = OpenAIServer(able_model, personality=SLOW)
        async with watching(server, tmp_path, limits=limits) as watched:
            began = loop.time()

            async def solve(**budget: Any) -> Result:
                return await solved(eight(watched.engine, 32), **budget)

            await WAYS[way](watched, solve)
            await no_trace(watched, began)
            assert watched.requests == 8
            assert watched.engine.counters().calls + watched.engine.uncertain().calls == 8, (
                "who waited has paid nothing"
            )

    run_virtual(work(), wire=WIRE)


@pytest.mark.parametrize("way", WAYS)
def test_those_that_wait_to_try_again_do_not(way: str, tmp_path: Path) -> None:
    """Eight calls hang, eight others were refused with 503 and are waiting for their next attempt when the cut comes."""

    def faults(index: int, body: dict[str, Any]) -> Fault | None:
        return Fault("status", status=503, retry_after=0.5) if index < 8 else Fault("hang")

    async def work() -> None:
        loop = asyncio.get_running_loop()
        server = OpenAIServer(able_model, personality=Personality(faults=faults))
        # Opened by a preset, because a server that refuses everything cannot be probed.
        settings = {"probe": "never", "preset": "vllm", "backoff_seconds": 0.5, "retries": 3}
        async with watching(server, tmp_path, **settings) as watched:
            began = loop.time()

            async def solve(**budget: Any) -> Result:
                return await solved(eight(watched.engine, 16), **budget)

            await WAYS[way](watched, solve)
            # Those that were refused had their whole reply: their connections are kept for what may come.
            await no_trace(watched, began, idle=8)

    run_virtual(work(), wire=WIRE)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("way", ["interrupt", "cancel", "seconds"])
def test_no_method_sends_anything_after_the_cut(name: str, way: Literal["interrupt", "cancel", "seconds"]) -> None:
    moment = 0.33
    slow = Personality(first_seconds=0.05, token_seconds=0.01)
    done = search(METHODS[name], slow, seed=4, cut_at=moment, way=way, script=talkative, max_tokens=60)
    assert done.failed is None
    assert done.at_cut.in_flight > 0, "it was cut with requests in flight"
    assert done.seconds <= moment + 0.01
    assert done.at_cut.requests_after == done.at_cut.requests
    assert done.at_cut.in_flight_after == 0
    assert done.inside()
    if way != "cancel":
        assert done.result is not None
        assert done.result.stop.value == ("interrupted" if way == "interrupt" else "budget")


def test_best_of_n_keeps_those_that_had_finished(tmp_path: Path) -> None:
    """Half of the server's replies are quick: they stand in the answer of a search that its deadline ended."""

    def faults(index: int, body: dict[str, Any]) -> Fault | None:
        return Fault("hang") if index % 2 else None

    async def work() -> None:
        server = OpenAIServer(able_model, personality=Personality(first_seconds=0.1, faults=faults))
        async with watching(server, tmp_path, probe="never", preset="vllm") as watched:
            search = Search(
                lambda task: TextProcess(watched.engine, task, Text(max_tokens=8)),
                BestOfN(n=16),
                judged(watched.engine).verifier,
            )
            result = await solved(search, seconds=0.5)
            finished = [one for one in result.candidates if one.final]
            assert len(finished) == 8
            assert result.answer in [one.content for one in finished]
            assert result.degraded

    run_virtual(work(), wire=WIRE)


async def test_the_embedded_engine_stops_too() -> None:
    """A cancelled task with eight sequences under way: the engine is idle after the step it was in, and draws nothing more."""
    need("llama-cpp")
    engine = Local(model="laboratory", max_sequences=8, threads=1).open()
    try:
        search = Search(lambda task: TextProcess(engine, task, Text(max_tokens=400, format="plain")), Vote(n=24))
        task = asyncio.ensure_future(solved(search))
        async with asyncio.timeout(30):
            while engine.counters().output_tokens < 40:
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            while engine.scheduler.busy:
                await asyncio.sleep(0.001)
        drawn = engine.statistics.sampled
        await asyncio.sleep(0.05)
        assert engine.statistics.sampled == drawn
        assert engine.counters().output_tokens == drawn, "what was drawn is billed"
        assert drawn < 24 * 400
    finally:
        await engine.close()


PROGRAM = """
import asyncio, json, os, signal, threading, time
import outthink
from outthink.engines.openai import Openai
from outthink.testing.openai_server import OpenAIServer, Personality

server = OpenAIServer(personality=Personality(first_seconds=0.1, token_seconds=0.05))
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
engine = Openai(model="scripted", base_url=server.base_url, preset="vllm", probe="never", stream="always")
print("ready", flush=True)
outthink.solve("quick", method=outthink.Vote(n=1), model=engine, changes=["process.max_tokens=1"])
server.reset()
files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
seen = {}

def press() -> None:
    while server.counters.output_tokens < 80:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)
    seen.update(requests=server.counters.requests, in_flight=server.counters.in_flight)
    closed = time.monotonic() + 5
    while server.counters.open_connections and time.monotonic() < closed:
        time.sleep(0.001)

watcher = threading.Thread(target=press)
watcher.start()
result = outthink.solve("write", method=outthink.Vote(n=8), model=engine, changes=["process.max_tokens=1000"])
watcher.join()
told = server.counters.output_tokens
time.sleep(0.3)
outthink.close_engines()
time.sleep(0.1)
print(json.dumps({**seen, "after": server.counters.requests, "open": server.counters.open_connections, "stop": result.stop.value,
    "answer": str(result.answer), "texts": [len(c.content) for c in result.candidates], "told": server.counters.output_tokens - told,
    "files": len(os.listdir("/proc/self/fd")) - files, "threads": threading.active_count() - threads}), flush=True)
"""


def test_ctrl_c_in_a_script() -> None:
    """The real signal in a process of its own, with the plain `outthink.solve`."""

    def listens() -> None:
        # A test run in the background of a shell ignores Ctrl-C, and its children would too.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False, preexec_fn=listens
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["stop"] == "interrupted"
    assert said["in_flight"] == said["requests"] == said["after"] == 8
    assert said["open"] == 0
    assert said["told"] == 0, "the server generates nothing after the connections are closed"
    assert len(said["texts"]) == 8
    assert sum(said["texts"]) > 8, "what had arrived is kept"
    assert said["threads"] <= 0
    assert said["files"] <= 0
