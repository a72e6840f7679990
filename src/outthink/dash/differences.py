"""Where two texts part: the same words, and the words that only one of them has."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 3000


@dataclass(frozen=True)
class Stretch:
    """Part of a text. `own`: whether the other text has nothing like it at this place."""

    text: str
    own: bool


@dataclass(frozen=True)
class Difference:
    """Two texts in stretches that make up the whole of each; `alike`: share of words in common, 1 for equal texts."""

    left: tuple[Stretch, ...]
    right: tuple[Stretch, ...]
    alike: float


def difference(left: str, right: str) -> Difference:
    """Compare word by word; very long texts line by line."""
    a, b = _words(left), _words(right)
    if max(len(a), len(b)) > MOST_WORDS:
        a, b = left.splitlines(keepends=True)[:MOST_WORDS], right.splitlines(keepends=True)[:MOST_WORDS]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    first, second = list[Stretch](), list[Stretch]()
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        for side, words in ((first, a[i1:i2]), (second, b[j1:j2])):
            if words:
                side.append(Stretch("".join(words), kind != "equal"))
    return Difference(tuple(first), tuple(second), matcher.ratio())


def _words(text: str) -> list[str]:
    return WORDS.findall(text)
