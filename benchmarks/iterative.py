"""Iterative decoding against best-of-n at equal tokens, on a process whose errors are known.

    .venv/bin/python benchmarks/iterative.py [--problems 150]

`outthink.testing.PartsProcess`: answers of 8 parts, each wrong with probability 0.4. A wrong part that is named is repaired with
probability u, a right part that is not named is broken with probability v, and a right part that is named is written anew. The judge's
verdict on each part is wrong with probability `noise`; the same answer always gets the same verdicts. Both methods have the same budget
of tokens: 20 draws, or 4 draws and about two rounds of 4 revisions, whose prompts show the answer and the parts named. The same seeds
for both, and for all cells.

Where u = 0 there can be no gain. What is measured here is arithmetic on an error process, and says nothing about any model.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

import numpy as np

from outthink.core import Budget, Search, Session, Task
from outthink.numerics.types import FloatArray
from outthink.search import BestOfN, Refine
from outthink.testing import PartsJudge, PartsProcess

PARTS, WRONG, DRAW, DRAWS = 8, 0.4, 10, 20
TOKENS = DRAW * DRAWS
REPAIRS, BREAKAGES, NOISES = (0.0, 0.25, 0.5, 1.0), (0.0, 0.05, 0.1), (0.0, 0.05, 0.1, 0.2)
BEST = BestOfN(n=DRAWS)
ITERATIVE = Refine(n=4, rounds=6, base="best", contrast=True, unchanged=0, ties="redraw", judge_again=False)


@dataclass(frozen=True)
class Outcomes:
    """Of every problem: the share of right parts, and by how much the judge's score exceeds it, [problems]."""

    right: FloatArray
    believed: FloatArray

    @property
    def solved(self) -> FloatArray:
        """Whether every part is right, [problems]."""
        return np.asarray(self.right == 1.0, np.float64)


async def outcomes(method: BestOfN | Refine, repair: float, breakage: float, noise: float, problems: int) -> Outcomes:
    """One method on all problems."""
    process = PartsProcess(parts=PARTS, wrong=WRONG, repair=repair, breakage=breakage)
    right, believed = [], []
    for seed in range(problems):
        session = Session.open(seed=seed, budget=Budget(tokens=TOKENS))
        judge = PartsJudge(noise=noise, seed=seed)
        result = await Search(lambda task: process, method, judge).solve(Task(), session)
        session.close()
        right.append(str(result.answer).count("0") / PARTS)
        believed.append((result.scores[result.chosen or 0] or 0.0) - right[-1])
    return Outcomes(np.array(right), np.array(believed))


def points(difference: FloatArray) -> str:
    """Mean of a paired difference in percentage points, with its 95% interval."""
    half = 196 * difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{100 * difference.mean():+.0f} ± {half:.0f}"


async def main(problems: int) -> None:
    began = time.process_time()
    drawn = {noise: await outcomes(BEST, 0.0, 0.0, noise, problems) for noise in NOISES}
    exact = PartsProcess(parts=PARTS, wrong=WRONG).best_of(DRAWS)
    print(f"{problems} problems, {TOKENS} tokens each, seeds 0 to {problems - 1}; solved: all {PARTS} parts right, %\n")
    print("| u | v | " + " | ".join(f"noise {noise:g}" for noise in NOISES) + " |")
    print("|---|---|" + "---|" * len(NOISES))
    best = " | ".join(f"{100 * drawn[noise].solved.mean():.0f}" for noise in NOISES)
    print(f"| best of {DRAWS} | (exact without noise: {100 * exact[0]:.1f}) | {best} |")
    flattery = {noise: [drawn[noise].believed.mean()] for noise in NOISES}
    for repair in REPAIRS:
        for breakage in BREAKAGES:
            cells = []
            for noise in NOISES:
                refined = await outcomes(ITERATIVE, repair, breakage, noise, problems)
                flattery[noise].append(refined.believed.mean())
                gain = points(refined.solved - drawn[noise].solved)
                cells.append(f"{100 * refined.solved.mean():.0f} ({gain})")
            print(f"| {repair:g} | {breakage:g} | " + " | ".join(cells) + " |", flush=True)
    print(
        "\nThe judge's score of the chosen answer less its share of right parts, in points, best-of-n and the mean over all cells above:"
    )
    for noise, found in flattery.items():
        print(f"noise {noise:g}: {100 * found[0]:+.1f} and {100 * float(np.mean(found[1:])):+.1f}")
    print(f"{time.process_time() - began:.0f} processor seconds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--problems", type=int, default=150)
    asyncio.run(main(parser.parse_args().problems))
