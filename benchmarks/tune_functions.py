"""Bayesian optimisation of test functions with a known maximum: ours, BoTorch's and Optuna's defaults at equal evaluations.

    .venv/bin/python benchmarks/tune_functions.py [--seeds 10] [--functions branin hartmann-6 ackley-10] [--noise 0 0.1]

Regret is the maximum less the noiseless value at the configuration that each would report. Evaluations: 30 on Branin, 60 on Hartmann-6 and
60 on Ackley-10. Finished runs are kept in build/tune/functions.jsonl. Also times the reduced posterior of repeated values (--posterior).
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from outthink.bench import Journal
from outthink.core.key import Key
from outthink.numerics.types import FloatArray
from outthink.tune import Config, Optimizer, Real, Space
from outthink.tune.evidence import Counts, repeated
from outthink.tune.kernels import Gaussian
from outthink.tune.posterior import Posterior
from outthink.tune.with_optuna import OptunaOptimizer

HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
HARTMANN_C = np.array([1.0, 1.2, 3.0, 3.2])
RIVALS = ("ours", "botorch", "optuna tpe", "optuna gp", "random")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    function: str
    noise: float
    rival: str
    seed: int
    regret: float
    seconds: float


def branin(x: FloatArray) -> float:
    a, b = 15 * x[0] - 5, 15 * x[1]
    return -float(
        (b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a)
        + 10
    )


def hartmann(x: FloatArray) -> float:
    return float((HARTMANN_C * np.exp(-(HARTMANN_A * (x - HARTMANN_P) ** 2).sum(1))).sum())


def ackley(x: FloatArray) -> float:
    """On [-5, 10]^d, so that the maximum is not in the middle."""
    z = 15 * x - 5
    return float(
        20 * math.exp(-0.2 * math.sqrt((z**2).mean())) + math.exp(np.cos(2 * math.pi * z).mean()) - 20 - math.e
    )


FUNCTIONS: dict[str, tuple[Callable[[FloatArray], float], int, float, int]] = {
    "branin": (branin, 2, -0.397887, 30),
    "hartmann-6": (hartmann, 6, 3.32237, 60),
    "ackley-10": (ackley, 10, 0.0, 60),
}


def point(config: Config) -> FloatArray:
    return np.array([float(config[f"x{i}"]) for i in range(len(config))])


def run(name: str, noise: float, rival: str, seed: int) -> Row:
    function, d, best, evaluations = FUNCTIONS[name]
    space = Space({f"x{i}": Real(low=0, high=1) for i in range(d)})
    rng = np.random.default_rng([seed, len(name)])
    # The noise is a share of the function's own spread.
    spread = float(np.std([function(x) for x in np.random.default_rng(0).random((500, d))]))

    def value(config: Config) -> float:
        return function(point(config)) + noise * spread * float(rng.standard_normal())

    began = time.perf_counter()
    if rival == "ours":
        optimizer = Optimizer(space, Key(seed), noisy=noise > 0)
        for _ in range(evaluations):
            config = optimizer.ask()
            optimizer.tell(config, value(config))
        chosen: Config = optimizer.best.config
    elif rival == "botorch":
        from outthink.tune.with_botorch import BoTorchOptimizer

        theirs = BoTorchOptimizer(space, Key(seed), "log-noisy-ei" if noise > 0 else "log-ei")
        told: list[tuple[float, Config]] = []
        for _ in range(evaluations):
            (config,) = theirs.ask()
            told.append((value(config), config))
            theirs.tell(config, told[-1][0])
        chosen = theirs.best if noise > 0 else max(told, key=lambda one: one[0])[1]
    else:
        told = []
        optuna = (
            None if rival == "random" else OptunaOptimizer(space, Key(seed), "tpe" if rival.endswith("tpe") else "gp")
        )
        for _ in range(evaluations):
            config = space.sample(rng) if optuna is None else optuna.ask()
            told.append((value(config), config))
            if optuna is not None:
                optuna.tell(config, told[-1][0])
        chosen = max(told, key=lambda one: one[0])[1]
    return Row(
        function=name,
        noise=noise,
        rival=rival,
        seed=seed,
        regret=best - function(point(chosen)),
        seconds=time.perf_counter() - began,
    )


def table(rows: list[Row]) -> list[str]:
    lines = ["| function | noise | " + " | ".join(RIVALS) + " |", "|---|---|" + "---|" * len(RIVALS)]
    for name in FUNCTIONS:
        for noise in sorted({row.noise for row in rows}):
            cells = []
            for rival in RIVALS:
                found = [row.regret for row in rows if (row.function, row.noise, row.rival) == (name, noise, rival)]
                cells.append(
                    f"{np.median(found):.3g} ({np.quantile(found, 0.25):.2g} to {np.quantile(found, 0.75):.2g}; {len(found)})"
                    if found
                    else ""
                )
            lines.append(f"| {name} | {noise} | " + " | ".join(cells) + " |")
    return lines


def posterior(console: Console) -> None:
    """10,000 values of 20 candidates: the reduced posterior against all values, the same numbers and how much faster."""
    rng = np.random.default_rng(0)
    points, which = rng.random((20, 3)), rng.integers(0, 20, 10_000)
    values, at, kernel = rng.normal(size=10_000), rng.random((50, 3)), Gaussian(np.full(3, 0.4))
    times = []
    for _ in range(20):
        began = time.perf_counter()
        known = Posterior(kernel, points, repeated(Counts.of(20, which, values), 0.3))
        mean, variance = known.mean(at), known.variance(at)
        times.append(time.perf_counter() - began)
    began = time.perf_counter()
    x = points[which]
    factor = np.linalg.cholesky(kernel(x, x) + 0.3 * np.eye(len(x)))
    cross = np.linalg.solve(factor, kernel(x, at))
    full_mean, full_variance = cross.T @ np.linalg.solve(factor, values), kernel.at(at) - (cross**2).sum(0)
    slow = time.perf_counter() - began
    console.print(
        f"reduced posterior {1000 * np.median(times):.2f} ms, all values {slow:.1f} s: {slow / np.median(times):,.0f} times; "
        f"largest difference {max(np.abs(mean - full_mean).max(), np.abs(variance - full_variance).max()):.1e}"
    )


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 0.1])
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--folder", type=Path, default=Path("build/tune"))
    parser.add_argument("--posterior", action="store_true")
    asked, console = parser.parse_args(), Console(width=200)
    if asked.posterior:
        posterior(console)
        return
    with Journal(asked.folder / "functions.jsonl", Row, identity="tune-functions/1") as journal:
        had = {(row.function, row.noise, row.rival, row.seed) for row in journal.rows}
        for seed in range(asked.seeds):
            for name in asked.functions:
                for noise in asked.noise:
                    for rival in asked.rivals:
                        if (name, noise, rival, seed) not in had:
                            journal.add(run(name, noise, rival, seed))
            console.print(f"seed {seed} done")
        console.print("\n".join(table(list(journal.rows))))


if __name__ == "__main__":
    main()
