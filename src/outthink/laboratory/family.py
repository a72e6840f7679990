"""What the laboratory's two families of problems have in common: how they are drawn, and the rules by which they are worked.

    rules = rules_of("3 5 7 -> 22")
    state = rules.read("3 5 7 -> 22")
    rules.moves(state)["5*3=15"]               # frozenset of the states that this line leads to

A problem is one line of text; its solution is one equation a line, `a+b=c`, each of them true and allowed where it stands. So the solutions
of a problem are a finite set of texts, and what can still come of a text under way is known exactly (`outthink.laboratory.value`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.core.settings import Tagged

State = Hashable
"""What is left to do after some lines; each family has its own form."""


@dataclass(frozen=True)
class Drawn:
    """A problem as it was drawn, with the solution that it was drawn with, one equation a line, and the numbers that it is about."""

    question: str
    lines: tuple[str, ...]
    operands: tuple[int, ...]


class Rules(ABC):
    """How the problems of a family are written and worked."""

    @abstractmethod
    def read(self, question: str) -> Any:
        """The state in which a solution begins; None for a text that is no problem of this family."""

    @abstractmethod
    def moves(self, state: Any) -> dict[str, frozenset[State]]:
        """Every line that is true and allowed in `state`, with the states that it may lead to."""

    @abstractmethod
    def solved(self, state: Any) -> bool:
        """Whether nothing is left to do."""


class Family(Tagged):
    """A family of problems by its sizes: which are drawn."""

    @property
    @abstractmethod
    def rules(self) -> Rules:
        """How they are worked, whatever their size."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """One problem."""


def apply(a: int, operation: str, b: int) -> int | None:
    """The result among the whole numbers from 0 on; None where there is none."""
    match operation:
        case "+":
            return a + b
        case "-":
            return a - b if a >= b else None
        case "*":
            return a * b
        case _:
            return a // b if b > 0 and a % b == 0 else None


def gather(pairs: Iterable[tuple[str, State]]) -> dict[str, frozenset[State]]:
    """Lines with all states that each may lead to."""
    found: dict[str, set[State]] = {}
    for line, state in pairs:
        found.setdefault(line, set()).add(state)
    return {line: frozenset(states) for line, states in found.items()}
