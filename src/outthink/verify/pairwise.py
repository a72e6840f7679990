"""A model that compares candidates two by two; who beats whom becomes a score in [0, 1].

    [verifier]
    type = "pairwise"
    schedule = "swiss"
    rounds = 4

Comparing is often easier than rating. Models prefer what stands first (or second), so the order of each pair is drawn by a seed, which
makes that preference cancel out on average; `order = "both"` asks twice, once in each order, which removes it from every single comparison.
A comparison without a verdict is dropped and counted in the notes.

The scores compare the candidates of one call with each other and with nobody else: they are for methods that judge everyone at once, such
as best-of-n. If unsure: `bradley-terry`, and as many rounds as there are other candidates, which is every pair.

Sources: Bradley and Terry 1952 for the scores; Swiss-system tournaments for pairing with few rounds; Zheng et al. 2023, Judging
LLM-as-a-Judge, for position bias and asking in both orders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from outthink.core.component import Parts
from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.core.key import Key
from outthink.core.process import Adaptation
from outthink.core.settings import Positive
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.engines.engine import Request
from outthink.numerics.types import FloatArray, IntArray
from outthink.verify.asking import CUT, Judgement, Judging, Unheard, text_of
from outthink.verify.bradley_terry import strengths
from outthink.verify.model_verifier import ModelVerifier
from outthink.verify.one_by_one import OneByOne
from outthink.verify.pairings import Pair, round_robin, swiss_round, win_rates
from outthink.verify.rubrics import Rubric, find_rubric
from outthink.verify.verdicts import Verdict


class Pairwise(ModelVerifier):
    """A model that compares candidates.

    Attributes:
        rubric: what it is told: a built-in rubric for two candidates by name, or one of your own. Whether ties count is the rubric's.
        schedule: "round-robin": everyone meets someone new in each round; "swiss": in each round neighbours in the standing meet.
        rounds: comparisons of each candidate at most. Among n, n - 1 rounds of "round-robin" (n where n is odd) are all pairs.
        order: "shuffled" by the seed, "both" (asked twice; tells half a win for each order), or as "given" (shows a judge's bias).
        scores: "bradley-terry": the chance of beating an average candidate, by the strengths that explain the comparisons best, with one
            added tie; "win-rate": the share of comparisons won, ties half. Both in [0, 1].
    """

    rubric: str | Rubric = "preference"
    schedule: Literal["round-robin", "swiss"] = "round-robin"
    rounds: Positive = 4
    order: Literal["shuffled", "both", "given"] = "shuffled"
    scores: Literal["bradley-terry", "win-rate"] = "bradley-terry"

    def check(self) -> None:
        find_rubric(self.rubric, compares=True)

    def build(self, parts: Parts) -> PairwiseJudge:
        return PairwiseJudge(self, Judging.of(self, parts, find_rubric(self.rubric, compares=True)))


@dataclass
class Tournament:
    """What has been played. `wins` [n, n]: how often each row has beaten each column, ties half."""

    texts: list[str]
    wins: FloatArray
    silent: IntArray
    failed: IntArray
    cut: IntArray
    met: set[frozenset[int]] = field(default_factory=set)
    cost: Cost = ZERO
    uncertain: Cost = ZERO
    last_failure: Failure | None = None

    @classmethod
    def among(cls, texts: list[str]) -> Tournament:
        """Nobody has met yet."""
        n = len(texts)
        silent, failed, cut = np.zeros((3, n), np.int64)
        return cls(texts, np.zeros((n, n)), silent, failed, cut)

    def record(self, pair: Pair, verdicts: Sequence[float | Failure | Unheard | None]) -> None:
        """The chance with which the first of the pair won, by each request about it. Without all of them the pair is dropped."""
        a, b = pair
        failures = [v for v in verdicts if isinstance(v, Failure)]
        heard = [v for v in verdicts if isinstance(v, float)]
        self.met.add(frozenset(pair))
        if failures:
            self.failed[[a, b]] += 1
            self.last_failure = failures[0]
        elif CUT in verdicts:
            self.cut[[a, b]] += 1
        elif len(heard) < len(verdicts):
            # Half of a pair asked in both orders would bring back the bias that the other half removes.
            self.silent[[a, b]] += 1
        else:
            won = float(np.mean(heard))
            self.wins[a, b] += won
            self.wins[b, a] += 1.0 - won

    def told(self) -> tuple[str, ...]:
        """A word on comparisons that failed, so that the scores rest on the others."""
        lost = int(self.failed.sum()) // 2
        if not lost or self.last_failure is None:
            return ()
        return (f"{lost} comparisons failed, and the scores rest on the others: {self.last_failure.message}",)

    def note(self, player: int) -> str:
        """What a player did, in words."""
        played = round(float((self.wins + self.wins.T)[player].sum()))
        said = [f"won {self.wins[player].sum():g} of {played} comparisons"]
        said += [f"{self.silent[player]} without a verdict"] if self.silent[player] else []
        said += [f"{self.failed[player]} failed"] if self.failed[player] else []
        said += [f"{self.cut[player]} cut short"] if self.cut[player] else []
        return ", ".join(said)


@dataclass(frozen=True)
class PairwiseJudge(OneByOne):
    """Live part of `Pairwise`. Equal texts are one player and share its score."""

    settings: Pairwise
    judging: Judging

    @property
    def spec(self) -> ScoreSpec:
        bradley_terry = self.settings.scores == "bradley-terry"
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            # The logit of a Bradley-Terry score is the strength itself.
            log_map=LogMap.ODDS if bradley_terry else LogMap.PROBABILITY,
            local=False,
            reads_reference=self.judging.rubric.reads_reference,
            relative=True,
        )

    def most(self, task: Task) -> Cost:
        """Half of the requests that a candidate may stand in: the other half is its opponents'."""
        each, requests = self.judging.most(task, 2), self.settings.rounds * self._orders
        columns = {name: getattr(each, name) * requests / 2 for name in each.__struct_fields__}
        whole = {name: value if name in ("seconds", "money") else math.ceil(value) for name, value in columns.items()}
        return Cost(**whole) + Cost(verifier_calls=1)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.judging.adaptations

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        texts = [text_of(candidate) for candidate in candidates]
        different = list(dict.fromkeys(text for text in texts if isinstance(text, str)))
        alone = self.judging.most(task, 1)
        refused: dict[str, Failure] = {}
        for text in different:
            problem = self.judging.refused(self.judging.request({"first": text}, task, 0), alone)
            if problem is not None:
                refused[text] = problem
        played = await self._play([text for text in different if text not in refused], task, cut)
        values = self._values(played)
        by_text = {text: i for i, text in enumerate(played.texts)}
        result, notes, failures = np.full(len(texts), np.nan), [""] * len(texts), {}
        unjudged: set[int] = set()
        for row, shown in enumerate(texts):
            if isinstance(shown, Failure) or shown in refused:
                failures[row] = shown if isinstance(shown, Failure) else refused[shown]
                continue
            player = by_text[shown]
            result[row], notes[row] = values[player], played.note(player)
            if np.isnan(values[player]) and played.failed[player] and not played.silent[player] and played.last_failure:
                failures[row] = played.last_failure
            elif np.isnan(values[player]) and played.cut[player] and not played.silent[player]:
                unjudged.add(row)
        judged = len(played.texts) - len({texts[row] for row in unjudged})
        cost = played.cost + Cost(verifier_calls=judged)
        told = played.told() if not np.isnan(result).all() else ()
        return Scores(result, tuple(notes), cost, failures, played.uncertain, frozenset(unjudged), told)

    async def close(self) -> None:
        await self.judging.close()

    @property
    def _orders(self) -> int:
        return 2 if self.settings.order == "both" else 1

    async def _play(self, texts: list[str], task: Task, cut: Cut | None) -> Tournament:
        """All rounds; those of a round robin are sent together, those of a Swiss tournament wait for the standing."""
        key = Key(self.settings.seed).child("pairwise", task.question)
        played = Tournament.among(texts)
        # By text, so that neither the candidates' order nor their number of copies decides who meets whom.
        by_text = sorted(range(len(texts)), key=texts.__getitem__)
        order = [by_text[i] for i in key.child("order").rng().permutation(len(texts))]
        if self.settings.schedule == "round-robin":
            rounds = round_robin(order, self.settings.rounds)
            await self._compare([pair for pairs in rounds for pair in pairs], played, task, key, cut)
            return played
        for _ in range(self.settings.rounds):
            if cut is not None and cut.reason:
                played.cut += (played.wins + played.wins.T).sum(axis=1) == 0
                break
            pairs = swiss_round(order, played.wins.sum(axis=1), played.met)
            await self._compare(pairs, played, task, key, cut)
        return played

    async def _compare(self, pairs: list[Pair], played: Tournament, task: Task, key: Key, cut: Cut | None) -> None:
        promised = self.judging.most(task, 2)
        sent: list[tuple[Pair, list[bool]]] = []
        requests: list[Request] = []
        for pair in pairs:
            swaps, asked = self._requests(pair, played.texts, task, key)
            problems = [problem for one in asked if (problem := self.judging.refused(one, promised))]
            if problems:
                played.record(pair, problems)
                continue
            sent.append((pair, swaps))
            requests += asked
        got = await self.judging.ask(requests, cut)
        played.cost, played.uncertain = played.cost + got.cost, played.uncertain + got.uncertain
        verdicts = iter(got.verdicts)
        for pair, swaps in sent:
            played.record(pair, [_first_won(next(verdicts), swapped) for swapped in swaps])

    def _requests(self, pair: Pair, texts: list[str], task: Task, key: Key) -> tuple[list[bool], list[Request]]:
        """Whether each request about a pair shows it in reverse, and the requests."""
        a, b = texts[pair[0]], texts[pair[1]]
        own = key.child("pair", min(a, b), max(a, b))
        # The coin says which of the two texts stands first, whoever of them was named first here.
        lesser_first = bool(own.child("coin").rng().integers(2))
        shuffled = lesser_first == (a > b)
        swaps = {"given": [pair[0] > pair[1]], "shuffled": [shuffled], "both": [shuffled, not shuffled]}[
            self.settings.order
        ]
        seeds = own.child("draw").seeds(len(swaps))
        shown = [{"first": b, "second": a} if swapped else {"first": a, "second": b} for swapped in swaps]
        return swaps, [self.judging.request(s, task, int(seed)) for s, seed in zip(shown, seeds, strict=True)]

    def _values(self, played: Tournament) -> FloatArray:
        """Scores by player, [n]; nan for one without a comparison."""
        rates = win_rates(played.wins)
        if self.settings.scores == "win-rate":
            return rates
        chance = 0.5 * (1.0 + np.tanh(0.5 * strengths(played.wins)))
        return np.where(np.isnan(rates), np.nan, chance)


def _first_won(verdict: Judgement, swapped: bool) -> float | Failure | Unheard | None:
    """The verdict as the share of a win of the pair's first; a rubric's value is that of the one shown first."""
    if not isinstance(verdict, Verdict):
        return verdict
    return 1.0 - verdict.value if swapped else verdict.value
