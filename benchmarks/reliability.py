"""What the tests of reliability prove by counts, in seconds and at full size: latency against a 200 ms backend, 200 runs on one engine.

    .venv/bin/python benchmarks/reliability.py [--only latency,in-flight,runs] [--repeats 5] [--runs 200]

latency: 8 samples and 8 judgements in two rounds, with a backend that takes `n` and one that ignores it; goal 0.45 s. in-flight: 16 tasks
of 8 samples at 32 calls in flight, and the same with a judgement of each; goal 1.1 times the ideal. The backend has a process of its own;
what it and the machine allow is shown by a client of bare sockets, which sends the very same bodies and reads no replies.
runs: 200 runs over one embedded engine (the laboratory model) and one store, 50 at a time, each with settings of its own; goals: no lost
event, Jain's index 0.9, places 90% full while work waits, memory after run 200 within 10% of that after run 50.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fairness import FairnessWatch
from peers_faults_backend import TASK

import outthink
from outthink.core.events import AnyEvent
from outthink.engines.local import Local
from outthink.engines.openai import HostLimits, Openai
from outthink.store import Store
from outthink.verify import Judge

SECONDS = 0.2
BACKEND = """
import json, sys
from peers_faults_backend import backend
from outthink.testing.openai_server import Personality
with backend(Personality(first_seconds=float(sys.argv[1]), n=sys.argv[2])) as server:
    print(server.base_url, flush=True)
    for _ in sys.stdin:
        print(json.dumps([server.counters.calls, server.counters.most_in_flight, server.bodies]), flush=True)
        server.reset()
"""


class Counts(NamedTuple):
    """Calls, the most of them in flight at one moment, and what was asked."""

    calls: int
    most: int
    bodies: list[dict[str, Any]]


class Backend:
    """The scripted server in a process of its own."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        self.url = self._line()

    def counts(self) -> Counts:
        """Since the last look."""
        assert self._running.stdin is not None
        self._running.stdin.write("\n")
        self._running.stdin.flush()
        calls, most, bodies = json.loads(self._line())
        return Counts(calls, most, bodies)

    def _line(self) -> str:
        assert self._running.stdout is not None
        return self._running.stdout.readline().strip()


@contextmanager
def served(n: str) -> Iterator[Backend]:
    command = [sys.executable, "-c", BACKEND, str(SECONDS), n]
    here = Path(__file__).parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here) as running:
        try:
            yield Backend(running)
        finally:
            running.kill()


async def searched(url: str, *, judged: bool, seed: int, limit: int = 64) -> outthink.Result:
    """One request of eight."""
    verifier = Judge(n_evaluate=1, constrain="never", candidate_tokens=64, max_tokens=8) if judged else "none"
    model = Openai(model="scripted", base_url=url, use_n="always", limits=HostLimits(in_flight=limit))
    method = outthink.BestOfN(n=8) if judged else outthink.Vote(n=8)
    changes = ["process.max_tokens=8"]
    return await outthink.asolve(
        TASK, method=method, verifier=verifier, model=model, answer="none", changes=changes, seed=seed
    )


def spread(values: Sequence[float], digits: int = 3) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


async def latency(repeats: int) -> None:
    for n in ("yes", "ignored"):
        with served(n) as backend:
            await searched(backend.url, judged=True, seed=10_000)  # probes it
            backend.counts()
            took, calls, kept = [], set(), set()
            for seed in range(repeats):
                began = time.perf_counter()
                result = await searched(backend.url, judged=True, seed=seed)
                took.append(time.perf_counter() - began)
                calls.add(backend.counts().calls)
                kept.add(len(result.candidates))
        print(f"latency, n {n:<8} seconds {spread(took)}, goal 0.45; calls {sorted(calls)}, candidates {sorted(kept)}")


async def replayed(url: str, bodies: Sequence[dict[str, Any]], width: int = 32) -> float:
    """Seconds that the backend takes for these bodies, so many at once."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    waiting = [json.dumps(body).encode() for body in reversed(bodies)]

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while waiting:
            body = waiting.pop()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            # The end of a stream; the backend streams all that it is asked for here.
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*[one() for _ in range(width)])
    return time.perf_counter() - began


async def in_flight(repeats: int) -> None:
    with served("ignored") as backend:
        await searched(backend.url, judged=True, seed=10_000)
        backend.counts()
        for judged in (False, True):
            ratios, bare, processor, most, threads = [], [], [], 0, set()
            for repeat in range(repeats):
                before, used, began = threading.active_count(), time.process_time(), time.perf_counter()
                seeds = range(100 * repeat, 100 * repeat + 16)
                await asyncio.gather(*[searched(backend.url, judged=judged, seed=s, limit=32) for s in seeds])
                took = time.perf_counter() - began
                calls, peak, bodies = backend.counts()
                processor.append(1000 * (time.process_time() - used) / calls)
                # Whole rounds of 32; equal drafts of one request are judged once, so that there may be a few calls less than 256.
                ideal = -(-calls // 32) * SECONDS
                ratios.append(took / ideal)
                bare.append(await replayed(backend.url, bodies) / ideal)
                backend.counts()
                most = max(most, peak)
                threads.add(threading.active_count() - before)
            what = "samples and judgements" if judged else "samples"
            print(
                f"in flight, 16 requests of 8 {what}: {spread(ratios, 2)} of the ideal, goal 1.10; most in flight {most}\n"
                f"  the same bodies from bare sockets: {spread(bare, 2)}; processor time here {spread(processor, 2)} ms a call"
            )


def memory() -> float:
    """Resident megabytes of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def settings_of(run: int) -> dict[str, Any]:
    """Settings that no neighbour shares: the number of samples, their longest length, the temperature, the seed."""
    changes = [
        f"process.max_tokens={8 + run % 40}",
        f"process.sampling.temperature={0.5 + run / 400}",
        "process.format=plain",
    ]
    return {"method": outthink.Vote(n=12 + run % 9), "changes": changes, "seed": run, "answer": "none"}


async def runs(count: int) -> None:
    engine = Local(model="laboratory", max_sequences=32).open()
    watch = FairnessWatch(engine)
    lost = mixed = 0
    held: dict[int, float] = {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "runs.sqlite") as store:
        for first in range(0, count, 50):
            emitted: dict[int, list[AnyEvent]] = {run: [] for run in range(first, min(first + 50, count))}

            async def one(run: int, into: list[AnyEvent]) -> outthink.Result:
                sinks = [into.append]
                return await outthink.asolve("3 5 7 -> 22", model=engine, store=store, sinks=sinks, **settings_of(run))

            results = await asyncio.gather(*[one(run, into) for run, into in emitted.items()])
            for (run, events), result in zip(emitted.items(), results, strict=True):
                lost += len(events) - len(store.events(result.run))
                longest = max(c.features.get("tokens", 0) if c.features else 0 for c in result.candidates)
                n, most = 12 + run % 9, 8 + run % 40
                mixed += len(result.candidates) != n or longest > most or result.cost.output_tokens > n * most
            del results, emitted
            held[min(first + 50, count)] = memory()
    seconds = time.perf_counter() - began
    grown = held[count] / held[50] - 1
    print(
        f"runs: {count} in {seconds:.1f} s, {engine.counters().output_tokens / seconds:,.0f} tokens/s; events lost {lost}, runs with "
        f"another one's settings {mixed}; Jain's index {watch.index:.3f} over {watch.runs} runs in {watch.steps} steps (goal 0.9); "
        f"places full {100 * watch.fill:.1f}% (goal 90); memory after run 50 {held[50]:.0f} MB, after run {count} {held[count]:.0f} MB, "
        f"{100 * grown:+.1f}% (goal within 10)"
    )
    await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="latency,in-flight,runs")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200)
    given = parser.parse_args()
    chosen = given.only.split(",")
    with tempfile.TemporaryDirectory() as cache:
        import os

        # The probe's records of these servers are nobody else's.
        os.environ["XDG_CACHE_HOME"] = cache
        if "latency" in chosen:
            asyncio.run(latency(given.repeats))
        if "in-flight" in chosen:
            asyncio.run(in_flight(given.repeats))
        if "runs" in chosen:
            asyncio.run(runs(given.runs))
    outthink.close_engines()


if __name__ == "__main__":
    main()
