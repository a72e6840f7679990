"""Steering methods on the laboratory's digits: reward, diversity and Fréchet distance at 200, 800, 3,200 and 12,800 evaluations.

    .venv/bin/python benchmarks/steering.py [--quick] [--seeds 5] [--seeds-at 12800=1] [--part 1/2] [--folder build/steering]

Every method is given the same budget on the same digits and seeds, 20 denoising steps, and one budget holds evaluations of the denoiser and
calls of the reward, each counted as one. Two rewards are searched for their highest value; two laws are sampled, p(x) exp(temper * reward),
and the distance of what came out from them measured. Prints its estimate first, is resumable (Ctrl-C or a kill loses one search), and
leaves outcomes-*.jsonl, tables.md, pictures and sheets in its folder. `--part i/k` does each k-th search, so that k processes share the
work; `--report-only` reads all parts. `--quick` takes about two minutes: three digits, one seed, two budgets. `--chosen-on` compares the
settings that the methods' own were chosen among, with seeds that do not count.

"k times less" is the cost at which the baseline reaches a level over the cost at which the method does, at the levels that quarter the
baseline's range, with a paired bootstrap over digits; 0 means that the level was never reached.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import steering_methods as methods
import torch
from rich.console import Console
from steering_outcome import Outcome, packed
from steering_problems import PROBLEMS, Problem, features, second_opinion
from steering_report import report, report_variants

from outthink.bench import Journal
from outthink.bench.contest import unrecorded
from outthink.core.cost import Budget, Cost, total_of
from outthink.core.errors import OutthinkError
from outthink.core.ledger import Allowance
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.diffusion.laboratory import Statistics
from outthink.diffusion.laboratory.frechet import between
from outthink.numerics.types import FloatArray

BUDGETS = (200, 800, 3_200, 12_800)
SHOWN = 8
"""The best samples of a search that are kept for distances between samples and from real digits."""

REFERENCE = 6_000
"""Plain samples that a sampler's target is estimated from, by their weights."""

CHOSEN_ON = 1_000
"""The first of the seeds that settings were chosen with."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A search to be made."""

    problem: Problem
    method: str
    budget: int
    digit: int
    seed: int
    how: dict[str, object] | None = None

    @property
    def label(self) -> str:
        """The method, with its settings where they are not the chosen ones."""
        said = "" if self.how is None else " " + " ".join(f"{k}={v}" for k, v in self.how.items())
        return self.method + said

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        return (self.problem.name, self.label, self.budget, self.digit, self.seed)


def cells(asked: argparse.Namespace) -> list[Cell]:
    """All searches: the cheap ones first, then seed after seed, so that what is finished early is whole."""
    if asked.chosen_on:
        return [
            Cell(problem, name, budget, digit, CHOSEN_ON + seed, how)
            for seed in range(asked.seeds)
            for budget in (800, 3_200)
            for problem in PROBLEMS.values()
            if problem.searched
            for name in methods.VARIANTS
            for how in with_chosen(name)
            for digit in asked.digits[::2]
        ]
    found = [
        Cell(problem, name, budget, digit, seed)
        for budget in asked.budgets
        for seed in range(asked.seeds_at.get(budget, asked.seeds))
        for problem in PROBLEMS.values()
        for name in [
            *(methods.SEARCHES if problem.searched else ()),
            *(methods.SAMPLERS if problem.temper is not None else ()),
        ]
        for digit in asked.digits
    ]
    return sorted(found, key=lambda cell: (cell.budget > 800) * (1 + cell.seed))


def with_chosen(name: str) -> list[dict[str, object]]:
    """The variants of a method, the chosen one among them."""
    variants = list(methods.VARIANTS[name])
    return variants if methods.CHOSEN[name] in variants else [*variants, methods.CHOSEN[name]]


async def searched(cell: Cell, session: Session) -> Outcome:
    """One search; one that breaks is an outcome that says so."""
    said = dict(zip(("problem", "method", "budget", "digit", "seed"), cell.key, strict=True))
    child = unrecorded(session.child("/".join(map(str, cell.key)), budget=Budget(denoiser_evals=cell.budget)))
    began = time.process_time()
    try:
        entrant = methods.entrant(cell.method, cell.problem, cell.budget, cell.how)
        process = cell.problem.process(cell.digit, entrant.kind)
        verifier = cell.problem.reward(cell.digit, partial=entrant.partial)
        search = Search(lambda task: process, entrant.algorithm, verifier, max_steps=methods.ENDLESS)
        result = await search.solve(Task(id=f"{cell.problem.name}-{cell.digit}"), child)
    except OutthinkError as error:
        return Outcome(**said, failure=f"{type(error).__name__}: {error}")
    finally:
        child.close()
    spent = result.by_role
    judged = spent.get("verify", Cost())
    measured = await weighed(cell, result) if cell.method in methods.SAMPLERS else {}
    return Outcome(
        **said,
        **best_of(cell, result),
        **measured,
        evaluations=total_of(cost for role, cost in spent.items() if role != "verify").denoiser_evals,
        judged=judged.verifier_calls,
        seconds=time.process_time() - began,
        stop=f"{result.stop.value} {result.limit}".strip(),
    )


def best_of(cell: Cell, result: Result) -> dict[str, object]:
    """What there is to say of the best samples."""
    order = [i for i, one in enumerate(result.candidates) if one.final and result.scores[i] is not None]
    order.sort(key=lambda i: -float(result.scores[i] or 0.0))
    if not order:
        return {"finished": 0}
    images = torch.stack([result.candidates[i].content for i in order[:SHOWN]])
    return {
        "reward": float(result.scores[order[0]] or 0.0),
        "second": float(second_opinion(images[:1], cell.problem.shown(cell.digit))[0]),
        "diversity": spread(features(images)) if len(images) > 1 else None,
        "finished": len(order),
        "images": packed(images),
    }


def spread(rows: FloatArray) -> float:
    """Mean distance of pairs of rows [n, d], root mean square over d."""
    away = np.sqrt(np.maximum(((rows[:, None] - rows[None]) ** 2).mean(axis=2), 0.0))
    n = len(rows)
    return float(away.sum() / (n * (n - 1)))


async def weighed(cell: Cell, result: Result) -> dict[str, object]:
    """How far the weighted samples are from the law that they stand for."""
    rows = [i for i, one in enumerate(result.candidates) if one.final and result.weights[i] > 0.0]
    if not rows:
        return {}
    images = torch.stack([result.candidates[i].content for i in rows])
    weights = np.array([result.weights[i] for i in rows])
    weights /= weights.sum()
    target = target_of(cell.problem.name, cell.digit)
    return {
        "distance": between(weighted(features(images), weights), target),
        "effective": float(1 / (weights**2).sum()),
    }


def weighted(rows: FloatArray, weights: FloatArray) -> Statistics:
    """Mean and covariance of rows [n, d] under normalised weights [n]."""
    mean = weights @ rows
    away = rows - mean
    return Statistics(mean, (weights[:, None] * away).T @ away)


FOLDER = Path("build/steering")


@lru_cache(maxsize=64)
def target_of(name: str, digit: int) -> Statistics:
    """The law that samplers of this problem aim at, from many plain samples by their weights; kept in the folder."""
    path = FOLDER / f"target-{name}-{digit}.npz"
    if path.exists():
        with np.load(path) as found:
            return Statistics(found["mean"], found["covariance"])
    statistics, effective = drawn_target(PROBLEMS[name], digit)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another part may be reading: the file is whole from the moment on which it has its name.
    fresh = path.with_name(f"{path.stem}-{os.getpid()}.part.npz")
    np.savez(fresh, mean=statistics.mean, covariance=statistics.covariance, effective=effective)
    fresh.replace(path)
    return statistics


def drawn_target(problem: Problem, digit: int) -> tuple[Statistics, float]:
    """The target's statistics, and how many samples their weights are worth."""
    process = problem.process(digit, "noisy")
    reward = problem.reward(digit, partial=False)

    async def draw() -> tuple[torch.Tensor, FloatArray]:
        seeds = np.random.default_rng(digit).integers(0, 2**63, REFERENCE, dtype=np.uint64)
        states = (await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())).states
        seen = await process.view(states, frozenset())
        scores = await reward.score(seen, Task(id="target"))
        return torch.stack([one.content for one in seen]), scores.values

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        images, scores = pool.submit(asyncio.run, draw()).result()
    weights = np.exp(methods.temper(problem) * (scores - scores.max()))
    weights /= weights.sum()
    return weighted(features(images), weights), float(1 / (weights**2).sum())


async def run(asked: argparse.Namespace, console: Console) -> None:
    """All searches of this part that the journal does not have yet."""
    torch.set_num_threads(1)
    session = Session.open(seed=7)
    part, parts = asked.part
    path = asked.folder / f"outcomes-{part}-of-{parts}.jsonl"
    had = {row.cell for row in read(asked)}
    mine = [cell for at, cell in enumerate(cells(asked)) if at % parts == part - 1]
    left = [cell for cell in mine if cell.key not in had]
    with Journal(path, Outcome, identity=identity(asked)) as journal:
        each, of_one = await measured_time(session)
        seconds = each * len(left) + of_one * sum(cell.budget for cell in left)
        console.print(
            f"{len(left)} of {len(mine)} searches to do, {sum(cell.budget for cell in left):,} evaluations and reward calls: about "
            f"{seconds / 60:.0f} minutes if the machine stays as busy as it is."
        )
        began, told = time.perf_counter(), 0.0
        for number, cell in enumerate(left, start=1):
            journal.add(await searched(cell, session))
            if time.perf_counter() - told > 20:
                told = time.perf_counter()
                console.print(f"{number}/{len(left)} {told - began:.0f} s, at {cell.budget:,}, seed {cell.seed}")


async def measured_time(session: Session) -> tuple[float, float]:
    """Seconds by the clock that a search takes, and that an evaluation takes, from a few methods at two budgets."""
    names = ("best-of-n", "feynman-kac-difference", "tree-search", "rollover", "evolution")
    took = []
    for budget in (200, 200, 1_600):
        began = time.perf_counter()
        for name in names:
            await searched(Cell(PROBLEMS["symmetry"], name, budget, 0, CHOSEN_ON - 1), session)
        took.append((time.perf_counter() - began) / len(names))
    of_one = max(0.0, took[2] - took[1]) / (1_600 - 200)
    return max(0.0, took[1] - 200 * of_one), of_one


def read(asked: argparse.Namespace) -> list[Outcome]:
    """What all parts have finished so far, each search once."""
    found: dict[tuple[str, str, int, int, int], Outcome] = {}
    for path in sorted(asked.folder.glob("outcomes-*.jsonl")):
        with path.open("rb") as lines:
            next(lines, None)
            for line in lines:
                if line.endswith(b"\n"):
                    row = msgspec.json.decode(line, type=Outcome)
                    found[row.cell] = row
    return list(found.values())


def identity(asked: argparse.Namespace) -> str:
    """What the folder's journals belong to."""
    return "steering benchmark: variants" if asked.chosen_on else "steering benchmark"


def by_budget(text: str) -> tuple[int, int]:
    budget, _, seeds = text.partition("=")
    return int(budget), int(seeds)


def part_of(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    return int(part), int(parts)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about two minutes: three digits, one seed, two budgets")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seeds-at", type=by_budget, nargs="*", default=[], metavar="BUDGET=SEEDS")
    parser.add_argument("--part", type=part_of, default=(1, 1), metavar="I/K")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--chosen-on", action="store_true", help="compare settings, with seeds that do not count")
    parser.add_argument("--report-only", action="store_true", help="make the tables again from the folder")
    asked = parser.parse_args(given)
    asked.budgets, asked.digits, asked.seeds_at = BUDGETS, range(10), dict(asked.seeds_at)
    if asked.quick:
        asked.budgets, asked.digits, asked.seeds = BUDGETS[:2], range(3), 1
        asked.folder = asked.folder / "quick"
    if asked.chosen_on:
        asked.folder = asked.folder / "chosen-on"
    console = Console(highlight=False)
    if not asked.report_only:
        asyncio.run(run(asked, console))
    if asked.part[0] == asked.part[1] or asked.report_only:
        (report_variants if asked.chosen_on else report)(read(asked), asked.folder, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
