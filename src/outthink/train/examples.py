"""Samples of a model with the state it was in and whether they were right: what heads are trained on.

Each problem is sampled many times, each sample is labelled by a verifier that knows the right answer, and the state at its last token is
kept. With `prefixes`, the state at the end of every step is kept as well, each with the label of the sample that it became: a head trained
on these rates unfinished answers by how they will end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import InputError, explain
from outthink.core.key import Key
from outthink.core.ledger import Allowance
from outthink.core.process import Process
from outthink.core.solver import ProcessFor
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Verifier
from outthink.numerics.types import BoolArray, FloatArray, IntArray

WANTS = frozenset({"hidden"})
LONGEST = 1000
"""Steps of a sample, after which it counts as unfinished."""


@dataclass(frozen=True)
class Examples:
    """m states.

    Attributes:
        states: [m, width]. right: whether the sample that each belongs to ended right, [m].
        problem: index of its task, [m]. sample: index of its sample among all, [m]. final: whether it is the sample's last state, [m].
        answers: the sample's answer, [m]; None where it gave none.
        cost: what collecting cost. `dropped`: samples that failed, or of which no state is known.
    """

    states: FloatArray
    right: BoolArray
    problem: IntArray
    sample: IntArray
    final: BoolArray
    answers: tuple[str | None, ...]
    cost: Cost = ZERO
    dropped: int = 0

    def take(self, which: BoolArray) -> Examples:
        """Those for which `which` [m] holds; cost and dropped ones stay."""
        at = np.flatnonzero(which)
        return Examples(
            self.states[at],
            self.right[at],
            self.problem[at],
            self.sample[at],
            self.final[at],
            tuple(self.answers[i] for i in at.tolist()),
            self.cost,
            self.dropped,
        )


@dataclass(frozen=True)
class _Samples:
    """One task's samples: the finished candidates, and for each the states along the way, the last one included."""

    finished: list[Candidate]
    paths: list[list[FloatArray]]
    cost: Cost
    dropped: int


async def collect(
    process: ProcessFor,
    tasks: Sequence[Task],
    label: Verifier,
    *,
    samples: int,
    key: Key,
    prefixes: bool = False,
    in_flight: int = 4,
    each: Callable[[int], None] | None = None,
) -> Examples:
    """Draw and label `samples` of each task; a sample's seed follows from `key` and the task's place.

    Args:
        label: gives 1 for a right candidate and 0 for a wrong one. `each`: told how many tasks are done.
    Raises `InputError` when no state came back, and what the label raises.
    """
    gate, done = asyncio.Semaphore(in_flight), 0

    async def one(index: int, task: Task) -> tuple[_Samples, BoolArray]:
        nonlocal done
        async with gate:
            seeds_key = key.child("task", index)
            drawn = await _drawn(process(task), samples, seeds_key, prefixes=prefixes)
            scores = await label.score(drawn.finished, task) if drawn.finished else None
            done += 1
            if each is not None:
                each(done)
            values = np.zeros(0) if scores is None else np.asarray(scores.values)
            return drawn, values > 0.5

    async with asyncio.TaskGroup() as group:
        work = [group.create_task(one(i, task)) for i, task in enumerate(tasks)]
    return _together([job.result() for job in work])


async def _drawn(process: Process[object], samples: int, key: Key, *, prefixes: bool) -> _Samples:
    seeds = key.child("start").seeds(samples)
    states = await process.start(seeds)
    paths: list[list[FloatArray]] = [[] for _ in range(samples)]
    cost, lost = ZERO, set[int]()
    done = np.zeros(samples, dtype=bool)
    for step in range(LONGEST if prefixes else 1):
        moved = await process.advance(
            states, key.child("step", step).seeds(samples), steps=1 if prefixes else None, allowance=Allowance()
        )
        cost, states = cost + moved.cost, moved.states
        lost |= set(moved.failures)
        for i, candidate in enumerate(await process.view(states, WANTS)):
            hidden = candidate.features.get("hidden")
            if hidden is not None and not done[i]:
                paths[i].append(np.asarray(hidden, dtype=np.float32))
        done = moved.done
        if (done | np.isin(np.arange(samples), list(lost))).all():
            break
    seen = await process.view(states, WANTS)
    kept = [i for i in range(samples) if done[i] and i not in lost and paths[i]]
    return _Samples([seen[i] for i in kept], [paths[i] for i in kept], cost, samples - len(kept))


def _together(parts: Sequence[tuple[_Samples, BoolArray]]) -> Examples:
    states: list[FloatArray] = []
    rows: list[tuple[bool, int, int, bool]] = []
    answers: list[str | None] = []
    cost, dropped, sample = ZERO, 0, 0
    for problem, (drawn, right) in enumerate(parts):
        cost, dropped = cost + drawn.cost, dropped + drawn.dropped
        for candidate, path, label in zip(drawn.finished, drawn.paths, right.tolist(), strict=True):
            for k, state in enumerate(path):
                states.append(state)
                rows.append((label, problem, sample, k == len(path) - 1))
                answers.append(candidate.answer)
            sample += 1
    if not states:
        raise InputError(
            explain(
                "No hidden state came back from any sample.",
                got=f"{dropped} samples",
                expected="an engine in this process that shows hidden states",
                remedy="Use --model local, and look at one run of these tasks first.",
            )
        )
    table = np.array(rows)
    return Examples(
        np.array(states),
        table[:, 0].astype(bool),
        table[:, 1].astype(np.int64),
        table[:, 2].astype(np.int64),
        table[:, 3].astype(bool),
        tuple(answers),
        cost,
        dropped,
    )
