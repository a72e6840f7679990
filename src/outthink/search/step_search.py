"""The loop behind beam search, diverse verifier tree search, step-level best-of-n and REBASE: judge, share out children, move on.

A round gives every active member its children (`outthink.search.allocation`), moves each on by one step and has it judged. Finished members
leave. The last round moves everyone to the end. A method of this kind says how children are shared out, and when a search is over; all
else, settings included, is here.

With `look_ahead` a candidate is judged by what lies ahead of it: so many further steps, or a forced answer, which lets a verifier of
finished answers guide the steps. What was looked at is dropped; only the first step is kept.

Source: spec 05, the family [groups, keep, children] and look-ahead (search-and-learn; Beeching et al. 2024). Departs from its code: looking
ahead works in every method of the family; exact duplicates are kept, since search never looks into content; a search in which nothing
completes returns no answer instead of dividing by zero; finished members that lost to a neighbour are kept as last resort.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import Key
from outthink.core.process import Completable, Temperable, lacks
from outthink.core.run import Moved, Run
from outthink.core.settings import Count, Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, IntArray
from outthink.search.beams import Beamed, Beams, over_when_finished
from outthink.search.best_of_n import negative_votes
from outthink.search.drawn import Scale
from outthink.search.forks import ahead_of

FEW_STEPS = 2


class StepSearch(Algorithm[Beams]):
    """Base of the family.

    Attributes:
        n: members moved on in each round; the budget in sequences.
        rounds: the last round moves every member to its end.
        look_ahead: further steps after which a candidate is judged, greedy where the process can be; or a forced "answer".
        select: the answer is the "argmax" of the scores, or of the class of equal answers with the largest sum of scores ("weighted"), or
            with most members ("vote").
        scale: for "weighted": scores as they are (they must not be negative), or "min-max" normalised over the complete members.
    """

    n: Positive = 8
    rounds: Positive = 40
    look_ahead: Count | Literal["answer"] = 0
    select: Literal["argmax", "weighted", "vote"] = "argmax"
    scale: Scale = "raw"

    @abstractmethod
    def children(self, state: Beams) -> IntArray:
        """How many children each active member gets, [k]. Not asked in the first round, nor after the last."""

    def subtrees(self) -> IntArray:
        """Which tree each of the n first members belongs to, [n]."""
        return np.zeros(self.n, np.int64)

    def over(self, beams: Beamed) -> BoolArray:
        """Whose search is over, [n]."""
        return over_when_finished(beams)

    def must_rank(self) -> bool:
        """Whether unfinished members are compared at all."""
        return self.rounds > 1

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None:
            return
        if self.must_rank() and not spec.partial and self.look_ahead != "answer":
            raise Incompatible(
                explain(
                    f"{self.name()!r} ranks unfinished members, and this verifier rates finished answers only.",
                    got=f"a verifier of {spec.kind.value}s",
                    expected="one that rates partial answers",
                    remedy="Use 'best-of-n', a verifier of steps or prefixes, or set look_ahead = \"answer\".",
                )
            )
        if spec.relative:
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of different rounds, and this verifier only compares candidates of one round.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning, such as 'judge'",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )
        if self.select == "weighted" and self.scale == "raw" and spec.low < 0:
            raise negative_votes(self.name(), spec)

    async def init(self, run: Run, key: Key) -> Beams:
        if self.look_ahead == "answer" and not isinstance(run.process, Completable):
            raise lacks(run.process, Completable)
        if self.look_ahead not in (0, "answer") and not isinstance(run.process, Temperable):
            run.adapted("a greedy look ahead", "steps drawn as the process draws them")
        return Beams.begin(await run.start(self.n, key), self.subtrees())

    async def step(self, state: Beams, run: Run, key: Key) -> Beams:
        among = state.active
        alone = state.round == 0 or state.round >= self.rounds
        counts = np.ones(len(among), np.int64) if alone else self.children(state)
        # Children stand where their parents stood, so that who ranks where does not decide about anyone's noise.
        forks = among.take(np.repeat(np.arange(len(among)), counts))
        last = state.round + 1 >= self.rounds
        moved = await run.advance(forks.batch, key, steps=None if last else 1)
        seen = moved.batch if last or self.look_ahead == 0 else await self._ahead(moved, run, key)
        at = np.flatnonzero(moved.moved)
        score = forks.score.copy()
        score[at] = await run.score(seen.take(at))
        beams = Beamed(moved.batch, score, forks.subtree)
        # In the last round nobody competes for children any more.
        after = state.ended(beams, moved.batch.finished if last else self.over(beams))
        ahead = np.flatnonzero(seen.finished & moved.batch.alive)
        after = after.put_aside(replace(beams.take(ahead), batch=seen.take(ahead)))
        if self.select != "argmax":
            after = await after.grouped(run)
        return self._let_go(after, run) if self.done(after) else after

    def done(self, state: Beams) -> bool:
        return len(state.active) == 0 or len(state.complete) >= self.n

    def answer(self, state: Beams) -> Answer:
        if self.select == "argmax":
            return state.best()
        return state.elect(self.scale if self.select == "weighted" else None)

    async def _ahead(self, moved: Moved, run: Run, key: Key) -> Batch:
        """What each member is judged by, [n]: its forced answer, or where it stands so many steps later."""

        async def look(part: Batch) -> Moved:
            if isinstance(self.look_ahead, str):
                return await run.complete(part, key.child("look-ahead"))
            if isinstance(run.process, Temperable):
                part = part.tempered(np.zeros(len(part)))
            return await run.advance(part, key.child("look-ahead"), steps=self.look_ahead, kind="look-ahead")

        return await ahead_of(moved, run, look)

    def _let_go(self, state: Beams, run: Run) -> Beams:
        """The end: what is still under way is dropped, and steps that are none are told of."""
        depths = state.complete.batch.depth
        if self.rounds > 1 and len(depths) and np.median(depths) < FEW_STEPS:
            run.warn(
                f"Half of the {len(depths)} answers ended within one step, so {self.name()!r} came down to 'best-of-n'. "
                "Set a stepper whose steps are shorter."
            )
        return replace(state, active=state.active.take([]))


def check_divides(method: str, n: int, width: int) -> None:
    """Refuse a width that does not divide n. Raises `SettingsError` with both numbers."""
    if n % width:
        raise SettingsError(
            explain(
                f"{method}.n must be divisible by {method}.width.",
                got=f"n = {n}, width = {width}",
                expected="a multiple",
                remedy=f"Try n = {max(1, n // width) * width}.",
            )
        )
