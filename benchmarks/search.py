"""Search methods on the laboratory model, at matched total cost: who solves more of 200 held-out problems, and for how many tokens.

    .venv/bin/python benchmarks/search.py [--quick] [--problems 200] [--seeds 3] [--pool-seeds 5] [--folder build/search] [--head FILE]

Methods that only select (greedy, votes, best-of-n, adaptive) read one stored pool of 64 samples a problem and seed; methods that look at
partial answers run at the size of 4, 8, 16 and 32 samples. Two verifiers: the trained head ("head": what can be had) and the exact oracle
("oracle": what a perfect verifier would be worth). Prints its estimate first, works on many problems at once, is resumable (Ctrl-C or a
kill loses only what is under way), and leaves outcomes.jsonl, tables.md and curves-*.svg in its folder. `--quick` takes about five minutes.

"k times less" is the cost at which the baseline reaches a level over the cost at which the method does, at the levels that quarter the
baseline's range, with a paired bootstrap over problems; 0 means that the level was never reached.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import search_methods as methods
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from search_report import report

from outthink import laboratory
from outthink.bench import Contestant, Journal, Outcome, Pool, Question, contest, draw_pools
from outthink.core.component import Parts
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.core.settings import replace
from outthink.core.solver import ProcessFor, Search
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Verifier
from outthink.engines.engine import Sampling
from outthink.engines.local import Local
from outthink.laboratory import STANDARD, LaboratoryOracle, problems, solved
from outthink.recipes import Recipe, load
from outthink.recipes.build import Live, build
from outthink.search import Vote
from outthink.text.settings import Text
from outthink.verify.reward_head import RewardHead

HEAD = Path(laboratory.__file__).parent / "laboratory-head.safetensors"
CHOSEN_ON = Key(1000)
"""Settings were chosen on problems drawn with this key; those that are counted come from `COUNTED`."""
COUNTED = Key(7)
POOL = 64
ORACLES = frozenset({"oracle"})


def questions(n: int, key: Key = COUNTED) -> list[Question]:
    """n held-out problems, as many of each of the laboratory's standard kinds as go evenly; the first kinds get what is left over."""
    found = []
    for i, family in enumerate(STANDARD):
        share = n // len(STANDARD) + (i < n % len(STANDARD))
        kind = f"{family.name()}-{getattr(family, 'terms', None) or getattr(family, 'numbers', '')}"
        for number, task in enumerate(problems(family, share, key.child(i)), start=1):
            named = msgspec.structs.replace(task, id=f"{kind}-{number}")
            found.append(Question(named, _right(named), kind))
    return found


def _right(task: Task) -> Callable[[Candidate], bool]:
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
    recipe = roomy(load("laboratory"))
    posed = questions(asked.problems, asked.key)
    session = Session.open(seed=1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, session.cut.fire, "interrupt")
    async with build(recipe) as built, build(cold(recipe), live=Live(engine=built.engine)) as greedy:
        solver = built.solver
        verifiers: dict[str, Verifier] = {"oracle": LaboratoryOracle()}
        if asked.head:
            verifiers = {"head": RewardHead(path=asked.head).build(Parts(engine=built.engine)), **verifiers}
        identity = identity_of(asked)
        with (
            Journal(asked.folder / "pools.jsonl", Pool, identity=identity) as pools_journal,
            Journal(asked.folder / "outcomes.jsonl", Outcome, identity=identity) as outcomes,
            progress_bars(console) as progress,
        ):
            speed = await measured_speed(solver.process, posed[:8], session)
            entrants, samples = entered(asked, solver, greedy.solver.process, verifiers)
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


def roomy(recipe: Recipe) -> Recipe:
    """The recipe with room for many sequences at once, and just under the batch from which the library's attention gets slower."""
    if not isinstance(recipe.engine, Local):
        raise TypeError(f"the preset 'laboratory' runs on {type(recipe.engine).__name__}, expected the embedded engine")
    # Hidden states cost nothing here, and the head reads them.
    process = replace(recipe.process, hidden=True)
    return dataclasses.replace(recipe, engine=replace(recipe.engine, max_sequences=60, retained=120), process=process)


def cold(recipe: Recipe) -> Recipe:
    """The recipe at temperature 0."""
    if not isinstance(recipe.process, Text):
        raise TypeError(f"the preset 'laboratory' generates with {type(recipe.process).__name__}, expected text")
    return dataclasses.replace(recipe, process=replace(recipe.process, sampling=Sampling(temperature=0.0)))


def entered(
    asked: argparse.Namespace, solver: Search, greedy: ProcessFor, verifiers: dict[str, Verifier]
) -> tuple[list[Contestant], int]:
    """The methods that draw for themselves, and about how many samples they cost in all."""
    seeds = range(asked.seeds)
    growing = methods.growing(solver.process, verifiers, solver.equivalence, asked.sizes, seeds, ORACLES)
    one = Contestant("greedy", 1, lambda question, seed: Search(greedy, Vote(n=1), equivalence=solver.equivalence))
    return [one, *growing], asked.problems * (1 + sum(c.size * len(c.seeds) for c in growing))


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


def identity_of(asked: argparse.Namespace) -> str:
    """What the folder's journals belong to."""
    return f"search benchmark: {asked.problems} problems of {asked.key}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about five minutes: 24 problems, one seed, two sizes")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pool-seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("build/search"))
    parser.add_argument("--head", default=str(HEAD), help="a head trained on the laboratory model; '' for none")
    parser.add_argument(
        "--chosen-on", action="store_true", help="on problems that do not count: those that settings were chosen on"
    )
    parser.add_argument("--in-flight", type=int, default=8, help="searches at once")
    parser.add_argument("--report-only", action="store_true", help="make the tables again from the folder")
    asked = parser.parse_args()
    asked.sizes, asked.pool = methods.SIZES, POOL
    if asked.quick:
        asked.problems, asked.seeds, asked.pool_seeds, asked.sizes, asked.pool = 24, 1, 1, (4, 16), 16
        asked.folder = asked.folder / "quick"
    asked.key = CHOSEN_ON if asked.chosen_on else COUNTED
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
    report(outcomes, questions(asked.problems, asked.key), asked.folder, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
