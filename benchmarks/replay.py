"""Replays of recorded samples: seconds and memory, beside counting by hand in plain Python.

    .venv/bin/python benchmarks/replay.py                  # 100 x 8 and 10,000 x 64; --questions 1000 --samples 16 for another size

Each size is written as a file of JSON lines, imported and replayed in a process of its own, whose largest memory is told by the system.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from outthink.replay import read_samples, replay, replay_adaptive

SELECT = ("single", "vote", "best-of-n", "weighted", "oracle")
LIMITS = {(100, 8): (2.0, 2.0), (10_000, 64): (60.0, 2.0)}
"""Processor seconds, all on one core, and gigabytes that must hold, by questions and samples."""


def written(path: Path, questions: int, samples: int) -> None:
    """A file as others record them: texts of about 200 letters, answers, scores, what is right, tokens."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for i in range(questions):
            truth, rate = int(rng.integers(100, 999)), rng.beta(1.2, 1.0)
            right = rng.random(samples) < rate
            answers = [str(a) for a in np.where(right, truth, truth + rng.integers(1, 6, samples)).tolist()]
            row = {
                "id": f"q{i}",
                "reference": str(truth),
                "responses": [f"{'Let us see. ' * 15}The answer is {a}." for a in answers],
                "answers": answers,
                "scores": np.round(0.3 * right + 0.7 * rng.random(samples), 3).tolist(),
                "right": right.tolist(),
                "tokens": rng.integers(50, 90, samples).tolist(),
            }
            file.write(json.dumps(row) + "\n")


def by_hand(path: Path) -> dict[str, float]:
    """The same figures at the full size, counted one row at a time with nothing of ours."""
    sums: Counter[str] = Counter()
    count = 0
    for line in path.open():
        row = json.loads(line)
        count += 1
        answers, right, scores = row["answers"], row["right"], row["scores"]
        marks = dict(zip(answers, right, strict=True))
        weights: dict[str, float] = {}
        for answer, score in zip(answers, scores, strict=True):
            weights[answer] = weights.get(answer, 0.0) + score
        sums["single"] += sum(right) / len(right)
        sums["vote"] += marks[Counter(answers).most_common(1)[0][0]]
        sums["best-of-n"] += right[max(range(len(scores)), key=scores.__getitem__)]
        sums["weighted"] += marks[max(weights, key=weights.__getitem__)]
        sums["oracle"] += any(right)
    return {name: total / count for name, total in sums.items()}


def measured(path: str, samples: int, pipe: Any) -> None:
    """Import and replay in this process, and say what it took."""
    began = time.perf_counter()
    table = read_samples(path).table
    imported = time.perf_counter() - began
    whole = replay(table, select=SELECT, sizes=(samples,))
    at_size = time.perf_counter() - began
    sizes = [2**power for power in range(samples.bit_length()) if 2**power <= samples]
    replay(table, select=SELECT, sizes=sizes)
    every = time.perf_counter() - began
    replay_adaptive(table, sizes=(samples,))
    seconds = {"import": imported, "full size": at_size, "all sizes": every, "adaptive": time.perf_counter() - began}
    seconds["processor"] = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pipe.send((seconds, memory, {line.select: line.accuracy for line in whole}))


def one(questions: int, samples: int) -> bool:
    """One size; whether figures agree and limits hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.jsonl"
        written(path, questions, samples)
        size = path.stat().st_size / 2**20
        began = time.perf_counter()
        counted = by_hand(path)
        hand = time.perf_counter() - began
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=measured, args=(str(path), samples, theirs))
        process.start()
        seconds, memory, found = ours.recv()
        process.join()
    total = seconds["adaptive"]
    most_seconds, most_memory = LIMITS.get((questions, samples), (float("inf"), float("inf")))
    same = all(abs(found[name] - counted[name]) < 1e-9 for name in SELECT)
    holds = same and seconds["processor"] < most_seconds and memory < most_memory
    print(f"{questions:,} questions x {samples} samples, a file of {size:,.0f} MB")
    print(f"  import                                        {seconds['import']:8.2f} s")
    print(
        f"  pass@1, vote, best, weighted, oracle at {samples:>3}    {seconds['full size'] - seconds['import']:8.2f} s"
    )
    print(f"  the same at every power of two                {seconds['all sizes'] - seconds['full size']:8.2f} s")
    print(f"  a vote that stops when it is decided          {seconds['adaptive'] - seconds['all sizes']:8.2f} s")
    print(
        f"  all of it                                     {total:8.2f} s, processor {seconds['processor']:.2f} s, {memory:.2f} GB at most"
    )
    print(
        f"  counting the first by hand, file included     {hand:8.2f} s ({seconds['full size'] / hand:.1f} times as long here)"
    )
    print(
        f"  figures {'are those counted by hand' if same else 'DIFFER'}; limits {'hold' if holds else 'FAIL'}",
        flush=True,
    )
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int)
    parser.add_argument("--samples", type=int)
    given = parser.parse_args()
    sizes = [(given.questions, given.samples)] if given.questions and given.samples else list(LIMITS)
    held = [one(*size) for size in sizes]
    if not all(held):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
