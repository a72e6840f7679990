"""The gateway: what it adds to a request, how it holds under a crowd, and what 10,000 requests leave in its memory.

    python benchmarks/gateway.py [--requests 400] [--crowd 200] [--long 10000] [--no-store]

Backend (the scripted server), gateway (`outthink serve`) and clients are processes of their own on this machine. The baseline of the
overhead is the backend asked directly, in turns with the gateway, by the same client. Exit status 1 when a limit is missed: 5 ms median
overhead of a direct request, no answer but 200 and 429 for the crowd at 32 searches at once, health within 100 ms all the while.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx2

OVERHEAD_MS, HEALTH_MS = 5.0, 100.0
IN_FLIGHT = 32
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "What is 17 + 25?"}],
    "max_tokens": 16,
    "temperature": 0.7,
}
BACKEND = """
import asyncio, sys
from outthink.engines.scripted import END
from outthink.testing.openai_server import OpenAIServer, Personality
def script(text):
    return {"4": 0.9, "5": 0.1} if text.endswith("<|assistant|>") else {END: 1.0}
async def main():
    async with OpenAIServer(script, personality=Personality(first_seconds=float(sys.argv[1]))) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
WATCH = """
import http.client, statistics, sys, threading, time
from urllib.parse import urlsplit
address = urlsplit(sys.argv[1])
told, times = [], []
threading.Thread(target=lambda: told.append(sys.stdin.readline()), daemon=True).start()
connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
while not told:
    began = time.perf_counter()
    connection.request("GET", address.path)
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 200
    times.append(1000 * (time.perf_counter() - began))
    time.sleep(0.02)
print(len(times), statistics.median(times), max(times))
"""
PROGRAM = "from outthink.cli.main import main; main()"


@contextmanager
def program(*words: str, ready: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and the first line of its output that holds `ready`."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if ready in line)
        # The log must not fill the pipe.
        drain = threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True)
        drain.start()
        yield process, line.split()[-1]
        process.terminate()
        drain.join()
    finally:
        process.kill()
        process.wait()


def configuration(backend: str, folder: Path) -> str:
    """The path of a configuration whose only model is the backend."""
    file = folder / "recipes.toml"
    file.write_text(
        f'[models.m]\ntype = "openai"\nbase_url = "{backend}"\nmodel = "scripted"\nprobe = "never"\n'
        f"limits = {{ in_flight = 64 }}\n[limits]\nin_flight = {IN_FLIGHT}\nwaiting = 64\nretry_seconds = 1\n"
    )
    return str(file)


async def timed(client: httpx2.AsyncClient, url: str, body: dict[str, object]) -> float:
    """Milliseconds of one request."""
    began = time.perf_counter()
    reply = await client.post(f"{url}/chat/completions", json=body)
    reply.raise_for_status()
    return 1000 * (time.perf_counter() - began)


async def overhead(backend: str, served: str, requests: int) -> float:
    """The median of what the gateway adds, in milliseconds."""
    pairs: list[tuple[float, float]] = []
    async with httpx2.AsyncClient(timeout=30) as client:
        for i in range(requests + 20):
            body = {**BODY, "seed": i}
            # The backend is given what the gateway gives it.
            alone = await timed(client, backend, {**body, "model": "scripted", "stream": True})
            pairs.append((alone, await timed(client, served, body)))
    alone, through = (sorted(values) for values in zip(*pairs[20:], strict=True))
    added = statistics.median(one - other for other, one in pairs[20:])
    at = int(0.99 * requests)
    print(
        f"direct request, {requests} pairs: backend alone median {statistics.median(alone):.2f} ms, p99 {alone[at]:.2f} ms"
    )
    print(f"  through the gateway median {statistics.median(through):.2f} ms, p99 {through[at]:.2f} ms")
    print(f"  added: median {added:.2f} ms, ratio {statistics.median(through) / statistics.median(alone):.2f}")
    return added


def watching(address: str) -> subprocess.Popen[str]:
    """A process that asks for health until it is told to stop, and then says how often, the median and the most milliseconds."""
    words = [sys.executable, "-c", WATCH, address]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def crowd(served: str, clients: int, each: int) -> tuple[Counter[int], float]:
    """Statuses of a crowd that comes back after each 429, and the longest wait for health in milliseconds."""
    statuses: Counter[int] = Counter()
    seconds: list[float] = []

    async def one(client: httpx2.AsyncClient, who: int) -> None:
        for i in range(each):
            began = time.perf_counter()
            while True:
                reply = await client.post(f"{served}/chat/completions", json={**BODY, "seed": 1000 * who + i})
                statuses[reply.status_code] += 1
                if reply.status_code != 429:
                    break
                await asyncio.sleep(float(reply.headers["retry-after"]) * (0.5 + (who % 10) / 10))
            seconds.append(time.perf_counter() - began)

    address = served.removesuffix("/v1") + "/health"
    # A process of its own: this one has two hundred clients to look after.
    watch = watching(address)
    async with AsyncExitStack() as stack:
        # One large pool of connections costs the clients more time than the gateway takes.
        pools = [
            await stack.enter_async_context(httpx2.AsyncClient(timeout=60, verify=False))
            for _ in range(1 + clients // 8)
        ]
        began = time.perf_counter()
        await asyncio.gather(*(one(pools[who % len(pools)], who) for who in range(clients)))
        took = time.perf_counter() - began
    asked, middle, slowest = (float(word) for word in watch.communicate("\n")[0].split())
    told = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    print(
        f"{clients} clients, {each} requests each, {IN_FLIGHT} searches at once: {told}; {clients * each / took:.0f} a second"
    )
    print(f"  answer after median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s")
    print(f"  health asked {asked:.0f} times all the while: median {middle:.1f} ms, most {slowest:.0f} ms")
    return statuses, slowest


async def memory(process: subprocess.Popen[str], served: str, requests: int) -> float:
    """How much the gateway grows from the first tenth of so many requests to their end, in MB."""
    sizes: list[float] = []
    gate = asyncio.Semaphore(16)

    async with httpx2.AsyncClient(timeout=60) as client:

        async def one(seed: int) -> None:
            async with gate:
                await timed(client, served, {**BODY, "seed": seed})

        began = time.perf_counter()
        for part in range(10):
            await asyncio.gather(*(one(part * requests + i) for i in range(requests // 10)))
            sizes.append(resident(process.pid))
        took = time.perf_counter() - began
    shown = " ".join(f"{size:.0f}" for size in sizes)
    print(f"{requests} requests at {requests / took:.0f} a second: resident MB after each tenth: {shown}")
    return sizes[-1] - sizes[0]


def processor(process: int) -> float:
    """Processor time of a process so far, seconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Memory of a process, MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def main(arguments: argparse.Namespace) -> int:
    """Measure; the exit status."""
    store = ["--no-store"] if arguments.no_store else []
    kept = "no store" if store else "SQLite store"
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {kept}")
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with program("-c", BACKEND, "0", ready="http", folder=folder) as (_, backend):
            file = configuration(backend, folder)
            words = ("-c", PROGRAM, "serve", "--recipes", file, "--port", "0", *store)
            with program(*words, ready="serving", folder=folder) as (process, served):
                before = processor(process.pid)
                added = await overhead(backend, served, arguments.requests)
                used = 1000 * (processor(process.pid) - before) / (arguments.requests + 20)
                print(f"  processor time of the gateway: {used:.1f} ms a request")
                grown = await memory(process, served, arguments.long) if arguments.long else 0.0
                print(f"  grown by {grown:.1f} MB")
                if added > OVERHEAD_MS:
                    failed.append(f"{added:.2f} ms added, more than {OVERHEAD_MS:g}")
        with program("-c", BACKEND, "0.2", ready="http", folder=folder) as (_, backend):
            file = configuration(backend, folder)
            words = ("-c", PROGRAM, "serve", "--recipes", file, "--port", "0", *store)
            with program(*words, ready="serving", folder=folder) as (process, served):
                statuses, slowest = await crowd(served, arguments.crowd, 5)
                if set(statuses) - {200, 429}:
                    failed.append(f"other answers than 200 and 429: {dict(statuses)}")
                if slowest > HEALTH_MS:
                    failed.append(f"health took {slowest:.0f} ms, more than {HEALTH_MS:g}")
    for line in failed:
        print(f"MISSED: {line}")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400, help="pairs of direct requests")
    parser.add_argument("--crowd", type=int, default=200, help="clients at once")
    parser.add_argument("--long", type=int, default=10_000, help="requests while memory is watched; 0 for none")
    parser.add_argument("--no-store", action="store_true", help="a gateway that keeps nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
