"""Questions worth a look: those that nobody gets right, and those on which searching helps most, with what every method answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.bench.outcome import Outcome
from outthink.bench.report.stored import StoredBench
from outthink.bench.statistics import Entry, is_plain, sees_answers
from outthink.numerics.types import FloatArray

SHOWN = 5
LONGEST = 2000


@dataclass(frozen=True)
class Traced:
    """One question and its trace.

    Attributes:
        solved: mean share over all methods, the oracle's aside. gain: of the best searching method over the cheapest baseline.
        outcomes: what was answered, by method, size and seed.
        samples: the answers in its stored pools, how often each came, and whether it is right, the most frequent first.
    """

    question: str
    prompt: str
    reference: str | None
    solved: float
    gain: float
    outcomes: tuple[Outcome, ...]
    samples: tuple[tuple[str, int, bool], ...]


def anchor(question: str) -> str:
    """The name of a question's place in the page."""
    return "q-" + re.sub(r"[^0-9A-Za-z-]", lambda found: f"_{ord(found.group()):x}_", question)


def hardest(stored: StoredBench, entries: Sequence[Entry], most: int = SHOWN) -> list[Traced]:
    """The questions that are solved least, over all methods and sizes; ties in the order of the questions."""
    solved = _solved(entries)
    if solved is None:
        return []
    order = np.argsort(solved, kind="stable")[:most]
    gains = _gains(entries)
    return [_traced(stored, entries, int(i), float(solved[i]), float(gains[i])) for i in order]


def most_improved(stored: StoredBench, entries: Sequence[Entry], most: int = SHOWN) -> list[Traced]:
    """The questions on which the best searching method gains most over the cheapest plain baseline; only those with a gain."""
    solved, gains = _solved(entries), _gains(entries)
    if solved is None:
        return []
    order = np.argsort(-gains, kind="stable")[:most]
    return [_traced(stored, entries, int(i), float(solved[i]), float(gains[i])) for i in order if gains[i] > 0.0]


def _honest(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if not sees_answers(entry.method)]


def _solved(entries: Sequence[Entry]) -> FloatArray | None:
    honest = _honest(entries)
    return np.asarray(np.stack([entry.right for entry in honest]).mean(axis=0)) if honest else None


def _gains(entries: Sequence[Entry]) -> FloatArray:
    honest = _honest(entries)
    plain = [entry for entry in honest if is_plain(entry.method)]
    searching = [entry for entry in honest if not is_plain(entry.method)] or plain
    if not plain:
        return np.zeros(len(honest[0].questions) if honest else 0)
    cheapest = min(plain, key=lambda entry: float(entry.tokens.mean()))
    best = max(searching, key=lambda entry: entry.accuracy)
    return np.asarray(best.right - cheapest.right)


def _traced(stored: StoredBench, entries: Sequence[Entry], at: int, solved: float, gain: float) -> Traced:
    name = entries[0].questions[at]
    row = stored.questions[name]
    outcomes = sorted((o for o in stored.outcomes if o.question == name), key=lambda o: (o.method, o.size, o.seed))
    said: Counter[str] = Counter()
    right: dict[str, bool] = {}
    for pool in stored.pools:
        if pool.question == name:
            for sample in pool.samples:
                text = "(failed)" if sample.failure else (sample.answer or "(no answer)")
                said[text] += 1
                right[text] = right.get(text, False) or sample.right
    return Traced(
        question=name,
        prompt=_short(row.prompt),
        reference=row.reference,
        solved=solved,
        gain=gain,
        outcomes=tuple(outcomes),
        samples=tuple((text, count, right[text]) for text, count in said.most_common(12)),
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
