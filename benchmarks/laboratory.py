"""The embedded engine on the laboratory model: tokens a second at 64 sequences, and what a decode step is made of.

    .venv/bin/python benchmarks/laboratory.py [--sequences 64] [--problems 16] [--repeats 5] [--threads 1] [--model laboratory]

Every problem is solved 64 times at temperature 1, all of them queued at once, so that places are filled again as soon as they fall free:
admission, forks and bills are part of the figure. Its parts are the engine's own: time in the library, in sampling, and in the rest of the
step, which is Python. Printed are medians and ranges over the repeats, each with problems of its own, by the wall clock and by processor
time; on a shared machine the second is the steadier one. Goal: 5,000 tokens a second.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.engines import Request, TextPrompt
from outthink.engines.local import Local, LocalEngine
from outthink.engines.local.statistics import EngineStatistics
from outthink.laboratory import Chains, Countdown, problems

GOAL = 5000
SAMPLES = 64
LONGEST = 96
KEY = Key(5).child("benchmarks", "laboratory")


@dataclass(frozen=True)
class Measured:
    """One repeat: tokens generated, seconds by the wall clock and of processor time, and what the engine did."""

    tokens: int
    wall: float
    processor: float
    done: EngineStatistics


async def measure(engine: LocalEngine, repeat: int, count: int) -> Measured:
    key = KEY.child(repeat)
    half = count // 2
    tasks = problems(Chains(terms=4), count - half, key) + problems(Countdown(numbers=4), half, key)
    requests = [
        Request(prompt=TextPrompt(f"{task.question}\n"), seed=int(seed), max_tokens=LONGEST)
        for number, task in enumerate(tasks)
        for seed in key.child(number).seeds(SAMPLES)
    ]
    before, wall, processor = engine.statistics, time.perf_counter(), time.process_time()
    replies = await engine.generate(requests)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    failed = [reply for reply in replies if isinstance(reply, Failure)]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed: {failed[0]}")
    tokens = sum(len(reply.tokens or ()) for reply in replies if not isinstance(reply, Failure))
    return Measured(tokens, wall, processor, engine.statistics - before)


def spread(values: Sequence[float], digits: int = 0) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


async def work(options: argparse.Namespace) -> None:
    engine = Local(
        model=options.model,
        threads=options.threads,
        max_sequences=options.sequences,
        step_tokens=max(63, options.sequences),
        retained=options.retained,
    ).open()
    try:
        await measure(engine, -1, 2)
        found = [await measure(engine, repeat, options.problems) for repeat in range(options.repeats)]
    finally:
        await engine.close()
    steps = [one.done.steps for one in found]
    print(f"{engine.name}, {options.sequences} sequences, {options.problems} problems of {SAMPLES} samples")
    print(f"tokens a second: {spread([one.tokens / one.wall for one in found])}, goal {GOAL:,}")
    print(f"  by processor time: {spread([one.tokens / one.processor for one in found])}")
    print(f"tokens a step: {spread([one.tokens / n for one, n in zip(found, steps, strict=True)], 1)}")
    for name in ("decode_ms", "sampling_ms", "python_ms"):
        print(f"{name} a step: {spread([getattr(one.done, name) / n for one, n in zip(found, steps, strict=True)], 2)}")
    print(f"whole step, ms: {spread([1e3 * one.wall / n for one, n in zip(found, steps, strict=True)], 2)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--retained", type=int, default=128)
    parser.add_argument("--model", default="laboratory")
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
