"""Vote (self-consistency): draw n whole samples and return the answer that most of them give.

Answers are compared by the recipe's `[answer]`, so "1/2" and "0.5" can be one answer; a member without an answer abstains and the empty
answer never wins. Needs no verifier; with `weights = "score"` each vote counts as much as the verifier says. If unsure: n = 16, equal.

    Vote(n=16, voters="shortest")                                   # shortest-m: the shorter half votes
    Vote(n=16, voters="shortest", early_stop=True)                  # and nobody waits for the others
    Vote(n=16, weights="length")                                    # a class counts its members / log(mean length)
    Vote(n=16, voters="best", share=0.75) with `marker-rate`        # filtered: the quarter that hedges most does not vote

Sources: spec 05, self-consistency (Wang et al. 2022) and weighted majority; spec 06, feature-informed selection. "First" is told by steps,
not by the clock, so that an early stop gives the same answer every time: members are moved on side by side, and it ends with the step in
which enough of them have answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.settings import Count, Fraction, Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, FloatArray
from outthink.search.best_of_n import negative_votes
from outthink.search.drawn import ABSTAINS, Drawn, Scale, Ties, vote_weights
from outthink.search.forks import waive
from outthink.search.vote_rules import best_scored, electorate, length_votes, shortest

LEAST_FILTERED = 3
NOISE = 0.3


@dataclass(frozen=True)
class Ballot(Rows):
    """Whole samples and what the rules ask about them.

    Attributes:
        length: in the process's own unit, tokens of a text, [n]; nan where nobody asked or it is not known.
        capped: cut at the length limit, [n].
    """

    drawn: Drawn
    length: FloatArray
    capped: BoolArray

    @classmethod
    def of(cls, drawn: Drawn) -> Ballot:
        """Nothing is known of their lengths."""
        return cls(drawn, np.full(len(drawn), np.nan), np.zeros(len(drawn), bool))

    @property
    def answered(self) -> BoolArray:
        """Members with an answer, [n]."""
        return np.asarray((self.drawn.group != ABSTAINS) & self.drawn.batch.finished)


class Vote(Algorithm[Ballot]):
    """Draw n complete candidates and return the most frequent answer.

    Attributes:
        n: members.
        weights: every member counts the same ("equal"), as much as its score, or so that a class counts its members over the logarithm of
            their mean "length".
        voters: "all" that have an answer, the "shortest" of them, or the "best" by score.
        share: for the last two: this share of n votes; of the best at least 3.
        early_stop: for the shortest: stop when as many as vote have answered; the others are let go. Needs a process with steps.
        scale: for "score": scores as they are (they must not be negative), or "min-max" normalised over the n samples.
        ties: to the class seen first, or to one at random by the run's seed.
        redraws: how often to draw n more when everyone abstains.
    """

    n: Positive = 16
    weights: Literal["equal", "score", "length"] = "equal"
    voters: Literal["all", "shortest", "best"] = "all"
    share: Fraction = 0.5
    early_stop: bool = False
    scale: Scale = "raw"
    ties: Ties = "first"
    redraws: Count = 0

    whole_samples: ClassVar[bool] = True

    def check(self) -> None:
        if self.early_stop and self.voters != "shortest":
            raise SettingsError(
                explain(
                    "An early stop keeps those that finish first, which are the shortest.",
                    got=f"voters = {self.voters!r}",
                    expected='voters = "shortest"',
                    remedy="Set it, or leave early_stop out.",
                )
            )

    @property
    def needs_verifier(self) -> bool:
        return self.weights == "score" or self.voters == "best"

    @property
    def needs_length(self) -> bool:
        """Whether the process must show how long an answer is."""
        return self.weights == "length" or self.voters == "shortest"

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None or not self.needs_verifier:
            return
        if self.weights == "score" and self.scale == "raw" and spec.low < 0:
            raise negative_votes(self.name(), spec)
        if spec.relative and (self.redraws or self.early_stop):
            raise Incompatible(
                explain(
                    f"{self.name()!r} with redraws or an early stop compares scores of different calls, and this verifier only compares "
                    "the candidates of one.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning, such as 'judge'",
                    remedy="Use another verifier, or leave out redraws and early_stop.",
                )
            )

    async def init(self, run: Run, key: Key) -> Ballot:
        if self.early_stop and not run.process.step_wise:
            raise Incompatible(
                explain(
                    "An early stop lets unfinished answers go, and this process gives whole ones only.",
                    got=type(run.process).__name__,
                    expected="a process that goes step by step",
                    remedy="Leave early_stop out.",
                )
            )
        drawn = await Drawn.fresh(run, self.n, self.ties, key)
        if self.needs_length and "length" not in (await run.view(drawn.batch.take([0]), LENGTH))[0].features:
            raise Incompatible(
                explain(
                    f"{self.name()!r} was told to go by length, and this process shows none.",
                    got=type(run.process).__name__,
                    expected='candidates with the feature "length"',
                    remedy='Set weights = "equal" and voters = "all".',
                )
            )
        return Ballot.of(drawn)

    async def step(self, state: Ballot, run: Run, key: Key) -> Ballot:
        if not state.drawn.batch.alive.any():
            more = await Drawn.fresh(run, self.n, self.ties, key)
            more = replace(more, priority=more.priority + len(state))
            state = state.join(Ballot.of(more))
            state = replace(state, drawn=replace(state.drawn, redrawn=state.drawn.redrawn + 1))
        steps = 1 if self.early_stop else None
        drawn = await state.drawn.finish(run, key, scored=self.needs_verifier, grouped=True, steps=steps)
        if self.early_stop:
            waive(run, drawn.batch.take(drawn.batch.alive))
        state = replace(state, drawn=drawn)
        if self.needs_length:
            state = await self._measured(state, run)
        if not self.done(state):
            return state
        await self._tell(state, run)
        return state.take(~state.drawn.batch.alive)

    def done(self, state: Ballot) -> bool:
        if state.drawn.batch.alive.any():
            return self.early_stop and int(state.answered.sum()) >= electorate(self.n, self.share)
        return bool(state.answered.any()) or state.drawn.redrawn >= self.redraws

    def answer(self, state: Ballot) -> Answer:
        drawn, voting = state.drawn, self._voting(state)
        if self.weights == "length":
            return drawn.elect(length_votes(state.length, drawn.group, voting))
        votes = np.ones(len(drawn)) if self.weights == "equal" else vote_weights(drawn, self.scale)
        return drawn.elect(np.where(voting, votes, 0.0))

    def _voting(self, state: Ballot) -> BoolArray:
        """Who has a say, [n]. Where everybody who answered was cut at the cap, all of them."""
        drawn, eligible = state.drawn, state.answered
        if self.needs_length and (eligible & ~state.capped).any():
            eligible = eligible & ~state.capped
        if self.voters == "shortest":
            return shortest(state.length, eligible, electorate(self.n, self.share), drawn.priority)
        if self.voters == "best":
            return best_scored(drawn.score, eligible, electorate(self.n, self.share, LEAST_FILTERED), drawn.priority)
        return eligible

    async def _measured(self, state: Ballot, run: Run) -> Ballot:
        """The same, knowing how long the finished ones are."""
        at = np.flatnonzero(state.drawn.batch.finished & np.isnan(state.length))
        if len(at) == 0:
            return state
        seen = await run.view(state.drawn.batch.take(at), LENGTH)
        length, capped = state.length.copy(), state.capped.copy()
        length[at] = [float(candidate.features.get("length", np.nan)) for candidate in seen]
        capped[at] = [candidate.features.get("stop") == "length" for candidate in seen]
        return replace(state, length=length, capped=capped)

    async def _tell(self, state: Ballot, run: Run) -> None:
        """What a reader of the result must know: who had no say, and whether the winner won by more than noise."""
        finished, silent = state.drawn.batch.finished, state.drawn.batch.finished & ~state.answered
        if not self.needs_length and silent.any():
            state = await self._measured(state, run)
        capped = state.capped & finished
        if silent.any() or capped.any():
            run.warn(
                f"{int(silent.sum())} of {int(finished.sum())} candidates gave no answer; {int(capped.sum())} were cut at the length "
                f"limit, {int((silent & capped).sum())} of them before they had answered."
            )
        agreement = self.answer(state).agreement
        if agreement is not None and 0.0 < agreement < NOISE:
            run.warn(
                f"The winner has {agreement:.0%} of the votes, which may be chance. A stronger model helps more than more samples do."
            )


LENGTH = frozenset({"length", "stop"})
