"""A knockout among the candidates of one call: a model compares two, the better one goes on, and the last one is the best.

    [verifier]
    type = "knockout"
    matches = 3

n candidates take n - 1 comparisons (times `matches`), where all pairs of a round robin take n (n - 1) / 2: the cheapest way to one winner
that looks at everybody. What it says of the others is rough, and a good candidate that meets the best one early is out early. If unsure:
one match for a model that compares well, three for one that does not; `pairwise` where the whole ranking counts.

Source: Chen et al. 2024, Provable Scaling Laws for the Test-Time Compute of Large Language Models: the chance that a knockout over correct
and wrong candidates fails falls exponentially in the number of candidates and of matches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from outthink.core.component import Parts
from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.key import Key
from outthink.core.settings import Positive
from outthink.core.task import Task
from outthink.numerics.types import FloatArray, IntArray
from outthink.verify.asking import Judging
from outthink.verify.model_verifier import ModelVerifier
from outthink.verify.pairings import Pair
from outthink.verify.pairwise import Pairwise, PairwiseJudge, Tournament
from outthink.verify.rubrics import Rubric, find_rubric


class Knockout(ModelVerifier):
    """A model that compares candidates until one is left.

    Attributes:
        rubric: what it is told: a built-in rubric for two candidates by name, or one of your own.
        matches: comparisons of a pair before one of them is out; ties, and pairs without any verdict, are decided by the seed.
        order: which of the two stands first: "shuffled" by the seed, "both" (asked twice in each match), or as "given".
    """

    rubric: str | Rubric = "preference"
    matches: Positive = 1
    order: Literal["shuffled", "both", "given"] = "shuffled"

    def check(self) -> None:
        find_rubric(self.rubric, compares=True)

    def build(self, parts: Parts) -> KnockoutJudge:
        shared = {name: getattr(self, name) for name in ModelVerifier.__struct_fields__}
        pairing = Pairwise(
            **shared, rubric=self.rubric, rounds=self.matches, order=self.order, schedule="swiss", scores="win-rate"
        )
        return KnockoutJudge(pairing, Judging.of(self, parts, find_rubric(self.rubric, compares=True)))


@dataclass
class Bracket(Tournament):
    """What has been played.

    Attributes:
        reached: rounds that each has survived, [n]. rounds: how many there are.
        open: who met somebody when a cut came, without a verdict: neither has survived, and neither is out.
    """

    reached: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    rounds: int = 0
    open: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class KnockoutJudge(PairwiseJudge):
    """Live part of `Knockout`. A score is the share of the rounds that a candidate survived: 1 for the winner, 0 for who lost at once."""

    def most(self, task: Task) -> Cost:
        """All comparisons, a share each: there are fewer of them than candidates."""
        return self.judging.most(task, 2).times(self.settings.rounds * self._orders) + Cost(verifier_calls=1)

    async def _play(self, texts: list[str], task: Task, cut: Cut | None) -> Bracket:
        """Round by round; the pairs of a round are compared together. With an odd number the last one has no opponent and goes on."""
        key = Key(self.settings.seed).child("knockout", task.question)
        none = Tournament.among(texts)
        played = Bracket(none.texts, none.wins, none.silent, none.failed, none.cut)
        played.reached = np.zeros(len(texts), np.int64)
        # By text, so that neither the candidates' order nor their number of copies decides who meets whom.
        by_text = sorted(range(len(texts)), key=texts.__getitem__)
        left = [by_text[i] for i in key.child("order").rng().permutation(len(texts))]
        while len(left) > 1:
            if cut is not None and cut.reason:
                played.cut[left] += 1
                break
            pairs = [pair for i, pair in enumerate(pairwise(left)) if i % 2 == 0]
            before = played.cut.copy()
            for match in range(self.settings.rounds):
                await self._compare(pairs, played, task, key.child("match", match), cut)
            cut_short = [(a, b) for a, b in pairs if played.cut[a] > before[a] and _is_even(played.wins, (a, b))]
            if len(cut_short) == len(pairs):
                break  # nothing of this round was heard
            played.open.update(player for pair in cut_short for player in pair)
            # Those who go on keep their order, and who has had no opponent is first next time.
            winners = [_winner(played.wins, pair) for pair in pairs if pair not in cut_short]
            left = [*left[2 * len(pairs) :], *winners]
            played.reached[left] += 1
            played.rounds += 1
        return played

    def _values(self, played: Tournament) -> FloatArray:
        """Share of the rounds that each survived, [n]; nan for all where there was nothing to compare."""
        heard = (played.wins + played.wins.T).sum()
        if not isinstance(played, Bracket) or played.rounds == 0 or heard == 0:
            return np.full(len(played.texts), np.nan)
        values: FloatArray = played.reached / played.rounds
        values[list(played.open)] = np.nan
        return values


def _is_even(wins: FloatArray, pair: Pair) -> bool:
    a, b = pair
    return bool(wins[a, b] == wins[b, a])


def _winner(wins: FloatArray, pair: Pair) -> int:
    """The one with more wins between the two; the first, whose place the seed has drawn, where they are equal."""
    a, b = pair
    return b if wins[b, a] > wins[a, b] else a
