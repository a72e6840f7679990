"""How good a model is at a family's problems: one sample, the best of many, and the answer that needs no looking.

    found = await measure(engine, Chains(terms=4), n=50, samples=64, key=Key(1))
    found.single, found.covered

Right is what a strict check accepts, working included. The last number alone is a weaker test, and on Countdown none at all, since it
stands in the question; both are given, with the most frequent right answer as a constant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.engines.engine import Engine, Request, Sampling, TextPrompt
from outthink.laboratory.family import Family
from outthink.laboratory.problems import problems
from outthink.laboratory.value import solved
from outthink.numerics.types import BoolArray

LONGEST = 96
"""Tokens of the longest solution."""


@dataclass(frozen=True)
class Accuracy:
    """What `n` problems of a family came to.

    Attributes:
        right: whether each sample is a solution, [n, samples].
        single: share of all samples that are. error: its standard error over problems. covered: share of problems with a right sample.
        answered: share of samples whose last number is right, whatever the working.
        constant: share of problems that the most frequent right answer would get by its number.
    """

    family: Family
    right: BoolArray
    answered: float
    constant: float

    @property
    def single(self) -> float:
        return float(self.right.mean())

    @property
    def error(self) -> float:
        return float(self.right.mean(axis=1).std(ddof=1) / np.sqrt(len(self.right)))

    @property
    def covered(self) -> float:
        return float(self.right.any(axis=1).mean())


async def measure(
    engine: Engine, family: Family, *, n: int, samples: int, key: Key, temperature: float = 1.0, unseen: bool = True
) -> Accuracy:
    """Sample n problems, held out unless `unseen` is off. A failure of the engine is raised."""
    tasks = problems(family, n, key.child("problems"), unseen=unseen)
    requests = [
        Request(
            prompt=TextPrompt(f"{task.question}\n"),
            seed=int(seed),
            max_tokens=LONGEST,
            sampling=Sampling(temperature=temperature),
        )
        for number, task in enumerate(tasks)
        for seed in key.child("samples", number).seeds(samples)
    ]
    right, answered = np.zeros(n * samples, dtype=bool), np.zeros(n * samples, dtype=bool)
    for i, reply in enumerate(await engine.generate(requests)):
        if isinstance(reply, Failure):
            raise reply.as_error()
        task = tasks[i // samples]
        right[i] = solved(task.question, reply.text)
        answered[i] = reply.text.rpartition("=")[2] == task.reference
    most_frequent = Counter(task.reference for task in tasks).most_common(1)[0][1]
    return Accuracy(family, right.reshape(n, samples), float(answered.mean()), most_frequent / n)
