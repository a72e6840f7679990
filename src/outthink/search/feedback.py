"""What a model is told about its answer: a number turned into a direction.

A bare number says nothing, so a score comes with its scale and with which end is better. No opinion is not told as a score.

Source: spec 01, the feedback block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from outthink.core.verifier import ScoreSpec

Feedback = Literal["request", "score", "notes", "score-and-notes"]


@dataclass(frozen=True)
class Standing:
    """What is known of a version: its score (nan for none) and what the verifier said of it ("" for nothing)."""

    score: float
    note: str


def told(request: str, what: Feedback, own: Standing, spec: ScoreSpec | None, ends: tuple[Standing, ...] = ()) -> str:
    """The feedback on one answer.

    Args:
        ends: best and worst so far; none where they are equal, for then there is no direction to tell.
    """
    said = [request]
    if what in ("score", "score-and-notes") and not math.isnan(own.score) and spec is not None:
        said.append(f"The answer's score is {own.score:.3g}{_scale(spec)}; higher is better.")
    if what in ("notes", "score-and-notes") and own.note:
        said.append(f"What was said about it: {own.note}")
    for name, end in zip(("best", "worst"), ends, strict=False):
        note = f" What was said about it: {end.note}" if end.note and what in ("notes", "score-and-notes") else ""
        said.append(f"The {name} answer so far has the score {end.score:.3g}.{note}")
    return "\n".join(said)


def _scale(spec: ScoreSpec) -> str:
    if math.isfinite(spec.low) and math.isfinite(spec.high):
        return f" on a scale from {spec.low:g} to {spec.high:g}"
    return ""
