"""Our own time and memory beside a denoiser's: steering against the bare denoising loop, forks, and what 64 particles hold.

    .venv/bin/python benchmarks/denoising_overhead.py [--repeats 5] [--n 16] [--steps 20]

A network of 30 ms a call is asked once a step by a loop of a few lines, and by the particle filter with a reward at every step. They run
in turn, round after round: the least of the rounds, since other work on the machine only adds, and how much more each takes than the loop
of its round, median and range. Both methods are compared with the bare loop, which judges nothing; the filter also with a loop that
computes the same reward at every step, as anything must that steers. Feynman-Kac steering as published judges and resamples five times a
run; that is a row of its own. Goals: under 3% more time than the loop, 16 latents of 4 x 64 x 64
forked in under 2 ms, and at most 1.2 times the latents' and histories' own bytes held between steps by 64 particles.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from outthink.core import Search, Session, Snapshot, Task
from outthink.diffusion import DenoisingProcess, Flow, Grid, Plain, Prediction, SdeDpmSolver, Solver, reward
from outthink.diffusion.latents import Latents
from outthink.diffusion.solvers import Ancestral
from outthink.search import BestOfN, Difference, ParticleFilter

SHAPE, NETWORK_SECONDS = (4, 64, 64), 0.030


def network(x: torch.Tensor, time_: torch.Tensor, condition: object) -> torch.Tensor:
    """Takes its time, and predicts a data set of one point."""
    time.sleep(NETWORK_SECONDS)
    return x * 0.1


def judge(x: torch.Tensor) -> torch.Tensor:
    """The reward."""
    return x.mean(dim=(1, 2, 3))


def bare(n: int, grid: Grid, *, judged: bool = False) -> None:
    """The loop that people write: ask, move by the ancestral step, add noise. `judged`: with the reward of every prediction."""
    x = torch.randn(n, *SHAPE)
    alpha, sigma, told = grid.levels.alpha, grid.levels.sigma, grid.levels.model_time
    for i in range(grid.steps):
        data = network(x, torch.full((n,), told[i]), None)
        keep = 0.0 if sigma[i + 1] == 0 or alpha[i] == 0 else (sigma[i + 1] * alpha[i] / (sigma[i] * alpha[i + 1])) ** 2
        noise = (x - alpha[i] * data) / sigma[i]
        renewed = sigma[i + 1] * np.sqrt(1.0 - keep)
        x = alpha[i + 1] * data + sigma[i + 1] * np.sqrt(keep) * noise
        if renewed:
            x = x + renewed * torch.randn_like(x)
        if judged:
            judge(data).tolist()


def process(grid: Grid, solver: Solver) -> DenoisingProcess:
    return DenoisingProcess(Plain(network, Prediction.DATA), grid, solver, SHAPE)


def steered(n: int, grid: Grid, algorithm: ParticleFilter | BestOfN, solver: Solver) -> None:
    search = Search(lambda task: process(grid, solver), algorithm, reward(judge))

    async def solve() -> None:
        await search.solve(Task(), Session.open(seed=0))

    asyncio.run(solve())


@dataclass(frozen=True)
class Took:
    """Seconds by the clock and of the processor."""

    clock: float
    processor: float


def timed(work: Callable[[], None]) -> Took:
    began, busy = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - began, time.process_time() - busy)


def fork_seconds(n: int, repeats: int, times: int = 100) -> float:
    states = Latents.fresh(torch.randn(n, *SHAPE), remembers=1)
    index = np.sort(np.random.default_rng(0).integers(0, n, n))

    def forks() -> None:
        for _ in range(times):
            states.take(index)

    return min(timed(forks).clock for _ in range(repeats)) / times


def held_by_particles(n: int, grid: Grid) -> tuple[int, int]:
    """Bytes of all tensors that live between two steps of n particles, the most seen, and those of latents and histories alone."""
    algorithm = ParticleFilter(n=n, twist=Difference(strength=50.0))
    search = Search(lambda task: process(grid, SdeDpmSolver()), algorithm, reward(judge))
    most = own = 0

    def look(snapshot: Snapshot) -> None:
        nonlocal most, own
        gc.collect()
        storages = {
            one.untyped_storage().data_ptr(): one.untyped_storage().nbytes()
            for one in gc.get_objects()
            if type(one) is torch.Tensor
        }
        own = n * int(np.prod(SHAPE)) * 4 * 3  # x, the prediction there, one remembered
        most = max(most, sum(storages.values()))

    async def solve() -> None:
        await search.solve(Task(), Session.open(seed=0), on_step=look)

    asyncio.run(solve())
    return most, own


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    n, grid = asked.n, Grid.on(Flow(), np.linspace(1.0, 0.0, asked.steps + 1))
    best_of_n, particle_filter = BestOfN(n=n), ParticleFilter(n=n, twist=Difference(strength=50.0))
    seldom = ParticleFilter(n=n, twist=Difference(strength=50.0), every=max(1, asked.steps // 5))
    ways: dict[str, Callable[[], None]] = {
        "bare loop": lambda: bare(n, grid),
        "the same with the reward": lambda: bare(n, grid, judged=True),
        "best-of-n": lambda: steered(n, grid, best_of_n, Ancestral()),
        "particle-filter, five times": lambda: steered(n, grid, seldom, Ancestral()),
        "particle-filter, every step": lambda: steered(n, grid, particle_filter, Ancestral()),
    }
    for work in ways.values():
        work()
    rounds = [{name: timed(work) for name, work in ways.items()} for _ in range(asked.repeats)]
    print(
        f"{n} latents of {'x'.join(map(str, SHAPE))}, {grid.steps} steps, a network of {NETWORK_SECONDS * 1e3:.0f} ms a call"
    )
    for name in ways:
        clock = min(one[name].clock for one in rounds)
        processor = min(one[name].processor for one in rounds)
        print(f"{name:28} {clock * 1e3:8.1f} ms, {processor / grid.steps * 1e3:.2f} of the processor a step")
    for name, beside in (
        ("best-of-n", "bare loop"),
        ("particle-filter, five times", "bare loop"),
        ("particle-filter, every step", "bare loop"),
        ("particle-filter, every step", "the same with the reward"),
    ):
        more = sorted(100 * (one[name].clock / one[beside].clock - 1) for one in rounds)
        least = [min(one[way].clock for one in rounds) for way in (name, beside)]
        print(
            f"{name:28} beside {beside:25} {100 * (least[0] / least[1] - 1):+.1f}% by the least, "
            f"round by round {statistics.median(more):+.1f}% ({more[0]:+.1f}% to {more[-1]:+.1f}%)"
        )
    fork = fork_seconds(n, asked.repeats)
    print(f"fork of {n} with one remembered {fork * 1e3:6.2f} ms")
    most, own = held_by_particles(64, Grid.on(Flow(), np.linspace(1.0, 0.0, 7)))
    print(
        f"64 particles hold {most / 1e6:.1f} MB between steps, {most / own:.2f} times latents and histories ({own / 1e6:.1f} MB)"
    )


if __name__ == "__main__":
    main()
