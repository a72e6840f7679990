"""What choosing by a score is worth: the best of each problem's samples, beside the choices that need no score.

Every figure is over the same problems and samples, so that their differences mean something. The control chooses by how often each answer
was right on the training problems: what anything gains over it was not learned from answers alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.numerics.types import BoolArray, FloatArray, IntArray

PRIOR_COUNT = 1.0
"""How many examples of the average answer each answer starts with."""


@dataclass(frozen=True)
class Selection:
    """Shares of problems solved, each with its standard error where it is an average of them.

    Attributes:
        head: by the score. `control`: by how often such answers are right. `majority`: by the most frequent answer. `first`: one sample.
        any_right: whether any sample is right: the most that choosing can reach.
        problems: how many.
    """

    head: float
    control: float
    majority: float
    first: float
    any_right: float
    problems: int

    def error(self, share: float) -> float:
        """Standard error of a share."""
        return float(np.sqrt(max(share * (1.0 - share), 0.0) / max(1, self.problems)))


class AnswerPrior:
    """How often each answer is right, learned from examples; what has not been seen is as good as the average."""

    def __init__(self, answers: Sequence[Hashable | None], right: BoolArray) -> None:
        self._base = float(np.mean(right)) if len(right) else 0.5
        self._seen = Counter(answers)
        self._right = Counter(answer for answer, label in zip(answers, right.tolist(), strict=True) if label)

    def __call__(self, answer: Hashable | None) -> float:
        """The chance that this answer is right, in [0, 1]; 0 for none."""
        if answer is None:
            return 0.0
        return (self._right[answer] + PRIOR_COUNT * self._base) / (self._seen[answer] + PRIOR_COUNT)


def best_of_each(
    scores: FloatArray,
    right: BoolArray,
    problem: IntArray,
    answers: Sequence[Hashable | None],
    prior: AnswerPrior,
) -> Selection:
    """The shares, over all problems; scores, labels, problems and answers of finished samples, [m]. Ties go to the first sample."""
    picked: dict[str, list[float]] = {name: [] for name in ("head", "control", "majority", "first", "any")}
    for one in np.unique(problem).tolist():
        at = np.flatnonzero(problem == one)
        labels = right[at].astype(float)
        said = [answers[i] for i in at.tolist()]
        picked["head"].append(float(labels[np.argmax(scores[at])]))
        picked["control"].append(float(labels[np.argmax([prior(answer) for answer in said])]))
        picked["majority"].append(_majority(said, labels))
        picked["first"].append(float(labels.mean()))
        picked["any"].append(float(labels.max()))
    means: Mapping[str, float] = {name: float(np.mean(values)) for name, values in picked.items()}
    return Selection(
        means["head"], means["control"], means["majority"], means["first"], means["any"], len(picked["head"])
    )


def _majority(said: Sequence[Hashable | None], labels: FloatArray) -> float:
    counts = Counter(answer for answer in said if answer is not None)
    if not counts:
        return 0.0
    winner = counts.most_common(1)[0][0]
    return float(labels[list(said).index(winner)])
