"""Search over paths: the best members go back a few steps with fresh noise, come down again by several ways, and the best ways are kept.

    Rewind(n=2, children=5, start=2, back=1, ahead=2)                            # a text cut by one step and written on by two, five times
    Rewind(n=2, children=5, start=44, back=39, ahead=41, evaluate="answer")      # a denoiser of 50 steps: nearly all the way back each time

Levels are steps taken. n members take `start` steps. In a round every kept one is sent back by `back` steps (texts are cut, samples of a
denoiser renoised by the forward kernel, with a seed of each fork's own) and moves on by `ahead`, so that a round gains `ahead - back`
steps; then the best n of all go on. Whoever has come to the end is an answer. Since the way back draws noise, a deterministic solver is as
good as any, and with one it is the search over paths as published.

Judged are members as they stand, which for a denoiser is the data it predicts ("score"), or a cheap end of each (`evaluate = "answer"`: a
forced answer, the predicted data as a finished sample, which costs a denoiser nothing and leaves an answer after every round). The search
over noises alone is best-of-n, and the climb over noises is zero-order. If unsure: the defaults for texts; for a denoiser `start` nine
tenths of its steps, `back` eight tenths, and `ahead` a little more.

Source: spec 19, item C; Ma et al. 2025, Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps. Departs from it: equal
scores keep children of different parents rather than all those of the first; members that end early leave as answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import Key
from outthink.core.process import Completable, Rewindable, lacks
from outthink.core.run import Moved, Run
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import FloatArray
from outthink.search.forks import ahead_of
from outthink.search.versions import Versions


@dataclass(frozen=True)
class Paths(Saved):
    """A search over paths between two rounds.

    Attributes:
        kept: where the search stands, [k]; score: of each, [k], nan for none.
        level: steps that the kept ones have taken. round: rounds that are over, the first stretch among them.
        ended: everyone who came to an end or was lost. predicted: cheap ends of the last round, and the best of those before.
    """

    kept: Batch
    score: FloatArray
    level: int
    round: int
    ended: Versions
    predicted: Versions


class Rewind(Algorithm[Paths]):
    """Send the best back, come down again by several ways, keep the best.

    Attributes:
        n: members kept.
        children: ways tried from each kept member in a round.
        start: steps taken before the first round.
        back: steps back in a round; fewer than `start`, so that something of the member is left.
        ahead: steps on again in a round; more than `back`.
        rounds: rounds at most; after the last one the kept members are taken to their end.
        evaluate: members are judged as they stand ("score"), or by a cheap end of each ("answer").
    """

    n: Positive = 2
    children: Positive = 5
    start: Positive = 2
    back: Positive = 1
    ahead: Positive = 2
    rounds: Positive = 40
    evaluate: Literal["score", "answer"] = "score"

    needs: ClassVar[Sequence[type]] = (Rewindable,)
    parts_forks: ClassVar[bool] = True

    def check(self) -> None:
        if self.back >= self.start:
            raise SettingsError(
                explain(
                    "Rewind.back must be less than Rewind.start, or the first round begins afresh.",
                    got=f"back = {self.back}, start = {self.start}",
                    expected="back < start",
                    remedy="Raise start, or use 'best-of-n' for a search over fresh starts.",
                )
            )
        if self.ahead <= self.back:
            raise SettingsError(
                explain(
                    "Rewind.ahead must be more than Rewind.back, or a round gains nothing.",
                    got=f"ahead = {self.ahead}, back = {self.back}",
                    expected="ahead > back",
                    remedy=f"Try ahead = {self.back + 1}.",
                )
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None:
            return
        if spec.relative or (self.evaluate == "score" and not spec.partial):
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of unfinished members and of different rounds.",
                    got="relative scores" if spec.relative else "scores of finished answers only",
                    expected="a verifier that rates prefixes, and whose scores keep their meaning",
                    remedy="Use another verifier, or 'best-of-n' with this one."
                    if spec.relative
                    else 'Set evaluate = "answer", or use another verifier.',
                )
            )

    async def init(self, run: Run, key: Key) -> Paths:
        if self.evaluate == "answer" and not isinstance(run.process, Completable):
            raise lacks(run.process, Completable)
        kept = await run.start(self.n, key)
        nothing = Versions.fresh(kept.take([]), np.zeros(0, np.int64))
        return Paths(kept, np.full(self.n, np.nan), 0, 0, nothing, nothing)

    async def step(self, state: Paths, run: Run, key: Key) -> Paths:
        if state.round > self.rounds:
            moved = await run.advance(state.kept, key, steps=None)
            return await self._judged(state, moved, state.level, run, key)
        if state.round == 0:
            moved = await run.advance(state.kept, key, steps=self.start)
            return await self._judged(state, moved, self.start, run, key)
        # One child of every parent comes before the second of any, so that equal scores keep different parents.
        forks = state.kept.take(np.tile(np.arange(len(state.kept)), self.children))
        back = await run.rewind(forks, np.full(len(forks), state.level - self.back), key)
        moved = await run.advance(back.batch.take(back.moved), key, steps=self.ahead)
        return await self._judged(state, moved, state.level - self.back + self.ahead, run, key)

    def done(self, state: Paths) -> bool:
        return state.round > 0 and len(state.kept) == 0

    def answer(self, state: Paths) -> Answer:
        ended, predicted, k = state.ended, state.predicted, len(state.kept)
        kept = replace(Versions.fresh(state.kept, np.zeros(k, np.int64)), score=state.score)
        everyone = ended.join(predicted).join(kept)
        best, offset = (ended.best(), 0) if ended.batch.finished.any() else (predicted.best(), len(ended))
        weights = np.zeros(len(everyone))
        weights[offset : offset + len(best.weights)] = best.weights
        chosen = None if best.chosen is None else best.chosen + offset
        return Answer(everyone.batch, weights, everyone.score, chosen)

    async def _judged(self, state: Paths, moved: Moved, level: int, run: Run, key: Key) -> Paths:
        """The search after members have moved to `level`: the best n that can go on are kept."""
        batch, round_ = moved.batch, np.full(len(moved.batch), state.round)
        seen = batch
        if self.evaluate == "answer":
            seen = await ahead_of(moved, run, lambda part: run.complete(part, key.child("answer")))
        at = np.flatnonzero(moved.moved)
        score = np.full(len(batch), np.nan)
        score[at] = await run.score(seen.take(at))
        order = at[np.argsort(-np.where(np.isnan(score[at]), -np.inf, score[at]), kind="stable")][: self.n]
        kept = order[batch.alive[order]]
        if state.round > self.rounds:
            kept = np.flatnonzero(batch.alive)  # those that the budget has not yet let come to their end
        over, foretold = np.flatnonzero(~batch.alive), np.flatnonzero(seen.finished & batch.alive)
        ended = state.ended.join(replace(Versions.fresh(batch.take(over), round_[over]), score=score[over]))
        if len(at) == 0 and 0 < state.round <= self.rounds:
            # All children were lost, and their parents are still there.
            return replace(state, ended=ended, round=state.round + 1)
        before = state.predicted.best().chosen
        predicted = state.predicted.take([] if before is None else [before])
        new = replace(Versions.fresh(seen.take(foretold), round_[foretold]), score=score[foretold])
        after = Paths(batch.take(kept), score[kept], level, state.round + 1, ended, predicted.join(new))
        self._tell(after, run)
        return after

    def _tell(self, state: Paths, run: Run) -> None:
        if not self.done(state):
            return
        scores = state.ended.score[~np.isnan(state.ended.score)]
        if len(scores) > 1 and len(np.unique(scores)) == 1:
            run.warn(
                f"All {len(scores)} answers have the same score, so the verifier gave no direction; the first one is the answer."
            )
        if state.round == 1:
            run.warn(
                f"Everyone ended within the first {self.start} steps, so nobody was sent back and this was 'best-of-n'. "
                "Lower start, or set a stepper whose steps are shorter."
            )
