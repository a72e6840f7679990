"""Arithmetic chains: "12+7*3-5", worked one operation a line, products before sums.

    Chains(terms=4).draw(rng)         # Drawn("12+7*3-5", ("7*3=21", "12+21=33", "33-5=28"), (12, 7, 3, 5))

Any order is right that mathematics allows: a neighbouring pair may be combined where that leaves the value of the whole unchanged and is no
negative number. A wrong result cannot be made good again, so the chance of a right end is all but decided line by line.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import numpy as np
from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Fraction
from outthink.laboratory.family import Drawn, Family, Rules, State, apply, gather

LARGEST = 999
"""No value on the way is larger, in the problems that are drawn."""

_WRITTEN = re.compile(r"[0-9]+(?:[-+*][0-9]+)+")

Chain = tuple[tuple[int, ...], str]
"""Numbers, and the operations between them."""


class ChainRules(Rules):
    """Combine neighbouring numbers, products before sums, until one is left."""

    def read(self, question: str) -> Chain | None:
        if not _WRITTEN.fullmatch(question.strip()):
            return None
        return tuple(map(int, re.findall(r"[0-9]+", question))), "".join(re.findall(r"[-+*]", question))

    def moves(self, state: Any) -> dict[str, frozenset[State]]:
        return gather((line, chain) for _, line, chain in _combinations(state))

    def solved(self, state: Any) -> bool:
        return len(state[0]) == 1


CHAINS_RULES: Final = ChainRules()


class Chains(Family):
    """Sums, differences and products of `terms` numbers.

    Attributes:
        terms: numbers in a problem. highest: the largest of them. factor: the largest second factor of a product.
        products: the share of products among the operations, before those that would stand side by side are turned into sums.
    """

    terms: Annotated[int, Meta(ge=2, le=12)] = 4
    highest: Annotated[int, Meta(ge=2, le=LARGEST)] = 99
    factor: Annotated[int, Meta(ge=2, le=LARGEST)] = 9
    products: Fraction = 0.35

    def check(self) -> None:
        if self.highest * self.factor > LARGEST:
            raise SettingsError(
                explain(
                    f"Products in chains go up to {LARGEST}.",
                    got=f"highest = {self.highest}, factor = {self.factor}",
                    expected=f"highest * factor <= {LARGEST}",
                    remedy="Lower one of them.",
                )
            )

    @property
    def rules(self) -> ChainRules:
        return CHAINS_RULES

    def draw(self, rng: np.random.Generator) -> Drawn:
        while True:
            chain = self._chain(rng)
            lines, found = _worked(chain)
            if found:
                return Drawn(_write(chain), lines, chain[0])

    def _chain(self, rng: np.random.Generator) -> Chain:
        operations = ""
        for product, minus in zip(
            rng.random(self.terms - 1) < self.products, rng.random(self.terms - 1) < 0.5, strict=True
        ):
            operations += "*" if product and not operations.endswith("*") else "-" if minus else "+"
        numbers = rng.integers(2, self.highest, size=self.terms, endpoint=True)
        factors = rng.integers(2, self.factor, size=self.terms, endpoint=True)
        chosen = [int(numbers[0])]
        chosen += [int(factors[i + 1] if sign == "*" else numbers[i + 1]) for i, sign in enumerate(operations)]
        return tuple(chosen), operations


def value(chain: Chain) -> int:
    """The number that a chain comes to."""
    numbers, operations = chain
    total, product, sign = 0, numbers[0], 1
    for number, operation in zip(numbers[1:], operations, strict=True):
        if operation == "*":
            product *= number
        else:
            total += sign * product
            product, sign = number, 1 if operation == "+" else -1
    return total + sign * product


def _write(chain: Chain) -> str:
    numbers, operations = chain
    return str(numbers[0]) + "".join(f"{sign}{number}" for sign, number in zip(operations, numbers[1:], strict=True))


def _combinations(chain: Chain) -> list[tuple[int, str, Chain]]:
    """Every pair that may be combined: where it stands, the line that does it, and the chain after it."""
    numbers, operations = chain
    found = []
    for i, operation in enumerate(operations):
        before, after = operations[i - 1 : i] if i else "", operations[i + 1 : i + 2]
        # A sum may be combined unless a product or a difference has a claim to one of its numbers.
        free = operation == "*" or ("*" not in (before, after) and before != "-")
        result = apply(numbers[i], operation, numbers[i + 1]) if free else None
        if result is not None:
            line = f"{numbers[i]}{operation}{numbers[i + 1]}={result}"
            rest = ((*numbers[:i], result, *numbers[i + 2 :]), operations[:i] + operations[i + 1 :])
            found.append((i, line, rest))
    return found


def _worked(chain: Chain) -> tuple[tuple[str, ...], bool]:
    """Products from left to right, then sums from left to right; whether that works within the bounds."""
    lines: list[str] = []
    while chain[1]:
        at = chain[1].find("*") if "*" in chain[1] else 0
        found = next((move for move in _combinations(chain) if move[0] == at), None)
        if found is None or found[2][0][at] > LARGEST:
            return (), False
        lines.append(found[1])
        chain = found[2]
    return tuple(lines), True
