"""Seeded problems that are worked step by step, and the worked examples that show a small model how.

    sums = KINDS["sums"]
    draw(sums, n=40, key=Key(1).child("problems"))[0].question      # "17 + 20 + 14"
    worked_examples(sums)[0].answer                                 # "10 + 12 = 22\\n22 + 18 = 40\\nAnswer: 40"

One equation stands on each line, so that a step of a search is one equation. Problems are distinct, and never among the worked examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from outthink.core.key import Key
from outthink.text.settings import Example

EXAMPLES = 8
EXAMPLES_KEY = Key(2026).child("worked examples")
"""The worked examples are part of the method and stay the same whatever the seed of the problems."""

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """One question and its right answer."""

    kind: str
    numbers: Numbers
    question: str
    answer: int


class Kind(ABC):
    """A family of problems: how they are drawn, asked, and worked.

    Attributes:
        note: what a reader must know about the checker on these problems; "" for nothing.
        ends_in_answer: whether the last equation's result is the answer, so that the checker may compare the two.
    """

    name: str
    title: str
    note: str = ""
    ends_in_answer: bool = True

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Numbers:
        """The numbers of one problem."""

    @abstractmethod
    def question(self, numbers: Numbers) -> str:
        """The question, one line."""

    @abstractmethod
    def working(self, numbers: Numbers) -> list[str]:
        """One equation a line."""

    @abstractmethod
    def answer(self, numbers: Numbers) -> int:
        """The right answer, computed apart from the working."""

    def problem(self, numbers: Numbers) -> Problem:
        """The problem with these numbers."""
        return Problem(self.name, numbers, self.question(numbers), self.answer(numbers))

    def example(self, numbers: Numbers) -> Example:
        """A worked example."""
        lines = [*self.working(numbers), f"Answer: {self.answer(numbers)}"]
        return Example(question=self.question(numbers), answer="\n".join(lines))


@dataclass(frozen=True)
class Sums(Kind):
    """Three numbers from 2 to `highest`, added from left to right."""

    highest: int = 20
    name: str = "sums"
    title: str = "sums of three numbers"

    def draw(self, rng: np.random.Generator) -> Numbers:
        return tuple(rng.integers(2, self.highest, size=3, endpoint=True).tolist())

    def question(self, numbers: Numbers) -> str:
        return " + ".join(map(str, numbers))

    def working(self, numbers: Numbers) -> list[str]:
        a, b, c = numbers
        return [f"{a} + {b} = {a + b}", f"{a + b} + {c} = {a + b + c}"]

    def answer(self, numbers: Numbers) -> int:
        return sum(numbers)


@dataclass(frozen=True)
class Gcds(Kind):
    """Greatest common divisors of two numbers up to `highest`: each number as a multiple of the divisor."""

    highest: int = 20
    name: str = "gcd"
    title: str = "greatest common divisors"
    note: str = "The checker sees whether the multiplications hold, not whether the divisor is common or the greatest."
    ends_in_answer: bool = False

    def draw(self, rng: np.random.Generator) -> Numbers:
        while True:
            a, b = rng.integers(2, self.highest, size=2, endpoint=True).tolist()
            if a != b:
                return a, b

    def question(self, numbers: Numbers) -> str:
        return f"gcd of {numbers[0]} and {numbers[1]}"

    def working(self, numbers: Numbers) -> list[str]:
        divisor = gcd(*numbers)
        return [f"{divisor} * {number // divisor} = {number}" for number in numbers]

    def answer(self, numbers: Numbers) -> int:
        return gcd(*numbers)


@dataclass(frozen=True)
class Products(Kind):
    """A number up to `highest` times a digit, in one line."""

    highest: int = 12
    name: str = "products"
    title: str = "products of two small numbers"
    note: str = (
        "The one equation is the whole problem here, so a checker that knows arithmetic all but knows the answer."
    )

    def draw(self, rng: np.random.Generator) -> Numbers:
        return int(rng.integers(2, self.highest, endpoint=True)), int(rng.integers(2, 9, endpoint=True))

    def question(self, numbers: Numbers) -> str:
        return f"{numbers[0]} * {numbers[1]}"

    def working(self, numbers: Numbers) -> list[str]:
        return [f"{numbers[0]} * {numbers[1]} = {self.answer(numbers)}"]

    def answer(self, numbers: Numbers) -> int:
        return numbers[0] * numbers[1]


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Sums(), Gcds(), Products())}


def worked_examples(kind: Kind) -> tuple[Example, ...]:
    """What every prompt of this kind begins with."""
    return tuple(kind.example(numbers) for numbers in _example_numbers(kind))


def draw(kind: Kind, n: int, key: Key) -> list[Problem]:
    """n different problems; a longer list begins with the shorter one."""
    avoid = frozenset(_example_numbers(kind))
    return [kind.problem(numbers) for numbers in _distinct(kind, n, key.child(kind.name), avoid)]


@dataclass(frozen=True)
class Constant:
    """The answer that is right most often without looking at the question, and how often it is."""

    answer: int
    right: int


def best_constant(problems: Sequence[Problem]) -> Constant:
    """The most frequent right answer, the smallest of equals; an advantage no method has, since it is chosen with the answers at hand."""
    counts = Counter(problem.answer for problem in problems)
    answer = min(counts, key=lambda value: (-counts[value], value))
    return Constant(answer, counts[answer])


def _example_numbers(kind: Kind) -> list[Numbers]:
    return _distinct(kind, EXAMPLES, EXAMPLES_KEY.child(kind.name), avoid=frozenset())


def _distinct(kind: Kind, n: int, key: Key, avoid: frozenset[Numbers]) -> list[Numbers]:
    rng = key.rng()
    found: dict[Numbers, None] = {}
    while len(found) < n:
        numbers = kind.draw(rng)
        if numbers not in avoid:
            found.setdefault(numbers)
    return list(found)
