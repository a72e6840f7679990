"""Search methods on the laboratory model, at matched total cost: who solves more of 200 held-out problems, and for how many tokens.

    .venv/bin/python benchmarks/search.py [--quick] [--problems 200] [--seeds 3] [--pool-seeds 5] [--folder build/search] [--head FILE]

Methods that only select (greedy, votes, best-of-n, adaptive) read one stored pool of 64 samples a problem and seed; methods that look at
partial answers run at the size of 4, 8, 16 and 32 samples. Two verifiers: the trained head ("head": what can be had) and the exact oracle
("oracle": what a perfect verifier would be worth). Prints its estimate first, works on many problems at once, is resumable (Ctrl-C or a
kill loses only what is under way), and leaves outcomes.jsonl, tables.md and curves.svg in its folder. `--quick` takes about five minutes.

"k times less" is the cost at which the baseline reaches a level over the cost at which the method does, at the levels that quarter the
baseline's range, with a paired bootstrap over problems; 0 means that the level was never reached.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

import search_methods as methods
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from search_report import report

from outthink.bench import Contestant, Journal, Outcome, Pool, Question, contest, draw_pools
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.core.settings import replace
from outthink.core.solver import ProcessFor, Search
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence, Verifier
from outthink.laboratory import Chains, Countdown, LaboratoryOracle, problems, solved
from outthink.recipes import load
from outthink.recipes.build import build
from outthink.search import Vote
from outthink.verify.reward_head import RewardHead

FAMILIES = (Chains(terms=5), Countdown(numbers=4))
CHOSEN_ON = Key(1000)
"""Settings were chosen on problems drawn with this key; those that are counted come from `COUNTED`."""
COUNTED = Key(7)
POOL = 64
ORACLES = frozenset({"oracle"})


def questions(n: int, key: Key = COUNTED) -> list[Question]:
    """n held-out problems, half of each family."""
    tasks = [task for family in FAMILIES for task in problems(family, n // len(FAMILIES), key)]
    return [Question(task, _right(task), task.id.rpartition("-")[0]) for task in tasks]


def _right(task: Task):  # type: ignore[no-untyped-def]
    def right(candidate: Candidate) -> bool:
        return candidate.final and isinstance(candidate.content, str) and solved(task.question, candidate.content)

    return right


class Told:
    """Progress on the terminal."""

    def __init__(self, progress: Progress, title: str) -> None:
        self.progress, self.title, self.bar = progress, title, None

    def finished(self, outcome: Outcome, done: int, total: int) -> None:
        if self.bar is None:
            self.bar = self.progress.add_task(self.title, total=total)
        self.progress.update(self.bar, completed=done)


async def run(asked: argparse.Namespace, console: Console) -> list[Outcome]:
    """Everything, as far as it gets before Ctrl-C."""
    recipe = load("laboratory")
    recipe = replace_engine(recipe)
    posed = questions(asked.problems)
    session = Session.open(seed=1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, session.cut.fire, "interrupt")
    async with build(recipe) as built:
        solver = built.solver
        verifiers: dict[str, Verifier] = {"oracle": LaboratoryOracle()}
        if asked.head:
            from outthink.core.component import Parts

            verifiers = {"head": RewardHead(path=asked.head).build(Parts(engine=built.engine)), **verifiers}
        identity = f"search benchmark: {asked.problems} problems of {COUNTED}"
        with (
            Journal(asked.folder / "pools.jsonl", Pool, identity=identity) as pools_journal,
            Journal(asked.folder / "outcomes.jsonl", Outcome, identity=identity) as outcomes,
            progress_bars(console) as progress,
        ):
            speed = await measured_speed(solver.process, posed[:8], session)
            entrants, samples = entered(asked, solver, verifiers)
            tell_estimate(console, asked, entrants, samples, speed)
            began = time.perf_counter()
            pools = await draw_pools(
                posed, range(asked.pool_seeds), asked.pool, solver.process, session, pools_journal, verifiers=verifiers
            )
            console.print(f"pools: {time.perf_counter() - began:.0f} s")
            replayed = Session.open(seed=1, cut=session.cut)
            chosen = methods.selecting(pools, verifiers, solver.equivalence, range(asked.pool_seeds), asked.pool)
            await contest(chosen, posed, replayed, outcomes, in_flight=4, watcher=Told(progress, "selecting"))
            await contest(
                entrants, posed, session, outcomes, in_flight=asked.in_flight, watcher=Told(progress, "growing")
            )
            return list(outcomes.rows)


def replace_engine(recipe):  # type: ignore[no-untyped-def]
    """The recipe with room for many sequences at once."""
    from dataclasses import replace as changed

    return changed(recipe, engine=replace(recipe.engine, max_sequences=128, retained=120))


def entered(asked: argparse.Namespace, solver: Search, verifiers: dict[str, Verifier]) -> tuple[list[Contestant], int]:
    """The methods that draw for themselves, and about how many samples they cost in all."""
    seeds = range(asked.seeds)
    growing = methods.growing(solver.process, verifiers, solver.equivalence, asked.sizes, seeds, ORACLES)
    greedy = Contestant("greedy", 1, lambda question, seed: greedy_search(solver.process, solver.equivalence))
    return [greedy, *growing], asked.problems * (1 + sum(c.size * len(c.seeds) for c in growing))


def greedy_search(process: ProcessFor, equivalence: Equivalence | None) -> Search:
    """One sample, always the likeliest token."""
    import numpy as np

    def cold(task: Task):  # type: ignore[no-untyped-def]
        made = process(task)
        started = made.start

        async def start(seeds):  # type: ignore[no-untyped-def]
            return made.temper(await started(seeds), np.zeros(len(seeds)))

        made.start = start
        return made

    return Search(cold, Vote(n=1), equivalence=equivalence)


async def measured_speed(process: ProcessFor, posed: list[Question], session: Session) -> float:
    """Samples a second, from a few questions of 16 samples each."""
    began = time.perf_counter()
    child = session.child("estimate")
    await asyncio.gather(*(Search(process, Vote(n=16)).solve(q.asked, child.child(q.task.id)) for q in posed))
    return 16 * len(posed) / (time.perf_counter() - began)


def tell_estimate(
    console: Console, asked: argparse.Namespace, entrants: list[Contestant], samples: int, speed: float
) -> None:
    """What is about to be paid."""
    pool = asked.problems * asked.pool * asked.pool_seeds
    console.print(
        f"{asked.problems} problems; a pool of {pool:,} samples; {len(entrants)} methods and sizes worth about {samples:,} samples; "
        f"at {speed:.0f} samples a second about {(pool + samples) / speed / 60:.0f} minutes, less what the folder already holds."
    )


def progress_bars(console: Console) -> Progress:
    """Bars with spend and time to go."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about five minutes: 24 problems, one seed, two sizes")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pool-seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("build/search"))
    parser.add_argument(
        "--head", default=None, help="a head trained on the laboratory model; without it the shipped one"
    )
    parser.add_argument("--in-flight", type=int, default=8, help="searches at once")
    parser.add_argument("--report-only", action="store_true", help="make the tables again from the folder")
    asked = parser.parse_args()
    asked.sizes, asked.pool = methods.SIZES, POOL
    if asked.quick:
        asked.problems, asked.seeds, asked.pool_seeds, asked.sizes, asked.pool = 24, 1, 1, (4, 16), 16
        asked.folder = asked.folder / "quick"
    console = Console(highlight=False)
    if asked.report_only:
        with Journal(
            asked.folder / "outcomes.jsonl",
            Outcome,
            identity=f"search benchmark: {asked.problems} problems of {COUNTED}",
        ) as journal:
            outcomes = list(journal.rows)
    else:
        outcomes = asyncio.run(run(asked, console))
    report(outcomes, questions(asked.problems), asked.folder, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
