"""The best answer that does not look at the question: what every method must beat before its accuracy means anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """An answer that is always the same, and the share of questions that it is right for.

    None where no answer serves two questions; a share of nan is one that nothing is known about.
    """

    answer: str | None
    share: float


UNKNOWN = Constant(None, float("nan"))


def best_constant(references: Iterable[str | None]) -> Constant:
    """The most frequent right answer, the first of equals; compared as text, white space around it aside."""
    known = [None if reference is None else reference.strip() for reference in references]
    counts = Counter(one for one in known if one)
    if not counts:
        return Constant(None, 0.0)
    answer, count = counts.most_common(1)[0]
    return Constant(answer, count / len(known)) if count > 1 else Constant(None, count / len(known))
