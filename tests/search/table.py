"""A tree whose every node and score is written down: the children of a node are given out in turn, so that k draws are its k children."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from outthink.core import Candidate, LogMap
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, IntArray, SeedArray
from outthink.testing import ArrayProcess, FunctionOfContent, Prices, ToyStates


@dataclass(frozen=True)
class Places(ToyStates):
    """Nodes of the table, by number."""

    place: IntArray


class Table(ArrayProcess[Places]):
    """Walks down a table of names: `children["A"]` are the names below A; a name without children is an end. The root is ""."""

    states_class = Places

    def __init__(self, children: dict[str, list[str]]) -> None:
        super().__init__(len(children) + 1, Prices())
        self.children = children
        self.names = ["", *itertools.chain.from_iterable(children.values())]
        self.expanded: list[str] = []

    async def start(self, seeds: SeedArray) -> Places:
        n = len(seeds)
        return Places(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n, np.int64))

    def draw(self, states: Places, seeds: SeedArray, counter: int) -> tuple[Places, FloatArray]:
        turn: Counter[int] = Counter()
        below = []
        for place in states.place.tolist():
            names = self.children[self.names[place]]
            if not turn[place]:
                self.expanded.append(self.names[place])
            below.append(names[turn[place] % len(names)])
            turn[place] += 1
        done = np.array([name not in self.children for name in below], bool)
        place = np.array([self.names.index(name) for name in below], np.int64)
        return Places(states.level + 1, done, place), np.zeros(len(below))

    async def view(self, states: Places, wants: frozenset[Feature]) -> list[Candidate]:
        names = [self.names[place] for place in states.place.tolist()]
        return [
            Candidate(content=name, final=done, answer=name if done else None)
            for name, done in zip(names, states.done.tolist(), strict=True)
        ]


def by_name(scores: dict[str, float]) -> FunctionOfContent:
    """The score that stands in the table."""
    return FunctionOfContent(lambda name: scores[name], low=0.0, high=1.0, log_map=LogMap.PROBABILITY)


def random_table(seed: int, branching: int, depth: int) -> tuple[dict[str, list[str]], dict[str, float]]:
    """All words of up to `depth` letters, and a score in [0, 1] for each."""
    rng = np.random.default_rng(seed)
    letters = "abcdefgh"[:branching]
    words = ["".join(word) for level in range(depth + 1) for word in itertools.product(letters, repeat=level)]
    children = {word: [word + letter for letter in letters] for word in words if len(word) < depth}
    return children, dict(zip(words, rng.random(len(words)).tolist(), strict=True))
