"""Countdown: reach a number from some others with + - * /, each used once: "3 5 7 -> 22", worked one operation a line.

    Countdown(numbers=3).draw(rng)    # Drawn("3 5 7 -> 22", ("5*3=15", "15+7=22"), (3, 5, 7))

Every number has to be used. Results are whole and positive. Many problems have several solutions, and most first lines lead nowhere: an
allowed and true line can still have lost the game, which no check of its arithmetic can see.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import numpy as np
from msgspec import Meta

from outthink.laboratory.family import Drawn, Family, Rules, State, apply, gather

OPERATIONS = "+-*/"

_WRITTEN = re.compile(r"([0-9]+(?: [0-9]+)+) -> ([0-9]+)")

Hand = tuple[tuple[int, ...], int]
"""The numbers that are left, ascending, and the one to be reached."""


class CountdownRules(Rules):
    """Combine any two numbers that are left, until the target alone is."""

    def read(self, question: str) -> Hand | None:
        found = _WRITTEN.fullmatch(question.strip())
        return None if found is None else (tuple(sorted(map(int, found[1].split()))), int(found[2]))

    def moves(self, state: Any) -> dict[str, frozenset[State]]:
        numbers, target = state
        found = []
        for i, a in enumerate(numbers):
            for j, b in enumerate(numbers):
                if i != j:
                    rest = tuple(number for k, number in enumerate(numbers) if k not in (i, j))
                    for operation in OPERATIONS:
                        result = apply(a, operation, b)
                        if result:
                            found.append((f"{a}{operation}{b}={result}", (tuple(sorted((*rest, result))), target)))
        return gather(found)

    def solved(self, state: Any) -> bool:
        numbers, target = state
        return bool(numbers == (target,))


COUNTDOWN_RULES: Final = CountdownRules()


class Countdown(Family):
    """Reach a target from `numbers` numbers.

    Attributes:
        numbers: how many there are. highest: the largest of them. target: the largest target. largest: the largest result on the way.
    """

    numbers: Annotated[int, Meta(ge=2, le=6)] = 3
    highest: Annotated[int, Meta(ge=2)] = 25
    target: Annotated[int, Meta(ge=2)] = 99
    largest: Annotated[int, Meta(ge=2)] = 999

    @property
    def rules(self) -> CountdownRules:
        return COUNTDOWN_RULES

    def draw(self, rng: np.random.Generator) -> Drawn:
        while True:
            numbers = [int(number) for number in rng.integers(1, self.highest, size=self.numbers, endpoint=True)]
            lines = self._play(rng, sorted(numbers))
            if lines:
                target = int(lines[-1].partition("=")[2])
                return Drawn(f"{' '.join(map(str, numbers))} -> {target}", lines, tuple(numbers))

    def _play(self, rng: np.random.Generator, numbers: list[int]) -> tuple[str, ...]:
        """A game at random to one number, the larger operand first; nothing where it leaves the bounds."""
        lines: list[str] = []
        while len(numbers) > 1:
            i, j = rng.choice(len(numbers), size=2, replace=False).tolist()
            a, b = max(numbers[i], numbers[j]), min(numbers[i], numbers[j])
            operation = OPERATIONS[int(rng.integers(4))]
            result = apply(a, operation, b)
            if not result or result > self.largest:
                return ()
            numbers = [number for k, number in enumerate(numbers) if k not in (i, j)] + [result]
            lines.append(f"{a}{operation}{b}={result}")
        return tuple(lines) if numbers[0] <= self.target else ()
