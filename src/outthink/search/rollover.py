"""Rollover budget forcing: a quota of proposals for each step, of which what is not needed is kept for the steps to come.

A line proposes its next step again and again. A proposal that beats every score so far is taken at once, and what is left of the quota
rolls over; when the quota is spent, the best proposal of the step is taken, even a worse one than the record. Nothing here is about
denoising: a step is whatever the process says it is, and the score is of the prefix.

    Rollover(n=2, quota=8, proposals=200)                  # two lines, 200 proposals each

A proposal that is finished is an answer and never gone on from; at such a place the line keeps proposing until its proposals are used up.
If unsure: n = 2, `first` a tenth of `proposals`, and `quota` so that `first` + quota * steps is about `proposals`.

Source: spec 20, item 5; Kim et al. 2025, Inference-Time Scaling for Flow Models via Stochastic Generation and Rollover Budget Forcing.
Departs from it: the first draws are judged after their first step and not before it; lines go all the way to finished answers, where the
published code returns a prediction one level earlier; a proposal that failed or has no score uses up its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Moved, Run
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.versions import Versions

NOTHING = -np.inf


@dataclass(frozen=True)
class Lines(Rows):
    """n lines.

    Attributes:
        batch: where each line stands. held: its best proposal for the next step so far; `holds` says whether there is one, [n].
        step_score: of what is held, [n]. record: the best score of the line so far, [n]. Both -inf for none.
        used: proposals made for this step, [n]; quota: how many there may be, [n]; made: proposals made in all, [n].
        levels: steps taken, [n].
        ended: finished proposals of all lines.
    """

    batch: Batch
    held: Batch
    holds: BoolArray
    step_score: FloatArray
    record: FloatArray
    used: IntArray
    quota: IntArray
    made: IntArray
    levels: IntArray
    ended: Versions

    shared: ClassVar[tuple[str, ...]] = ("ended",)


class Rollover(Algorithm[Lines]):
    """Propose each next step until one sets a record or the quota is spent.

    Attributes:
        n: lines, side by side.
        first: draws of the first step, of which the best is taken.
        quota: proposals for each later step; what a record leaves over is added to the next step's.
        proposals: proposals of one line in all, first draws included.
        every: steps of the process in one proposal.
    """

    n: Positive = 2
    first: Positive = 8
    quota: Positive = 4
    proposals: Positive = 64
    every: Positive = 1

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and (spec.relative or not spec.partial):
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of unfinished members over time.",
                    got="relative scores" if spec.relative else "scores of finished answers only",
                    expected="a verifier that rates prefixes, and whose scores keep their meaning",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )

    async def init(self, run: Run, key: Key) -> Lines:
        batch = await run.start(self.n, key)
        zero, none = np.zeros(self.n, np.int64), np.full(self.n, NOTHING)
        nothing = Versions.fresh(batch.take([]), np.zeros(0, np.int64))
        start = np.full(self.n, self.first)
        return Lines(batch, batch, np.zeros(self.n, bool), none, none, zero, start, zero, zero, nothing)

    async def step(self, state: Lines, run: Run, key: Key) -> Lines:
        at = np.flatnonzero(self._proposing(state))
        if len(at) == 0:
            return await self._finish(state, run, key)
        origin = await self._origins(state, at, run, key)
        moved = await run.advance(origin, key, steps=self.every)
        score = await run.score(moved.batch)
        return self._judged(state, at, moved, np.where(np.isnan(score), NOTHING, score), score)

    def done(self, state: Lines) -> bool:
        return not bool((self._proposing(state) | self._unfinished(state)).any())

    def answer(self, state: Lines) -> Answer:
        if len(state.ended):
            return state.ended.best()
        return Answer(state.batch, np.zeros(self.n), np.full(self.n, np.nan), None)

    def _proposing(self, state: Lines) -> BoolArray:
        return state.made < self.proposals

    def _unfinished(self, state: Lines) -> BoolArray:
        """Lines that have made all their proposals and have no answer yet, [n]."""
        has = np.isin(np.arange(self.n), state.ended.chain[state.ended.batch.finished])
        return ~has & ~state.batch.failed

    async def _origins(self, state: Lines, at: IntArray, run: Run, key: Key) -> Batch:
        """What the lines at `at` propose from: where they stand, or a fresh member for each first draw."""
        fresh = np.flatnonzero(state.levels[at] == 0)
        batch = state.batch.take(at)
        if len(fresh) == 0:
            return batch
        order = np.arange(len(at))
        order[fresh] = len(at) + np.arange(len(fresh))
        return batch.join(await run.start(len(fresh), key)).take(order)

    def _judged(self, state: Lines, at: IntArray, moved: Moved, rank: FloatArray, score: FloatArray) -> Lines:
        """The lines after one proposal each of those at `at`; `rank` [m] is -inf without an opinion."""
        counted = moved.moved | moved.batch.failed
        used, made = state.used.copy(), state.made.copy()
        used[at] += counted
        made[at] += counted
        final = moved.moved & moved.batch.done
        live = moved.moved & ~moved.batch.done
        better = live & (~state.holds[at] | (rank > state.step_score[at]))
        held = _put(state.held, at[better], moved.batch.take(better))
        holds, step_score = state.holds.copy(), state.step_score.copy()
        holds[at[better]], step_score[at[better]] = True, rank[better]
        beats = live & (rank > state.record[at]) & (state.levels[at] > 0)
        record = state.record.copy()
        later = moved.moved & (state.levels[at] > 0)
        record[at[later]] = np.maximum(record[at[later]], rank[later])
        # A record takes the step at once; a spent quota takes the best of the step.
        at_once = np.zeros(self.n, bool)
        at_once[at[beats]] = True
        takes = at_once | (holds & (used >= state.quota))
        opened = takes & (state.levels == 0)
        record[opened] = np.maximum(record[opened], step_score[opened])
        ended = state.ended
        if final.any():
            rows = np.flatnonzero(final)
            new = replace(Versions.fresh(moved.batch.take(rows), at[rows]), score=score[rows])
            ended = ended.join(new)
        return Lines(
            batch=_put(state.batch, np.flatnonzero(takes), held.take(takes)),
            held=held,
            holds=holds & ~takes,
            step_score=np.where(takes, NOTHING, step_score),
            record=record,
            used=np.where(takes, 0, used),
            quota=np.where(at_once, self.quota + state.quota - used, np.where(takes, self.quota, state.quota)),
            made=made,
            levels=state.levels + takes,
            ended=ended,
        )

    async def _finish(self, state: Lines, run: Run, key: Key) -> Lines:
        """Take the lines without an answer to their end."""
        rows = np.flatnonzero(self._unfinished(state))
        moved = await run.advance(state.batch.take(rows), key, steps=None)
        score = await run.score(moved.batch)
        over = np.flatnonzero(moved.batch.finished)
        new = replace(Versions.fresh(moved.batch.take(over), rows[over]), score=score[over])
        return replace(state, batch=_put(state.batch, rows, moved.batch), ended=state.ended.join(new))


def _put(batch: Batch, at: IntArray, rows: Batch) -> Batch:
    """`batch` with the members at `at` [m] replaced by `rows`."""
    if len(at) == 0:
        return batch
    order = np.arange(len(batch))
    order[at] = len(batch) + np.arange(len(at))
    return batch.join(rows).take(order)
