"""Stored runs: how fast they are listed, inspected and written, and what a run takes on disk.

    python benchmarks/store.py [--runs 10000] [--store URL]

The baseline of listing and inspecting is an almost empty store (100 runs), measured in the same process: what a store of many runs
costs more. The limit is a second for each at 10,000 runs. The command line's own start-up is measured apart, and commands are held to the
limit by their processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from outthink.core import Search, Session, Task
from outthink.search import ParticleFilter
from outthink.store import Store, solve_stored
from outthink.testing import FunctionOfContent, TokenChain

LIMIT_SECONDS = 1.0
STEPS, MEMBERS = 8, 8
PROGRAM = "from outthink.cli.main import main; main()"


def search() -> Search:
    """A particle filter of 8 members over 8 steps, with a verifier that judges every step."""
    chain = TokenChain("abcdefghijklmnopqrstuvwxyz", length=STEPS)
    return Search(lambda task: chain, ParticleFilter(n=MEMBERS), FunctionOfContent(lambda text: -0.1 * text.count("a")))


async def fill(store: Store, first: int, runs: int) -> float:
    """Solve and store so many runs, 16 at a time; seconds."""
    gate = asyncio.Semaphore(16)
    made = search()

    async def one(seed: int) -> None:
        async with gate:
            task = Task(prompt=f"What is the best string number {seed}?", id=str(seed))
            recorder = await store.begin(task, method=made.method, seed=seed, engine="toy")
            await solve_stored(made, task, recorder)

    began = time.perf_counter()
    await asyncio.gather(*(one(first + i) for i in range(runs)))
    return time.perf_counter() - began


async def unstored(runs: int) -> float:
    """The same searches without a store; seconds."""
    made = search()
    began = time.perf_counter()
    for seed in range(runs):
        session = Session.open(seed=seed)
        await made.solve(Task(prompt="?"), session)
    return time.perf_counter() - began


def median(work: Callable[[], Any], repeats: int = 5) -> float:
    """Median seconds of some repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def commands(url: str) -> dict[str, tuple[float, float]]:
    """Of whole commands, each in a process of its own: the median seconds, and the processor seconds, which a busy machine leaves alone."""
    named = {"runs list": ["runs", "list"], "runs list --all": ["runs", "list", "--all"], "inspect last": ["inspect"]}
    named["--help (start-up alone)"] = ["--help"]
    environment = {**os.environ, "OUTTHINK_STORE": url}
    measured = {}
    for name, words in named.items():
        command = [sys.executable, "-c", PROGRAM, *words]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = median(lambda c=command: subprocess.run(c, env=environment, check=True, capture_output=True), 3)  # type: ignore[misc]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured[name] = (wall, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3)
    return measured


def reading(store: Store) -> dict[str, float]:
    """Median seconds of what a user asks a store."""
    names = [line.id for line in store.runs(limit=None)]
    some = [names[i] for i in np.linspace(0, len(names) - 1, 5).astype(int)]
    return {
        "list the last 20": median(lambda: store.runs()),
        "list all": median(lambda: store.runs(limit=None)),
        "inspect one": median(lambda: store.run(some[2])),
        "inspect by the beginning of its name": median(lambda: store.run(some[1][:-1])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--store", help="an empty store's URL; default: a SQLite file that is removed afterwards")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outthink-bench-") as folder:
        url = given.store or str(Path(folder) / "runs.sqlite")
        with Store.open(url) as store:
            empty = store.size()
            first = min(100, given.runs)
            asyncio.run(fill(store, 0, first))
            small, few = store.size(), reading(store)
            seconds = asyncio.run(fill(store, first, given.runs - first)) if given.runs > first else 0.0
            size, many = store.size(), reading(store)
            alone = asyncio.run(unstored(100)) / 100
            print(f"{given.runs} runs in {store.name}; a run: {MEMBERS} members, {STEPS} steps, every step judged\n")
        print(f"{'question':<40} {'100 runs':>10} {f'{given.runs} runs':>12} {'ratio':>7}")
        for name, value in many.items():
            print(f"{name:<40} {few[name] * 1e3:8.1f} ms {value * 1e3:9.1f} ms {value / few[name]:6.1f}x")
        print()
        each = seconds / max(1, given.runs - first)
        print(f"storing a run: {each * 1e3:.1f} ms, against {alone * 1e3:.1f} ms for the same search unstored")
        print(
            f"growth: {(size - small) / max(1, given.runs - first) / 1024:.1f} KiB a run (empty store {empty / 1024:.0f} KiB)"
        )
        print()
        whole = commands(url)
        for name, (wall, processor) in whole.items():
            print(f"outthink {name:<32} {wall * 1e3:8.0f} ms, of these {processor * 1e3:.0f} ms of processor time")
    seconds_of = {**many, **{name: processor for name, (_, processor) in whole.items()}}
    slow = [name for name, value in seconds_of.items() if value >= LIMIT_SECONDS and "--all" not in name]
    print(f"\nunder {LIMIT_SECONDS:g} s of processor time each: {'yes' if not slow else 'NO: ' + ', '.join(slow)}")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
