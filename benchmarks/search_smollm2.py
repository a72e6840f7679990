"""Search with SmolLM2-135M: sums of three and of four numbers by a checker of arithmetic, gcd by a trained head beside its control.

    .venv/bin/python benchmarks/search_smollm2.py [--problems 100] [--sets gcd sums-3 sums-4] [--folder build/search-smollm2]

100 problems of each set, the settings of `outthink demo`: greedy, a majority of 16, best-of-16, and for sums, whose lines can be checked,
a particle filter of 16 and a beam of 16. The vote and best-of-16 choose from the same samples. gcd is answered in one number, which no rule
is told to check: a head on the model's hidden states, trained on 300 other problems, chooses, and beside it a control that has learned only
which answers are usually right. Prints its estimate first; problems are done ten at a time with all methods, each as soon as it is
finished, so that a run that was stopped shows the first problems whole and goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import gcd
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from outthink.bench import Contestant, Journal, Outcome, Pool, Pools, Question, contest, draw_pools
from outthink.core.component import Parts
from outthink.core.key import Key
from outthink.core.session import Session
from outthink.core.solver import ProcessFor, Search
from outthink.core.task import Candidate, Task
from outthink.core.verifier import ScoreKind, Verifier
from outthink.demo.plan import Plan
from outthink.demo.problems import Kind, Numbers, Sums, draw
from outthink.demo.processes import ANSWER, text
from outthink.engines.engine import Sampling
from outthink.engines.local import Local, LocalEngine
from outthink.numerics import bootstrap_percentile, count_pairs, difference_interval
from outthink.recipes import Recipe
from outthink.search import Beam, BestOfN, ParticleFilter, Vote
from outthink.text.settings import Example, Text
from outthink.train import train_head
from outthink.train.heads import collect_for
from outthink.train.selection import AnswerPrior
from outthink.verify import Arithmetic, RewardHead, as_verifier
from outthink.verify.head_file import load_head_file, save_head_file

COUNTED = Key(7).child("smollm2")
N = 16
SLICE = 10
TRAINED_ON = 300
PLAN = Plan(reply=60)
SHOWN = ((12, 18), (7, 5), (8, 20), (15, 10), (9, 4), (14, 7), (6, 16), (20, 13))
HIGHEST = 30


@dataclass(frozen=True)
class FourSums(Sums):
    """Four numbers, added from left to right."""

    name: str = "sums-4"
    title: str = "sums of four numbers"

    def draw(self, rng: np.random.Generator) -> Numbers:
        return tuple(rng.integers(2, self.highest, size=4, endpoint=True).tolist())

    def working(self, numbers: Numbers) -> list[str]:
        totals = np.cumsum(numbers).tolist()
        return [f"{before} + {n} = {after}" for before, n, after in zip(totals, numbers[1:], totals[1:], strict=False)]


class Control(msgspec.Struct, frozen=True):
    """Answers of the head's training problems and whether they were right: all that the control knows."""

    answers: list[str | None]
    right: list[bool]


@dataclass(frozen=True)
class Posed:
    """One set: its questions, how they are put to the model, and who judges."""

    questions: list[Question]
    greedy: ProcessFor
    sampled: ProcessFor
    verifiers: dict[str, Verifier]


def right_when(answer: int) -> Callable[[Candidate], bool]:
    """Whether a candidate's answer is this number."""
    return lambda candidate: candidate.final and candidate.answer == str(answer)


def sums(kind: Kind, n: int, engine: LocalEngine) -> Posed:
    """Worked sums, one equation a line."""
    questions = [
        Question(Task(prompt=one.question, id=f"{kind.name}-{i}"), right_when(one.answer), kind.name)
        for i, one in enumerate(draw(kind, n, COUNTED), start=1)
    ]
    parts = Parts(engine=engine, answer=ANSWER)
    greedy, sampled = (text(kind, PLAN, temperature) for temperature in (0.0, PLAN.temperature))
    return Posed(
        questions,
        lambda task: greedy.build(task, parts),
        lambda task: sampled.build(task, parts),
        {"arithmetic": Arithmetic(check_answer=True)},
    )


def gcd_text(temperature: float) -> Text:
    """gcd as a line of eight worked lines, the number alone."""
    return Text(
        format="plain",
        prompt="{question} = {answer}\n",
        examples=tuple(Example(question=f"gcd({a}, {b})", answer=str(gcd(a, b))) for a, b in SHOWN),
        stop=("\n",),
        max_tokens=12,
        sampling=Sampling(temperature=temperature),
        hidden=True,
    )


def pairs() -> list[tuple[int, int]]:
    """All pairs of different numbers, in random order, each with one of its two orders."""
    shown = {frozenset(pair) for pair in SHOWN}
    every = [(a, b) for a in range(2, HIGHEST + 1) for b in range(2, a) if frozenset((a, b)) not in shown]
    rng = COUNTED.child("gcd").rng()
    return [every[i] if rng.random() < 0.5 else every[i][::-1] for i in rng.permutation(len(every)).tolist()]


async def gcds(n: int, engine: LocalEngine, folder: Path, console: Console) -> Posed:
    """gcd with a head trained on other pairs of numbers."""
    drawn = pairs()
    judged, learned = drawn[:n], drawn[n:][:TRAINED_ON]
    parts = Parts(engine=engine, answer=ANSWER)
    head, control = folder / "gcd-head.safetensors", folder / "gcd-control.json"
    if not control.exists():
        console.print(f"training the head on {len(learned)} pairs")
        recipe = Recipe(
            algorithm=BestOfN(n=N), engine=engine.settings, process=gcd_text(PLAN.temperature), answer=ANSWER
        )
        tasks = [Task(prompt=f"gcd({a}, {b})", reference=str(gcd(a, b)), id=f"{a}-{b}") for a, b in learned]
        examples, digest, name = await collect_for(recipe, tasks, samples=N, key=COUNTED.child("head"))
        trained = train_head(examples, model=digest, model_name=name, key=COUNTED.child("split"))
        save_head_file(head, trained.head)
        control.write_bytes(msgspec.json.encode(Control(list(examples.answers), examples.right.tolist())))
    known = msgspec.json.decode(control.read_bytes(), type=Control)
    prior = AnswerPrior(known.answers, np.array(known.right))
    console.print(f"the head: {dict(load_head_file(head).facts)}")

    def usual(answer: str) -> float:
        return prior(answer)

    questions = [
        Question(Task(prompt=f"gcd({a}, {b})", id=f"gcd-{a}-{b}"), right_when(gcd(a, b)), "gcd") for a, b in judged
    ]
    greedy, sampled = gcd_text(0.0), gcd_text(PLAN.temperature)
    return Posed(
        questions,
        lambda task: greedy.build(task, parts),
        lambda task: sampled.build(task, parts),
        {"head": RewardHead(path=str(head)).build(parts), "control": as_verifier(usual)},
    )


def contestants(posed: Posed, pools: Pools) -> list[Contestant]:
    """Every method for a set."""
    equivalence = ANSWER.build(Parts())
    found = [Contestant("greedy", 1, lambda question, seed: Search(posed.greedy, Vote(n=1), equivalence=equivalence))]

    def chosen(algorithm: Any, name: str, question: Question, seed: int) -> Search:
        pool = pools.at(question.task.id, seed)
        judge = pool.scores(name, posed.verifiers[name].spec) if name else None
        return Search(lambda task: pool.process(), algorithm, judge, equivalence)

    def grown(algorithm: Any, judge: Verifier, question: Question, seed: int) -> Search:
        return Search(posed.sampled, algorithm, judge, equivalence)

    found.append(Contestant("vote", N, partial(chosen, Vote(n=N), "")))
    for name, judge in posed.verifiers.items():
        found.append(Contestant(f"best-of-n/{name}", N, partial(chosen, BestOfN(n=N), name)))
        if judge.spec.partial and judge.spec.kind is not ScoreKind.OUTCOME and name == "arithmetic":
            found.append(Contestant(f"particle-filter/{name}", N, partial(grown, ParticleFilter(n=N), judge)))
            found.append(Contestant(f"beam/{name}", N, partial(grown, Beam(n=N), judge)))
    return found


async def run(asked: argparse.Namespace, console: Console) -> None:
    """Every set, ten problems at a time."""
    engine = Local(max_sequences=32).open()
    session = Session.open(seed=1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, session.cut.fire, "interrupt")
    try:
        for name in asked.sets:
            if session.cut.reason is None:
                await run_set(name, asked, engine, session, console)
    finally:
        await engine.close()


async def run_set(
    name: str, asked: argparse.Namespace, engine: LocalEngine, session: Session, console: Console
) -> None:
    kinds: dict[str, Kind] = {"sums-3": Sums(name="sums-3"), "sums-4": FourSums()}
    asked.folder.mkdir(parents=True, exist_ok=True)
    posed = (
        sums(kinds[name], asked.problems, engine)
        if name in kinds
        else await gcds(asked.problems, engine, asked.folder, console)
    )
    identity, known = f"search of SmolLM2: {name}", Pools({})
    with (
        Journal(asked.folder / f"{name}-pools.jsonl", Pool, identity=identity) as pools_journal,
        Journal(asked.folder / f"{name}.jsonl", Outcome, identity=identity) as outcomes,
    ):
        grown = sum(contestant.method.startswith(("particle", "beam")) for contestant in contestants(posed, known))
        had = len({row.question for row in outcomes.rows})
        began = time.perf_counter()
        await Search(posed.sampled, Vote(n=N)).solve(posed.questions[0].asked, session.child(f"estimate/{name}"))
        seconds = (time.perf_counter() - began) * (1 + grown) * (len(posed.questions) - had)
        console.print(f"{name}: {len(posed.questions)} problems, {had} of them begun; about {seconds / 60:.0f} minutes")
        began = time.perf_counter()
        for begin in range(0, len(posed.questions), SLICE):
            part = posed.questions[begin : begin + SLICE]
            known = await draw_pools(part, (0,), N, posed.sampled, session, pools_journal, verifiers=posed.verifiers)
            if session.cut.reason is None:
                await contest(contestants(posed, known), part, session, outcomes, in_flight=4)
            seconds = time.perf_counter() - began
            left = seconds / (begin + len(part)) * (len(posed.questions) - begin - len(part))
            console.print(
                f"{name}: {begin + len(part)} problems in {seconds:.0f} s; about {left / 60:.0f} minutes more"
            )
            if session.cut.reason is not None:
                break


def report(asked: argparse.Namespace, console: Console) -> None:
    """tables.md in the folder, and on the terminal, of the problems that every method of a set has met."""
    lines = []
    for name in asked.sets:
        path = asked.folder / f"{name}.jsonl"
        if not path.exists():
            continue
        with Journal(path, Outcome, identity=f"search of SmolLM2: {name}") as journal:
            rows = journal.rows
        methods = list(dict.fromkeys(row.method for row in rows))
        by = {method: {row.question: row for row in rows if row.method == method} for method in methods}
        whole = sorted(set.intersection(*(set(found) for found in by.values()))) if by else []
        lines += [
            f"\n## {name}: {len(whole)} problems\n",
            "| method | solved % (95%) | tokens a problem | more than best-of-n, points (95%) |",
            "|---|---|---|---|",
        ]
        base = next((method for method in methods if method.startswith("best-of-n")), "")
        best = np.array([by[base][question].right for question in whole]) if base else np.array([], bool)
        for method in methods:
            found = [by[method][question] for question in whole]
            values = np.array([float(row.right) for row in found])
            interval = bootstrap_percentile(values, np.random.default_rng(0), resamples=1000)
            shown = f"{100 * values.mean():.0f} ({100 * interval.low:.0f} to {100 * interval.high:.0f})"
            more = ""
            if base and method != base:
                pairs = count_pairs(values > 0, best)
                between = difference_interval(pairs)
                more = f"{100 * pairs.difference:+.0f} ({100 * between.low:+.0f} to {100 * between.high:+.0f})"
            lines.append(f"| {method} | {shown} | {np.mean([row.tokens for row in found]):.0f} | {more} |")
    (asked.folder / "tables.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print("\n".join(lines), soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100, help="of each set")
    parser.add_argument("--sets", nargs="+", choices=("gcd", "sums-3", "sums-4"), default=["gcd", "sums-3", "sums-4"])
    parser.add_argument("--folder", type=Path, default=Path("build/search-smollm2"))
    parser.add_argument("--report-only", action="store_true", help="make the tables again from the folder")
    asked = parser.parse_args()
    console = Console(highlight=False)
    if not asked.report_only:
        asyncio.run(run(asked, console))
    report(asked, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
