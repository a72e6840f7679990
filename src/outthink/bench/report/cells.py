"""Tables as values, before they are HTML or Markdown: the same cells stand in both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell. `detail`: stands below; `kind`: the class that the page's style knows; `question`: whose trace it leads to."""

    text: str
    detail: str = ""
    kind: str = ""
    question: str = ""


@dataclass(frozen=True)
class Sheet:
    """Heads over rows; the first cell of a row names it.

    Attributes:
        numbers: columns that stand to the right. begins: rows that begin a group. aside: rows that are no members, only for comparison.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()
    begins: frozenset[int] = frozenset()
    aside: frozenset[int] = frozenset()
