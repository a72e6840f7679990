"""How good the SQL model is on held-out questions, played by the embedded engine as search plays it, and the card that says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from outthink.agent.episode import Episodes
from outthink.agent.process import AgentProcess
from outthink.agent.settings import Agent
from outthink.agent.sql_questions import KINDS, draw, hidden_question
from outthink.agent.sql_worlds import CHANCES, COLUMNS, DOMAINS
from outthink.agent.text_to_sql import TextToSql
from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.core.ledger import Allowance
from outthink.core.process import Advance
from outthink.core.task import Task
from outthink.engines.engine import Engine, Sampling
from outthink.numerics.types import BoolArray, FloatArray
from outthink.search.refine import REQUEST
from outthink.train.laboratory.settings import SqlTraining
from outthink.train.laboratory.sql_examples import SHOWN, SILENT, WAYS

QUESTIONS, SAMPLES = 200, 16
LONGEST = 48
"""Tokens of the longest action."""
FROM = 2_000_000
"""The first question that the card is measured on; benchmarks have others."""


@dataclass(frozen=True)
class SqlAccuracy:
    """What some held-out questions came to.

    Attributes:
        right: whether each sample is, [questions, samples].
        redrawn, revised, unseeing: of the questions whose first sample is wrong, the share of right ones among samples drawn anew, among
            revisions of that first one, and among revisions that do not see what it gave, [wrong] each.
        constant: share of the questions that the most frequent right query answers. common: share that are answered by taking every column
            for what it is called most often.
    """

    right: BoolArray
    redrawn: FloatArray
    revised: FloatArray
    unseeing: FloatArray
    constant: float
    common: float

    @property
    def single(self) -> float:
        return float(self.right.mean())

    @property
    def error(self) -> float:
        """Standard error of `single` over questions."""
        return error(self.right.mean(axis=1))

    @property
    def covered(self) -> float:
        return float(self.right.any(axis=1).mean())


def error(shares: FloatArray) -> float:
    """Standard error of a mean over questions."""
    return float(shares.std(ddof=1) / np.sqrt(len(shares)))


async def sql_accuracy(
    engine: Engine, *, questions: int = QUESTIONS, samples: int = SAMPLES, temperature: float = 1.0
) -> SqlAccuracy:
    """Sample held-out questions, and revise a wrong sample of each. A failure of the engine is raised."""
    tasks = [hidden_question(FROM + i) for i in range(questions)]
    settings = Agent(turns=1, max_tokens=LONGEST, sampling=Sampling(temperature=temperature))
    right, after = [], []
    for i, task in enumerate(tasks):
        key = Key(7).child("laboratory", "sql-card", i)
        process = AgentProcess(engine, TextToSql(task, shows_result=True, shown=SHOWN), settings)
        seeds = key.child("samples").seeds(samples)
        drawn = await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())
        right.append(await _right(process, drawn))
        if right[-1][0]:
            continue
        blind = AgentProcess(engine, TextToSql(task), settings)
        first = drawn.states[0]
        seen = (first,) * samples
        unseen = (
            replace(first, turns=tuple(replace(turn, seen="Your query was handed in.") for turn in first.turns)),
        ) * samples
        again = key.child("again").seeds(samples)
        told = [REQUEST] * samples
        after.append(
            [
                right[-1][1:].mean(),
                (await _right(process, await process.revise(seen, told, again, allowance=Allowance()))).mean(),
                (await _right(blind, await blind.revise(unseen, told, again, allowance=Allowance()))).mean(),
            ]
        )
    redrawn, revised, unseeing = np.array(after, np.float64).reshape(-1, 3).T
    return SqlAccuracy(np.array(right), redrawn, revised, unseeing, *await _constants(tasks))


async def _right(process: AgentProcess, played: Advance[Episodes]) -> BoolArray:
    if played.failures:
        raise next(iter(played.failures.values())).as_error()
    return await _rewards(process.environment, [state.actions for state in played.states])  # type: ignore[arg-type]


async def _rewards(environment: TextToSql, episodes: Sequence[Sequence[str]]) -> BoolArray:
    earned = await asyncio.gather(*(environment.reward(actions) for actions in episodes))
    for one in earned:
        if isinstance(one, Failure):
            raise one.as_error()
    return np.array([not isinstance(one, Failure) and one.value == 1.0 for one in earned])


async def _constants(tasks: Sequence[Task]) -> tuple[float, float]:
    """See `SqlAccuracy`."""
    constant = Counter(task.reference for task in tasks).most_common(1)[0][0]
    names = tuple(columns[0] for columns in COLUMNS.values())
    same, common = [], []
    for i, task in enumerate(tasks):
        question, _ = draw(Key(FROM + i).child("hidden question").rng(), unseen=True)
        usual = replace(question, world=replace(question.world, columns=names, capitals=True))
        found = await _rewards(TextToSql(task), [(f"SUBMIT {constant}",), (f"SUBMIT {usual.query}",)])
        same.append(found[0])
        common.append(found[1])
    return float(np.mean(same)), float(np.mean(common))


def sql_card(settings: SqlTraining, made: str, weights: Path, found: SqlAccuracy) -> str:
    """The card in Markdown. `made`: what the training took."""
    shape, n, samples = settings.shape, *found.right.shape
    chances = ", ".join(f"{chance:.0%}" for chance in CHANCES)
    return f"""# The SQL model

A Llama of {shape.layers} layers, width {shape.width}, heads of {shape.head}, inner width {shape.inner}, 256 tokens (printable ASCII, and
the words of its small language), context {shape.context}. Weights in Q8_0, {weights.stat().st_size / 1e6:.1f} MB. Licence Apache-2.0.
It answers {len(KINDS)} kinds of question in a small fixed English with SQLite queries, on databases of three tables of whose columns it is
told nothing but their keys, and it reads what an earlier attempt gave. It does nothing else: it is there so that refinement can be studied
on real generations.

## How it was made

`outthink train laboratory-sql --seed {settings.seed}`, from nothing: {made}.

Data are made as they are needed, by `outthink.agent.sql_questions`, from that seed: {len(DOMAINS)} domains with two names for each table,
three for each of the {len(COLUMNS)} columns ({chances} of the databases) and two ways of writing values.
{settings.first:.0%} of the examples are a question and its query; the others also show a wrong attempt and what the environment said of it,
in its own words. Attempts guess columns anew, a random share of them known; {WAYS:.0%} are the query of another question; of {SILENT:.0%}
nothing is said.

One in eight pairs of a kind of question with the names in a database is held out, by a hash; no such pair was trained on.

## How good it is

{n} held-out questions, {samples} samples of each at temperature 1, by the embedded engine; right is what gives the rows of the right query.
In brackets the standard error over questions.

| | share right |
|---|---|
| one sample | {found.single:.3f} ({found.error:.3f}) |
| any of {samples} | {found.covered:.3f} |
| the most frequent right query, to every question | {found.constant:.3f} |
| every column taken for what it is called most often | {found.common:.3f} |

Of the {len(found.revised)} questions whose first sample is wrong:

| what comes next | share right |
|---|---|
| a sample drawn anew | {found.redrawn.mean():.3f} ({error(found.redrawn):.3f}) |
| a revision of the first | {found.revised.mean():.3f} ({error(found.revised):.3f}) |
| a revision that does not see what the first gave | {found.unseeing.mean():.3f} ({error(found.unseeing):.3f}) |
"""
