"""Reads replies that have a form: a ranking, critiques, a verdict, statements, marks. What cannot be read is told, never guessed.

Labels in replies count from 1, as they do in the prompts; places here count from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_LABEL = re.compile(r"\[\s*(\d+)\s*\]")
_CHAIN = re.compile(r"\[\s*\d+\s*\]\s*>\s*\[\s*\d+\s*\]")
_PARAGRAPH = re.compile(r"^[ \t>*_#-]*\[\s*(\d+)\s*\][ \t*_:.-]*", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*(?:[-*•]|\(?\d+[.):])\s+(.*\S)\s*$")
_VERDICT = re.compile(r"\b(incorrect|correct)\b", re.IGNORECASE)
_BRACKETED = re.compile(r"\[\s*(incorrect|correct)\s*\]", re.IGNORECASE)
_MARK = re.compile(
    r"^[ \t>*_#-]*(?:\[\s*(\d+)\s*\]|(\d+)[.):])[^\n]*?\b(passed|failed)\b", re.MULTILINE | re.IGNORECASE
)


def listed(text: str, n: int) -> list[int]:
    """The places that a ranking names, best first: labels in their order, those out of range dropped, the first of duplicates kept.

    Where a line of the reply is a chain such as `[2] > [1]`, the last such line counts; else all labels of the reply do.
    """
    chains = [line for line in text.splitlines() if _CHAIN.search(line)]
    labels = [int(found) for found in _LABEL.findall(chains[-1] if chains else text)]
    return list(dict.fromkeys(label - 1 for label in labels if 1 <= label <= n))


def ranked(named: Sequence[int], shown: Sequence[int]) -> list[int]:
    """All that was shown in the order that a reply asks for; always a permutation of `shown`. Source: spec 08, step 5.

    Args:
        named: places in `shown`, best first (`listed`). shown: candidates in the order in which the request showed them; those that are
            not named follow in their own order.
    """
    first = [shown[place] for place in named]
    return [*first, *sorted(set(shown) - set(first))]


def critiques(text: str, n: int) -> dict[int, str]:
    """What the reply says of each candidate, by place: the paragraphs that begin with a label. A label that returns adds to its first."""
    starts = list(_PARAGRAPH.finditer(text))
    found: dict[int, str] = {}
    for at, start in enumerate(starts):
        place = int(start.group(1)) - 1
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        said = text[start.end() : end].strip()
        if 0 <= place < n and said:
            found[place] = f"{found[place]}\n{said}" if place in found else said
    return found


def verdict(text: str) -> bool | None:
    """Whether the reply says correct; None where it says both or neither. Words in brackets count before bare ones."""
    for pattern in (_BRACKETED, _VERDICT):
        said = {word.lower() for word in pattern.findall(text)}
        if said:
            return said == {"correct"} if len(said) == 1 else None
    return None


def statements(text: str, most: int) -> list[str]:
    """Statements of a reply, at most so many: the items of a list, or of a JSON list of texts; without a list, every line."""
    try:
        document = msgspec.json.decode(text.strip())
    except (msgspec.DecodeError, RecursionError):
        document = None
    if isinstance(document, list) and document and all(isinstance(one, str) for one in document):
        return [one.strip() for one in document if one.strip()][:most]
    items = [found.group(1) for line in text.splitlines() if (found := _NUMBERED.match(line))]
    plain = [line.strip() for line in text.splitlines() if line.strip()]
    return (items or plain)[:most]


def marks(text: str, n: int) -> list[bool] | None:
    """Whether each of n tests was passed; None where the reply does not say it of everyone. The first word on a test counts."""
    found: dict[int, bool] = {}
    for bracketed, numbered, word in _MARK.findall(text):
        found.setdefault(int(bracketed or numbered) - 1, word.lower() == "passed")
    return [found[place] for place in range(n)] if all(place in found for place in range(n)) else None
