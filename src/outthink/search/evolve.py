"""Evolution: members that came to something good are begun again where they stood on the way, a little changed, and others replace them.

    Evolve(n=8, schedule=(1, 2, 4))                                        # texts: the last step drawn again, and all that follows it
    Evolve(schedule=(0, 20, 30, 40), sizes=(42, 26, 26, 26, 30), elites=5)   # a denoiser of 50 steps: 5000 evaluations
    Evolve(n=4, schedule=(0, 0), mutation="revise")                        # whole answers, rewritten in the light of their scores

A first population goes all the way; each state that stands at a level of `schedule` (steps taken) is archived with the score of the end
that it led to. Then, level by level: the best states of that level, over all generations, go on from there once more, the winners of
tournaments do so as neighbours of themselves, and what they pass and come to is archived too. Later levels change less and cost less.

Neighbours keep the process's law: pure noises are mixed, samples under way go part of a step back and down again, texts draw their last
step again. `mutation = "revise"` rewrites whole answers instead. Everyone who came to an end competes for the answer.
If unsure: the defaults for texts; for a denoiser a solver with noise, and the schedule (0, 0.4 T, 0.6 T, 0.8 T).

Source: spec 23; He et al. 2025, Scaling Image and Video Generation via Test-Time Evolutionary Search (arXiv 2505.17618). Departs from the
published code: states are stored before the step that leaves their level, so no step is made twice; tournaments are small; every draw has a
seed; nobody is left over. And from the paper: members that end before a level stand there with their end; where steps draw no
noise, elites would only come to the same end again, and more neighbours take their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.events import Resampled
from outthink.core.key import Key
from outthink.core.process import Perturbable, Revisable, lacks
from outthink.core.rows import Rows
from outthink.core.run import Moved, Run
from outthink.core.settings import Count, Fraction, Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.archive import Archive, elites, tournaments
from outthink.search.feedback import Feedback, Standing, told
from outthink.search.forks import waive
from outthink.search.refine import REQUEST
from outthink.search.versions import Versions

ASTRAY = -1
"""The next level of a member of which it is not known how far it is: it goes to its end without a stop."""

N = 8


@dataclass(frozen=True)
class Generation(Rows):
    """The members of one generation.

    Attributes:
        ahead: number of the next level of the schedule that each comes to, [n]; `ASTRAY` where that is not known.
        founder: which of the first population it descends from, [n].
        score: of its end, [n]; nan before. over: whether it has been judged or lost, [n].
    """

    batch: Batch
    ahead: IntArray
    founder: IntArray
    score: FloatArray
    over: BoolArray

    @classmethod
    def of(cls, batch: Batch, ahead: IntArray, founder: IntArray) -> Generation:
        """Members that have just begun."""
        n = len(batch)
        return cls(batch, ahead, founder, np.full(n, np.nan), np.zeros(n, bool))


@dataclass(frozen=True)
class Evolved(Saved):
    """An evolution between two steps.

    Attributes:
        number: of the generation, from 0. living: its members.
        passed: states that they stood at so far. archive: those of the generations before, with what they came to.
        ended: everyone who came to an end or was lost; `chain` is the generation.
    """

    number: int
    living: Generation
    passed: Archive
    archive: Archive
    ended: Versions


class Evolve(Algorithm[Evolved]):
    """Begin again, changed, where the best members stood.

    Attributes:
        n: members of each generation but the first, which has twice as many.
        schedule: levels (steps taken) at which states are stored and changed, one generation each, ascending.
        sizes: of all generations, the first and one for each level, in place of `n`; 0 leaves a level out.
        elites: states of a generation that go on unchanged; fewer than it has members.
        tournament: states that are compared for each parent; 1 chooses any, many choose the best again and again.
        strength: how far neighbours are, 0 to 1; texts: the chance that the last step is drawn again.
        strength_at_start: the same at level 0, where a denoiser mixes noises: their correlation is sqrt(1 - strength^2).
        batch: members of a generation that are on their way at once; fewer leave more finished ones when a budget ends. None: all.
        mutation: members are changed under way ("perturb"), or whole answers are rewritten ("revise"), which needs no steps.
        feedback: for "revise", what is told besides `request`: nothing ("request"), the "score", what was said of it ("notes"), or both.
        request: for "revise", what the model is asked to do.
    """

    n: Positive = N
    schedule: Annotated[tuple[Count, ...], Meta(min_length=1)] = (1, 2, 4)
    sizes: tuple[Count, ...] | None = None
    elites: Count = 2
    tournament: Positive = 3
    strength: Fraction = 1.0
    strength_at_start: Fraction = 0.3
    batch: Positive | None = None
    mutation: Literal["perturb", "revise"] = "perturb"
    feedback: Feedback = "score-and-notes"
    request: Annotated[str, Meta(min_length=1)] = REQUEST

    needs: ClassVar[Sequence[type]] = (Perturbable,)
    parts_forks: ClassVar[bool] = True

    @property
    def whole_samples(self) -> bool:  # type: ignore[override]
        """Whether members are only ever run to their end."""
        return self.mutation == "revise" or self.schedule == (0,)

    @property
    def populations(self) -> tuple[int, ...]:
        """Members of each generation, [1 + levels]."""
        return (2 * self.n, *(self.n,) * len(self.schedule)) if self.sizes is None else self.sizes

    def check(self) -> None:
        rising = all(a < b for a, b in zip(self.schedule, self.schedule[1:], strict=False))
        if not rising and self.mutation == "perturb":
            raise _refused("Evolve.schedule must rise.", self.schedule, "levels that rise", "Sort them, each once.")
        if self.sizes is not None and (len(self.sizes) != len(self.schedule) + 1 or self.sizes[0] == 0 or self.n != N):
            raise _refused(
                "Evolve.sizes names the first generation and one for each level, in place of Evolve.n.",
                f"{len(self.sizes)} sizes {self.sizes} for {len(self.schedule)} levels, n = {self.n}",
                f"{len(self.schedule) + 1} sizes, the first of them at least 1, and no n",
                "Give one size more than there are levels, and leave out n.",
            )
        smallest = min((size for size in self.populations[1:] if size), default=None)
        if smallest is not None and self.elites >= smallest:
            raise _refused(
                "Evolve.elites must leave room for changed members.",
                f"elites = {self.elites} in a generation of {smallest}",
                "fewer elites than members",
                f"Try elites = {max(0, smallest // 5)}.",
            )
        if self.tournament > self.populations[0]:
            raise _refused(
                "Evolve.tournament compares more states than there are.",
                f"tournament = {self.tournament}, first generation of {self.populations[0]}",
                "no more than the first generation",
                "Try tournament = 3.",
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and spec.relative:
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of different generations, and this verifier only compares candidates of one call.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )

    # -- the four parts ---------------------------------------------------------------------------------------------

    async def init(self, run: Run, key: Key) -> Evolved:
        if self.mutation == "revise" and not isinstance(run.process, Revisable):
            raise lacks(run.process, Revisable)
        if self.mutation == "perturb" and self.elites and not run.process.forks_part:
            run.adapted(
                "elites that go on once more", "more neighbours, since without noise elites come to the same end"
            )
        n = self.populations[0]
        batch = await run.start(n, key)
        nothing = Archive.of(batch.take([]), 0, np.zeros(0, np.int64), np.zeros(0, np.int64))
        first = Generation.of(batch, np.full(n, self._first_level(0)), np.arange(n))
        return Evolved(0, first, nothing, nothing, Versions.fresh(batch.take([]), np.zeros(0, np.int64)))

    async def step(self, state: Evolved, run: Run, key: Key) -> Evolved:
        if state.living.batch.alive.any():
            after = await self._settle(await self._advance(state, run, key), run)
        else:
            after = await self._settle(await self._breed(state, run, key), run)
        if self.done(after):
            self._tell(after, run)
        return after

    def done(self, state: Evolved) -> bool:
        if state.living.batch.alive.any():
            return False
        following = self._following(state.number)
        return following is None or len(state.archive.at(following - 1)) == 0

    def answer(self, state: Evolved) -> Answer:
        under_way = state.living.batch.take(state.living.batch.alive)
        return state.ended.join(Versions.fresh(under_way, np.full(len(under_way), state.number))).best()

    # -- going on ---------------------------------------------------------------------------------------------------

    def _first_level(self, number: int) -> int:
        """The next level that members of a generation come to; past the last one where nothing is changed under way."""
        return number if self.mutation == "perturb" else len(self.schedule)

    def _following(self, number: int) -> int | None:
        """The next generation that has any members."""
        sizes = self.populations
        return next((later for later in range(number + 1, len(sizes)) if sizes[later]), None)

    async def _advance(self, state: Evolved, run: Run, key: Key) -> Evolved:
        """Move the members of one wave on to their next level, or to their end; those that stand at a level are stored."""
        living = state.living
        alive = np.flatnonzero(living.batch.alive)
        if self.batch is not None:
            alive = alive[alive // self.batch == alive[0] // self.batch]
        tracked = alive[living.ahead[alive] != ASTRAY]
        place = int(living.ahead[tracked].min()) if len(tracked) else len(self.schedule)
        at = tracked[living.ahead[tracked] == place] if len(tracked) else alive
        if place == 0 and self.schedule[0] == 0:
            state = self._stored(state, at, place)
            living, place = state.living, 1
        last = place >= len(self.schedule)
        since = self.schedule[place - 1] if place else 0
        # Each is judged once, at its end: the promises made for the levels that it has passed are given up.
        waive(run, living.batch.take(at))
        moved = await run.advance(living.batch.take(at), key, steps=None if last else self.schedule[place] - since)
        order = np.arange(len(living))
        order[at] = len(living) + np.arange(len(at))
        ahead = living.ahead.copy()
        ahead[at[moved.moved & moved.short]] = ASTRAY
        state = replace(state, living=replace(living, batch=living.batch.join(moved.batch).take(order), ahead=ahead))
        there = at[moved.moved & ~moved.short & moved.batch.alive]
        return state if last else self._stored(state, there, place)

    def _stored(self, state: Evolved, at: IntArray, place: int) -> Evolved:
        """The members at `at` stand at a level: their states are kept, and the next level is ahead."""
        living = state.living
        ahead = living.ahead.copy()
        ahead[at] = place + 1
        waiting = Archive.of(living.batch.take(at), place, living.founder[at], at)
        return replace(state, living=replace(living, ahead=ahead), passed=state.passed.join(waiting))

    async def _settle(self, state: Evolved, run: Run) -> Evolved:
        """Judge those that have just ended; once nobody is under way, archive what the generation has passed."""
        living = state.living
        fresh = np.flatnonzero(~living.over & ~living.batch.alive)
        batch = living.batch.take(fresh)
        score, over = living.score.copy(), living.over.copy()
        score[fresh] = await run.score(batch)
        over[fresh] = True
        new = replace(Versions.fresh(batch, np.full(len(fresh), state.number)), score=score[fresh])
        state = replace(state, living=replace(living, score=score, over=over), ended=state.ended.join(new))
        return state if living.batch.alive.any() else self._archived(state)

    def _archived(self, state: Evolved) -> Evolved:
        """The archive with the generation's states, each with the score of its end; where none was passed, the end itself stands."""
        living, passed = state.living, state.passed
        finished = np.flatnonzero(living.batch.finished)
        for place in range(state.number, len(self.schedule)):
            early = np.setdiff1d(finished, passed.member[passed.at(place)])
            passed = passed.join(Archive.of(living.batch.take(early), place, living.founder[early], early))
        passed = passed.take(living.batch.finished[passed.member])
        score = living.score[passed.member]
        known = replace(passed, score=np.where(np.isnan(score), -np.inf, score))
        return replace(state, passed=passed.take([]), archive=state.archive.join(known))

    # -- the next generation ----------------------------------------------------------------------------------------

    async def _breed(self, state: Evolved, run: Run, key: Key) -> Evolved:
        """The next generation: elites as they stood, and changed winners of tournaments."""
        number = self._following(state.number) or 0
        place = number - 1
        archive = state.archive.take(state.archive.at(place))
        best = elites(archive.score, self.elites)
        # What has ended cannot go on, and what draws no noise would come to the same end.
        best = best[archive.batch.alive[best]] if run.process.forks_part else best[:0]
        k = self.populations[number] - len(best)
        parents = tournaments(archive.score, k, min(self.tournament, len(archive)), key.child("choose").rng())
        moved = await self._changed(archive.take(parents), place, run, key)
        there = np.flatnonzero(moved.moved | moved.batch.failed)
        batch = archive.batch.take(best).join(moved.batch.take(there))
        founder = archive.founder[np.concatenate([best, parents[there]])]
        ahead = np.full(len(batch), self._first_level(number))
        # How far a text is whose last step was drawn again at its end, nobody knows.
        ahead[len(best) :][archive.batch.done[parents[there]]] = ASTRAY
        self._record(archive, np.concatenate([best, parents]), number, run)
        return replace(state, number=number, living=Generation.of(batch, ahead, founder), passed=state.passed.take([]))

    async def _changed(self, parents: Archive, place: int, run: Run, key: Key) -> Moved:
        """A neighbour of each parent, or a rewritten one."""
        if self.mutation == "revise":
            return await run.revise(parents.batch, self._feedback(parents, run), key)
        strength = self.strength if self.schedule[place] else self.strength_at_start
        judged = bool(parents.batch.done.any())
        moved = await run.perturb(parents.batch, np.full(len(parents), strength), key, scored=judged)
        waive(run, moved.batch.take(moved.batch.alive))
        return moved

    def _feedback(self, parents: Archive, run: Run) -> list[str]:
        spec = run.verifier.spec if run.verifier is not None else None
        silent = spec is None or not spec.tells_notes
        notes = [""] * len(parents) if silent else run.notes(parents.batch)
        scores = np.where(np.isfinite(parents.score), parents.score, np.nan)
        standing = [Standing(float(score), note) for score, note in zip(scores, notes, strict=True)]
        return [told(self.request, self.feedback, own, spec) for own in standing]

    # -- record -----------------------------------------------------------------------------------------------------

    def _record(self, archive: Archive, rows: IntArray, number: int, run: Run) -> None:
        """Who the parents are, how many effectively, and how many of the first population they descend from."""
        _, counts = np.unique(archive.batch.id[rows], return_counts=True)
        founders = len(np.unique(archive.founder[rows]))
        effective = float(counts.sum() ** 2 / np.square(counts).sum())
        nodes = tuple(archive.batch.id[rows].tolist())
        run.emit(Resampled(step=number, ancestors=nodes, effective=effective, distinct=founders))
        if founders == 1 and self.populations[0] > 1:
            run.warn(
                f"Generation {number} descends from one of the {self.populations[0]} first members. "
                "Lower tournament or elites, or raise the first of the sizes."
            )
        level = self.schedule[number - 1]
        if self.mutation == "perturb" and level and archive.batch.done.all():
            run.warn(f"Everyone had ended before level {level} of the schedule, so only ends were changed there.")

    def _tell(self, state: Evolved, run: Run) -> None:
        finished = state.ended.batch.finished
        scores = state.ended.score[finished]
        unknown = int(np.isnan(scores).sum())
        if unknown:
            run.warn(f"{unknown} of {len(scores)} ends have no score; they ranked below all others.")
        if len(scores) - unknown > 1 and len(np.unique(scores[~np.isnan(scores)])) == 1:
            run.warn("All ends have the same score, so the verifier gave no direction; the first one is the answer.")


def _refused(what: str, got: object, expected: str, remedy: str) -> SettingsError:
    return SettingsError(explain(what, got=got, expected=expected, remedy=remedy))
