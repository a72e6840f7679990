"""When to stop drawing: rules that look at the samples so far and say whether more would help, for any method that draws in rounds.

    Threshold(value=0.9)               # a sample is good enough
    Leader(error=0.05)                 # the vote is decided
    Never()                            # draw them all

A rule answers three questions from what has been `Seen`: does it stop here; how many more samples must there be before it can; and how much
is a further one expected to bring. If unsure: `Leader` where answers can be compared, `Threshold` with a verifier of values.

Source: spec 07 (arXiv 2410.02725) for the threshold; Aggarwal et al. 2023 (Adaptive-Consistency) for the Beta criterion; see
`outthink.numerics.leader` for the formulas.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Tagged
from outthink.numerics.leader import always_valid, less_likely, overtaken, share_gained
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Seen:
    """What a rule looks at.

    Attributes:
        scores: of the finished samples, [k]; nan where there is none.
        votes: how many gave each answer, in order of first appearance; abstentions count nowhere.
        drawn: samples drawn so far, lost ones included. `most`: the most that may be drawn.
    """

    scores: FloatArray
    votes: tuple[int, ...]
    drawn: int
    most: int

    @property
    def left(self) -> int:
        """Samples that may still be drawn."""
        return max(0, self.most - self.drawn)

    @property
    def abstained(self) -> int:
        """Samples that gave no answer."""
        return max(0, self.drawn - sum(self.votes))


class StoppingRule(Tagged):
    """Base of the rules; `reads_scores` and `reads_answers` say what must be known of each sample."""

    reads_scores: ClassVar[bool] = False
    reads_answers: ClassVar[bool] = False

    @abstractmethod
    def stops(self, seen: Seen) -> bool:
        """Whether more would not help."""

    @abstractmethod
    def least(self, seen: Seen) -> int:
        """How many more to draw at once, at least 1 while any are left: before that many it does not stop, or hardly."""

    @abstractmethod
    def gain(self, seen: Seen) -> float:
        """What a further sample is predicted to bring, at the best number of them, in units of its own; nan: it cannot tell."""


class Never(StoppingRule):
    """Draw them all."""

    def stops(self, seen: Seen) -> bool:
        return False

    def least(self, seen: Seen) -> int:
        return seen.left

    def gain(self, seen: Seen) -> float:
        return math.nan


class Threshold(StoppingRule):
    """Stop when the best score so far reaches `value`.

    Attributes:
        value: 0 stops after one sample, anything above the highest score never. The best of many noisy scores is too hopeful, so choose it
            on held-out questions for the number of samples that you can afford (`outthink.search.thresholds`).
    """

    value: float = 0.9

    reads_scores: ClassVar[bool] = True

    def check(self) -> None:
        if math.isnan(self.value):
            raise SettingsError(
                explain("Threshold.value is no number.", got=self.value, expected="a score", remedy="For example 0.9.")
            )

    def stops(self, seen: Seen) -> bool:
        known = seen.scores[~np.isnan(seen.scores)]
        return bool(known.size and known.max() >= self.value)

    def least(self, seen: Seen) -> int:
        # k samples missed. With a uniform prior on the chance of a hit, k + 1 more hold one with probability 1/2.
        return min(seen.left, seen.drawn + 1)

    def gain(self, seen: Seen) -> float:
        # The score is a percentile: the next one is uniform, and beats b by (1 - b)^2 / 2 on average; later ones bring less.
        known = seen.scores[~np.isnan(seen.scores)]
        best = min(1.0, max(0.0, float(known.max()))) if known.size else 0.0
        return 0.5 * (1.0 - best) ** 2 if seen.left else 0.0


class Leader(StoppingRule):
    """Stop when the answer in the lead will stay there, as the posterior of the answers' shares says.

    Attributes:
        error: the probability of being wrong that is put up with.
        promise: what "wrong" means. "stays": all samples would elect another answer. "likeliest": the model in truth gives another answer
            more often. Both hold on average over questions whose shares are spread evenly, the prior. "always": as "likeliest", and for
            every single question however hard, at any number of looks; it needs far more samples, and the number of `answers`.
        answers: how many different answers there can be. None where that is open: then there is always one more than was seen, a rule of
            thumb; where many are about equally likely the error may be a third over its level.
    """

    error: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.05
    promise: Literal["stays", "likeliest", "always"] = "stays"
    answers: Annotated[int, Meta(ge=2)] | None = None

    reads_answers: ClassVar[bool] = True

    def check(self) -> None:
        if self.promise == "always" and self.answers is None:
            raise SettingsError(
                explain(
                    "A promise for every question must know how many answers there can be.",
                    got='promise = "always", no answers',
                    expected="answers = 2 or more",
                    remedy='Set answers, or take promise = "likeliest".',
                )
            )

    def stops(self, seen: Seen) -> bool:
        return bool(seen.votes) and self.risk(seen) <= self.error

    def least(self, seen: Seen) -> int:
        # If all of the next ones agreed with the leader, this many would do; with fewer no vote is decided, so none is drawn in vain.
        return _first(lambda more: self.risk(_agreeing(seen, more)) <= self.error, seen.left)

    def gain(self, seen: Seen) -> float:
        votes = sorted(seen.votes, reverse=True)
        own, other = (*votes, 0, 0)[:2]
        rest = seen.abstained + sum(v + 1 for v in votes[2:]) + self._unseen(max(2, len(votes)))
        ahead = [2**i for i in range(seen.left.bit_length()) if 2**i <= seen.left]
        return max((share_gained(own, other, rest, m) / m for m in ahead), default=0.0)

    def risk(self, seen: Seen) -> float:
        """The probability that it would be wrong to stop here, at most 1."""
        if not seen.votes:
            return 1.0
        first = int(np.argmax(seen.votes))
        own = seen.votes[first]
        rivals = [(votes, i < first) for i, votes in enumerate(seen.votes) if i != first]
        unseen = self._unseen(len(seen.votes))
        everyone = [*rivals, *[(0, False)] * unseen]
        if self.promise == "likeliest":
            return min(1.0, sum(less_likely(own, votes) for votes, _ in everyone))
        if self.promise == "always":
            return min(1.0, len(everyone) * max((always_valid(own, votes) for votes, _ in everyone), default=0.0))
        weight = seen.abstained + sum(v + 1 for v in seen.votes) + unseen
        return min(
            1.0,
            sum(
                overtaken(own, votes, weight - own - votes - 2, seen.left, wins_ties=before)
                for votes, before in everyone
            ),
        )

    def _unseen(self, seen: int) -> int:
        return 1 if self.answers is None else max(0, self.answers - seen)


AnyRule = Leader | Threshold | Never


def _agreeing(seen: Seen, more: int) -> Seen:
    """What would be seen if `more` further samples all gave the answer in the lead."""
    votes = list(seen.votes) or [0]
    votes[int(np.argmax(votes))] += more
    return replace(seen, votes=tuple(votes), drawn=seen.drawn + more)


def _first(holds: Callable[[int], bool], most: int) -> int:
    """The least number from 1 to `most` at which `holds`, which stays true from there on; `most` where it never does."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return min(low, most)
