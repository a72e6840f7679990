"""Tuning 500 recipes on recorded samples: how much must be paid until the chosen recipe is within a point of the best one?

    .venv/bin/python benchmarks/tune_table.py                    # first: draws the table
    .venv/bin/python benchmarks/tune.py [--seeds 20] [--tokens 1600000] [--folder build/tune]

20 pools of the laboratory model's samples (5 temperatures by 4 values of top-p, 100 problems, 32 samples each), 5 sizes and 5 ways of
choosing: 500 recipes. Half of the problems are tuned on, the other half judges: regret is the best recipe's share right there less that of
the recipe chosen. Rivals are random search and Optuna's default sampler (TPE), both measuring each recipe on all problems of the half and
choosing the best mean, once paying for every measurement, as they do, and once with our memory of drawn samples behind them. Prints its
progress; finished runs are kept in curves.jsonl and not done again.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from tune_table import TEMPERATURES, TOP_PS, file_of, settings

from outthink.bench import Journal, Pool
from outthink.core.key import Key
from outthink.numerics.types import FloatArray
from outthink.replay.samples import QuestionSamples, SampleTable, gathered
from outthink.tune import (
    Choice,
    Ground,
    Real,
    Recorded,
    Space,
    Strategy,
    Tuning,
    Whole,
    gaussian_process,
    random_search,
    tune,
)
from outthink.tune.ground import believed, best_of
from outthink.tune.recorded import Computed, PoolKey
from outthink.tune.space import Config, Value
from outthink.tune.with_optuna import OptunaStrategy

SIZES = (2, 4, 8, 16, 32)
SELECTS = ("vote", "best-of-n", "weighted-min-max", "shortest", "length-weighted")
TEMPERATURE, TOP_P, N, SELECT = "process.sampling.temperature", "process.sampling.top_p", "algorithm.n", "select"
STRATEGIES = ("ours", "random", "optuna", "random, sharing", "optuna, sharing")
WITHIN = 0.01
COMPUTED: Computed = {}
"""Values of the table, for all runs."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One run: tokens paid and regret of the recipe that would be chosen, after each measurement."""

    strategy: str
    seed: int
    tokens: list[float]
    regret: list[float]
    seconds: float


def space() -> Space:
    return Space(
        {
            TEMPERATURE: Real(low=min(TEMPERATURES), high=max(TEMPERATURES)),
            TOP_P: Real(low=min(TOP_PS), high=max(TOP_PS)),
            N: Whole(low=2, high=32, log=True),
            SELECT: Choice(values=SELECTS),
        }
    )


def candidates() -> list[dict[str, Value]]:
    return [
        {TEMPERATURE: temperature, TOP_P: top_p, N: size, SELECT: select}
        for temperature, top_p in settings()
        for size in SIZES
        for select in SELECTS
    ]


def tables(folder: Path, problems: int, samples: int) -> dict[PoolKey, SampleTable]:
    found: dict[PoolKey, SampleTable] = {}
    for temperature, top_p in settings():
        with Journal(file_of(folder, temperature, top_p), Pool, identity=f"tune-table/{problems}/{samples}") as journal:
            pools = sorted(journal.rows, key=lambda pool: pool.question)
        found[(TEMPERATURE, temperature), (TOP_P, top_p)] = gathered([row_of(pool) for pool in pools])
    return found


def row_of(pool: Pool) -> QuestionSamples:
    classes: dict[str, int] = {}
    answers = [
        -1 if one.failure or one.answer is None else classes.setdefault(one.answer, len(classes))
        for one in pool.samples
    ]
    said = [one.judged["confidence"].value if "confidence" in one.judged else None for one in pool.samples]
    return QuestionSamples(
        pool.question,
        answers=answers,
        right=[one.right for one in pool.samples],
        tokens=[float(one.cost.tokens) for one in pool.samples],
        scores={"confidence": [float("nan") if value is None else value for value in said]},
        failed=[bool(one.failure) for one in pool.samples],
    )


async def run(
    name: str, seed: int, pools: dict[PoolKey, SampleTable], halves: tuple[list[str], list[str]], tokens: float
) -> Curve:
    judge = Recorded(pools, questions=halves[1], size=N, select=SELECT, computed=COMPUTED)
    truth = {repr(config): float(judge.truth(config)[0].mean()) for config in candidates()}
    best = max(truth.values())
    objective = Recorded(
        pools, questions=halves[0], size=N, select=SELECT, computed=COMPUTED, share=name == "ours" or "sharing" in name
    )
    spent: list[float] = []
    regret: list[float] = []

    def told(ground: Ground) -> None:
        chosen = best_of(believed(ground), None).config if name == "ours" else best_mean(ground)
        spent.append(ground.spent)
        regret.append(best - truth[repr(dict(chosen))])

    strategy: Strategy = (
        gaussian_process if name == "ours" else random_search if name.startswith("random") else OptunaStrategy("tpe")
    )
    began = time.perf_counter()
    await tune(
        objective,
        candidates(),
        space(),
        Tuning(tokens=tokens, chunk=10, least_gain=0),
        key=Key(seed),
        strategy=strategy,
        told=told,
    )
    return Curve(strategy=name, seed=seed, tokens=spent, regret=regret, seconds=time.perf_counter() - began)


def best_mean(ground: Ground) -> Config:
    """What rivals choose: the best mean among the recipes that they measured."""
    return max(ground.trials, key=lambda trial: float(np.mean(list(trial.values.values())))).config


def at(curve: Curve, tokens: FloatArray) -> FloatArray:
    """Regret once so many tokens are spent; 1 before the first measurement."""
    place = np.searchsorted(curve.tokens, tokens, side="right") - 1
    return np.where(place >= 0, np.array([*curve.regret, 1.0])[place], 1.0)


def tables_of(curves: list[Curve], tokens: float) -> list[str]:
    grid = np.linspace(0.0, tokens, 401)[1:]
    lines = [
        "| strategy | runs | tokens until the median regret stays within a point | regret at 1/8, 1/4, 1/2, all | seconds a run |",
        "|---|---|---|---|---|",
    ]
    for name in STRATEGIES:
        mine = [curve for curve in curves if curve.strategy == name]
        if not mine:
            continue
        median = np.median([at(curve, grid) for curve in mine], axis=0)
        beyond = np.flatnonzero(median > WITHIN + 1e-12)
        reached = (
            "not reached"
            if len(beyond) and beyond[-1] == len(grid) - 1
            else f"{grid[beyond[-1] + 1 if len(beyond) else 0]:,.0f}"
        )
        shown = ", ".join(f"{100 * median[int(len(grid) * share) - 1]:.1f}" for share in (0.125, 0.25, 0.5, 1.0))
        lines.append(
            f"| {name} | {len(mine)} | {reached} | {shown} | {np.median([curve.seconds for curve in mine]):.1f} |"
        )
    return lines


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tokens", type=float, default=1_600_000)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--folder", type=Path, default=Path("build/tune"))
    asked, console = parser.parse_args(), Console()
    pools = tables(asked.folder, asked.problems, asked.samples)
    names = list(next(iter(pools.values())).questions)
    halves = names[::2], names[1::2]
    judge = Recorded(pools, questions=halves[1], size=N, select=SELECT, computed=COMPUTED)
    truth = np.array([judge.truth(config)[0].mean() for config in candidates()])
    own = Recorded(pools, questions=halves[0], size=N, select=SELECT, computed=COMPUTED)
    there = np.array([own.truth(config)[0].mean() for config in candidates()])
    console.print(
        f"{len(truth)} recipes: best {truth.max():.3f}, median {np.median(truth):.3f}, worst {truth.min():.3f} on the judging half; "
        f"the recipe best on the whole tuning half has regret {100 * (truth.max() - truth[int(there.argmax())]):.1f} points"
    )
    with Journal(
        asked.folder / "curves.jsonl", Curve, identity=f"tune/{asked.problems}/{asked.samples}/{asked.tokens}"
    ) as journal:
        had = {(curve.strategy, curve.seed) for curve in journal.rows}
        for seed in range(asked.seeds):
            for name in STRATEGIES:
                if (name, seed) not in had:
                    journal.add(await run(name, seed, pools, halves, asked.tokens))
            console.print(f"seed {seed} done")
        lines = tables_of(list(journal.rows), asked.tokens)
    console.print("\n".join(lines))
    (asked.folder / "tables.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
