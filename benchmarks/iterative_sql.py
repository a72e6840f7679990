"""Iterative decoding against best-of-n at equal tokens, on text to SQL by a model of the laboratory.

    .venv/bin/python benchmarks/iterative_sql.py [--questions 200] [--seeds 3]

`laboratory-sql` writes queries for databases of which it is told the tables and not the columns, and was trained to read what an attempt
gave.
The verifier is execution accuracy, the same for all arms, which differ in what a further attempt is told:

    best of n             nothing: whole answers, drawn anew
    iterative             the attempt before it, and what SQLite said to it
    kept only if better   the same, about the first attempt until there is a better one (the paper's acceptance; scores here are 0 or 1)
    without results       the attempt alone
    another's results     the attempt, and what SQLite said to an attempt at another question (control)

Every arm goes on until a query is right or the tokens are spent; what counts is the share of questions solved within so many tokens, output
and input together, prompts of revisions included. Chains and temperature of each arm were chosen on other questions (`--tune`).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from search_picture import curves

from outthink.agent import Agent, AgentProcess, Environment, EnvironmentReward, Observation, TextToSql, hidden_question
from outthink.core import Budget, Failure, Search, Session, Task
from outthink.core.events import Charged, Scored
from outthink.engines.engine import Sampling
from outthink.engines.local import Local, LocalEngine
from outthink.numerics.intervals import paired_bootstrap
from outthink.numerics.types import FloatArray
from outthink.search import Refine

TOKENS = 400
"""The longest that any arm goes on."""
SHOWN = (25, 50, 100, 200, 400)
CANDIDATES = (1, 2, 4, 8, 16)
TUNED_ON = 1_000_000
"""The first question of those that settings are chosen on."""
ROWS = 2
"""Rows of a result that are shown, as in training."""
IN_FLIGHT = 6
WRONG = 1e9
"""Tokens or candidates after which a question that stays unsolved is solved."""

World = Callable[[Task], Environment]


@dataclass(frozen=True)
class Arm:
    """What a further attempt is told: by the method, and by what the environment shows.

    `n`: chains side by side. `accept`: "always", or "better" for one best version that all chains start from. `redraw`: nothing is told.
    """

    world: World
    n: int = 1
    temperature: float = 0.7
    accept: str = "always"
    redraw: bool = False

    @property
    def method(self) -> Refine:
        better = self.accept == "better" or self.redraw
        return Refine(
            n=self.n,
            rounds=200,
            feedback="request",
            accept="better" if better else "always",
            base="best" if better else "own",
            ties="redraw" if self.redraw else "revise",
            threshold=1.0,
            unchanged=0,
        )


class Spent(msgspec.Struct):
    """Of every question, what had been spent when it was solved; `WRONG` where it was not. [questions] each."""

    tokens: list[float]
    candidates: list[float]


class OfAnother(TextToSql):
    """Shows what some attempt at another question gave."""

    def __init__(self, task: Task, others: Sequence[str]) -> None:
        super().__init__(task)
        self._others = others

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        at = int.from_bytes(hashlib.blake2b(actions[-1].encode(), digest_size=8).digest(), "big")
        return Observation(self._others[at % len(self._others)], done=True)


def plain(task: Task) -> Environment:
    """Shows what an attempt gave."""
    return TextToSql(task, shows_result=True, shown=ROWS)


def silent(task: Task) -> Environment:
    """Shows nothing of what an attempt gave."""
    return TextToSql(task)


def swapped(said: dict[str, list[str]], names: Sequence[str]) -> World:
    """Shows of each question what was said of wrong attempts at the next one; `said`: by question."""
    following = {name: names[(i + 1) % len(names)] for i, name in enumerate(names)}
    every = [text for name in names for text in said.get(name, [])]
    return lambda task: OfAnother(task, said.get(following[task.id]) or every)


async def spent(
    engine: LocalEngine, arm: Arm, tasks: Sequence[Task], seed: int, said: dict[str, list[str]] | None = None
) -> Spent:
    """One arm on all questions. `said` collects what was said of wrong attempts."""
    gate, settings = (
        asyncio.Semaphore(IN_FLIGHT),
        Agent(turns=1, max_tokens=48, sampling=Sampling(temperature=arm.temperature)),
    )
    whole = Session.open(seed=seed)

    async def one(task: Task) -> tuple[float, float]:
        async with gate:
            environment = arm.world(task)
            process = AgentProcess(engine, environment, settings)
            session = whole.child(task.id, budget=Budget(tokens=TOKENS))
            result = await Search(lambda task: process, arm.method, EnvironmentReward(environment)).solve(task, session)
            session.close()
        if said is not None:
            wrong = [c for c, score in zip(result.candidates, result.scores, strict=True) if score == 0.0]
            said[task.id] = [str(c.content[-1].content) for c in wrong]
        tokens, tried = 0, 0
        for event in session.trace.of(task.id):
            if isinstance(event, Charged):
                tokens = event.tokens
            elif isinstance(event, Scored):
                for value in event.values:
                    tried += 1
                    if value == 1.0:
                        return float(tokens), float(tried)
        return WRONG, WRONG

    found = await asyncio.gather(*(one(task) for task in tasks))
    whole.close()
    return Spent([t for t, _ in found], [c for _, c in found])


def solved(runs: Sequence[Spent], column: str, within: float) -> FloatArray:
    """The share of seeds with which each question was solved within so much, [questions]."""
    return np.mean([np.array(getattr(run, column)) <= within for run in runs], axis=0, dtype=np.float64)


def table(found: dict[str, list[Spent]], column: str, ends: Sequence[int]) -> str:
    """Share solved by arm, and the paired difference to best of n, both in points with 95% intervals over questions."""
    lines = [f"| {column} | {' | '.join(map(str, ends))} |", "|---|" + "---|" * len(ends)]
    for name, runs in found.items():
        cells = []
        for end in ends:
            ours, best = solved(runs, column, end), solved(found[BEST], column, end)
            cells.append(f"{100 * ours.mean():.1f}")
            if name != BEST:
                gap = paired_bootstrap(ours, best, np.random.default_rng(0))
                cells[-1] += f" ({100 * (ours - best).mean():+.1f}; {100 * gap.low:+.1f} to {100 * gap.high:+.1f})"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


BEST, ITERATIVE, BETTER, SILENT, OTHER = (
    "best of n",
    "iterative",
    "kept only if better",
    "without results",
    "another's results",
)
ARMS = {
    BEST: Arm(plain, redraw=True),
    ITERATIVE: Arm(plain),
    BETTER: Arm(plain, accept="better"),
    SILENT: Arm(silent),
    OTHER: Arm(plain),
}


async def main(arguments: argparse.Namespace) -> None:
    began = time.process_time()
    tasks = [hidden_question(seed) for seed in range(arguments.questions)]
    engine = Local(model=arguments.model, max_sequences=32, retained=64).open()
    found: dict[str, list[Spent]] = {name: [] for name in ARMS}
    try:
        for seed in range(arguments.seeds):
            said: dict[str, list[str]] = {}
            for name, arm in ARMS.items():
                if name == OTHER:
                    arm = replace(arm, world=swapped(said, [task.id for task in tasks]))
                found[name].append(await spent(engine, arm, tasks, seed, said if name == ITERATIVE else None))
                print(f"seed {seed}, {name}: {time.process_time() - began:.0f} processor seconds", file=sys.stderr)
    finally:
        await engine.close()
    print(f"{len(tasks)} held-out questions, {arguments.seeds} seeds; share solved, %, and difference to best of n\n")
    print(table(found, "tokens", SHOWN), table(found, "candidates", CANDIDATES), sep="\n\n")
    print(f"\n{time.process_time() - began:.0f} processor seconds")
    if arguments.picture:
        ends = np.geomspace(25, TOKENS, 24)
        lines = {
            name: [(end, float(solved(runs, "tokens", end).mean())) for end in ends] for name, runs in found.items()
        }
        arguments.picture.write_text(curves("Text to SQL: share solved within so many tokens", lines), encoding="utf-8")


async def tune(arguments: argparse.Namespace) -> None:
    """Chains and temperature of each arm, on questions that are not judged."""
    tasks = [hidden_question(TUNED_ON + seed) for seed in range(arguments.questions)]
    engine = Local(model=arguments.model, max_sequences=32, retained=64).open()
    try:
        for name, sizes in ((BEST, (1,)), (ITERATIVE, (1, 4)), (BETTER, (1, 4))):
            for n in sizes:
                for temperature in (0.7, 1.0):
                    arm = replace(ARMS[name], n=n, temperature=temperature)
                    run = await spent(engine, arm, tasks, 0)
                    shares = " ".join(f"{100 * solved([run], 'tokens', end).mean():5.1f}" for end in SHOWN)
                    print(f"{name:20} n {n} temperature {temperature:g}: {shares} within {SHOWN} tokens", flush=True)
    finally:
        await engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="laboratory-sql")
    parser.add_argument("--tune", action="store_true", help="try settings of the arms on other questions")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg")
    given = parser.parse_args()
    asyncio.run(tune(given) if given.tune else main(given))
