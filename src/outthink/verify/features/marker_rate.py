"""Minus the rate of hedges in an answer: words that sound unsure, counted per 1,000 words of thinking and answer together.

Matches are whole words, whatever their case; where markers overlap the longest counts. The lists are ours, since those of the paper are not
public: give your own `words` for another language or model.

Source: spec 06, marker rates (arXiv 2504.14047).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from outthink.core.cost import Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.live_settings import LiveVerifier

Markers = Literal["hedging", "thinking", "discourse"]

MARKERS: Mapping[Markers, tuple[str, ...]] = {
    "hedging": (
        "perhaps",
        "maybe",
        "might",
        "possibly",
        "seems",
        "appears",
        "likely",
        "i think",
        "not sure",
        "could be",
    ),
    "thinking": (
        "wait",
        "hmm",
        "let me",
        "actually",
        "alternatively",
        "on second thought",
        "reconsider",
        "double-check",
    ),
    "discourse": (
        "therefore",
        "thus",
        "hence",
        "so",
        "first",
        "second",
        "next",
        "finally",
        "because",
        "however",
        "in conclusion",
    ),
}
PER_WORDS = 1000.0


class MarkerRate(LiveVerifier):
    """Minus the markers per 1,000 words of a finished answer.

    Attributes:
        of: which groups of markers count.
        words: markers of your own, in place of the groups.
    """

    of: Annotated[tuple[Markers, ...], Meta(min_length=1)] = ("hedging", "thinking")
    words: tuple[Annotated[str, Meta(min_length=1)], ...] = ()

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            low=-PER_WORDS,
            high=0.0,
            log_map=LogMap.RAW,
            wants=frozenset({"reasoning"}),
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        markers = self.words or tuple(word for group in self.of for word in MARKERS[group])
        values = np.array([-marker_rate(said(candidate), markers) for candidate in candidates], np.float64)
        notes = tuple("it has no words" if np.isnan(value) else "" for value in values)
        return Scores(values, notes, Cost(verifier_calls=len(candidates)))


def said(candidate: Candidate) -> str:
    """Thinking and answer."""
    return f"{candidate.features.get('reasoning') or ''}\n{candidate.content}"


def marker_rate(text: str, markers: tuple[str, ...]) -> float:
    """Matches of the markers per 1,000 words; nan for a text without words."""
    words = len(text.split())
    return PER_WORDS * len(_pattern(markers).findall(text)) / words if words else float("nan")


@cache
def _pattern(markers: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(set(markers), key=lambda marker: (-len(marker), marker))
    spaced = (r"\s+".join(map(re.escape, marker.split())) for marker in longest_first)
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)", re.IGNORECASE)
