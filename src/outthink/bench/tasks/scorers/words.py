"""Answers that are a few words, marked as SQuAD and HotpotQA do: exact match and F1 over normalised words.

Right is exact match with one of the accepted answers; the credit is the best F1. A single word of the answer is not the answer.
Source: Rajpurkar et al. 2016 (normalisation, exact match, F1); Yang et al. 2018 (yes and no are never partly right).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass

from outthink.bench.tasks.scorers.scorer import Scorer, place_or_line, said_by
from outthink.core.task import Candidate

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE = frozenset({"yes", "no", "noanswer"})


@dataclass(frozen=True)
class Words(Scorer):
    """Right where the answer is one of `golds` up to case, punctuation and articles."""

    golds: tuple[str, ...]

    def __call__(self, candidate: Candidate) -> bool:
        place = place_or_line(said_by(candidate)) if candidate.final else None
        return place is not None and any(exact_match(place, gold) for gold in self.golds)

    def mark(self, text: str) -> float:
        place = place_or_line(text)
        return 0.0 if place is None else max(f1(place, gold) for gold in self.golds)


def normalised(words: str) -> str:
    """Small letters, without punctuation, articles and extra spaces."""
    return " ".join(_ARTICLES.sub(" ", words.casefold().translate(_PUNCTUATION)).split())


def exact_match(said: str, gold: str) -> bool:
    """Whether both are the same words. What is nothing but articles and punctuation is compared as it stands."""
    left, right = normalised(said), normalised(gold)
    return left == right if left or right else said.strip().casefold() == gold.strip().casefold()


def f1(said: str, gold: str) -> float:
    """Harmonic mean of precision and recall over words, in [0, 1]."""
    left, right = normalised(said), normalised(gold)
    if left != right and (left in _WHOLE or right in _WHOLE):
        return 0.0
    words, wanted = left.split(), right.split()
    if not words or not wanted:
        return float(exact_match(said, gold))
    common = sum((Counter(words) & Counter(wanted)).values())
    return 2 * common / (len(words) + len(wanted))
