"""Search methods on the laboratory model, at matched total cost: who solves more of 200 held-out problems, and for how many tokens.

    .venv/bin/python benchmarks/search.py [--quick] [--problems 200] [--seeds 3] [--pool-seeds 5] [--folder build/search]

Methods that only select (greedy, votes, best-of-n, adaptive) read one stored pool of 64 samples a problem and seed; methods that look at
partial answers run at the size of 4, 8, 16 and 32 samples. Verifiers: the exact oracle ("oracle": what a perfect verifier would be worth),
the value model that comes with the package ("value": what can be had, its tokens counted), and for the first seed a linear head on the
generating model's states ("head": a poor verifier). Prints its estimate first, works on many problems at once, is resumable (Ctrl-C or a
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
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import search_methods as methods
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from search_report import VERIFIERS, report

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
from outthink.search import ParticleFilter, Vote
from outthink.text.settings import Text
from outthink.verify import EmbeddedRewardModel, RewardHead

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
        if asked.value:
            verifiers["value"] = value_model(asked.value)
        if asked.head:
            verifiers["head"] = RewardHead(path=asked.head).build(Parts(engine=built.engine))
        identity = identity_of(asked)
        with (
            Journal(asked.folder / "pools.jsonl", Pool, identity=identity) as pools_journal,
            Journal(asked.folder / "outcomes.jsonl", Outcome, identity=identity) as outcomes,
            progress_bars(console) as progress,
        ):
            entrants = entered(asked, solver, greedy.solver.process, verifiers)
            speeds = await measured_speeds(solver.process, posed[:8], verifiers, session)
            tell_estimate(console, asked, entrants, speeds, outcomes, pools_journal)
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
            for verifier in verifiers.values():
                await verifier.close()
            return list(outcomes.rows)


def value_model(model: str) -> Verifier:
    """The value model on an engine of its own, with room for the prefixes of many searches at once."""
    settings = EmbeddedRewardModel(
        model=model, format="laboratory-value", split="\n", max_sequences=60, retained=190, candidate_tokens=128
    )
    return settings.build(Parts())


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
) -> list[Contestant]:
    """The methods that draw for themselves."""
    seeds = {name: range(1 if name == "head" else asked.seeds) for name in verifiers}
    grown = {name: judge for name, judge in verifiers.items() if name in asked.grow}
    growing = methods.growing(solver.process, grown, solver.equivalence, asked.sizes, seeds, ORACLES)
    one = Contestant("greedy", 1, lambda question, seed: Search(greedy, Vote(n=1), equivalence=solver.equivalence))
    return [one, *growing]


async def measured_speeds(
    process: ProcessFor, posed: list[Question], verifiers: dict[str, Verifier], session: Session
) -> dict[str, float]:
    """Samples a second, from a few questions of 16 samples each: drawn alone (""), and as particles under each verifier."""
    found = {}
    for name, judge in {"": None, **verifiers}.items():
        began, child = time.perf_counter(), session.child(f"estimate/{name}")
        search = Search(process, Vote(n=16) if judge is None else ParticleFilter(n=16), judge)
        await asyncio.gather(*(search.solve(q.task, child.child(q.task.id)) for q in posed))
        found[name] = 16 * len(posed) / (time.perf_counter() - began)
    return found


def tell_estimate(
    console: Console,
    asked: argparse.Namespace,
    entrants: list[Contestant],
    speeds: dict[str, float],
    outcomes: Journal[Outcome],
    pools: Journal[Pool],
) -> None:
    """What is about to be paid, less what the folder already holds."""
    had = Counter((row.method, row.size, row.seed) for row in outcomes.rows)
    samples = Counter[str]()
    for entrant in entrants:
        left = sum(max(0, asked.problems - had[entrant.method, entrant.size, seed]) for seed in entrant.seeds)
        samples[entrant.method.partition("/")[2]] += left * entrant.size
    drawn = len({(pool.question, pool.seed) for pool in pools.rows if pool.seed < asked.pool_seeds})
    samples[""] += asked.pool * (asked.problems * asked.pool_seeds - drawn)
    seconds = sum(count / speeds[name] for name, count in samples.items())
    shares = ", ".join(
        f"{count:,} under {name or 'no verifier'} at {speeds[name]:.0f}/s" for name, count in samples.items()
    )
    console.print(f"{asked.problems} problems; still to draw, in samples: {shares}; about {seconds / 60:.0f} minutes.")


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
    parser.add_argument(
        "--grow",
        nargs="*",
        choices=VERIFIERS,
        default=list(VERIFIERS),
        help="verifiers of methods that look at partial answers",
    )
    parser.add_argument(
        "--value", default="laboratory-value", help="a value model: a known name or a file; '' for none"
    )
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
