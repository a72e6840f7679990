"""Adaptive sampling: draw in waves, and stop when more would not help.

    outthink run "..." --method adaptive                                                   # a vote that stops when it is decided
    Adaptive(stop=Threshold(value=0.9), choose="score")                                    # a verifier says that one is good enough
    Adaptive(stop=Threshold(value=0.9), choose="score", pruning=Pruning(at=(2,)))          # and hopeless members end on the way

Most questions do not need the number of samples that the hardest one needs. Stopping rule, wave sizes, pruning and temperatures are small
notions of their own (`stopping`, `waves`, `pruning`, `temperatures`). `self-evaluation` is the verifier that the threshold was published
with: the model's own probability that starting over would give nothing better. If unsure: the default, with `[answer]` set.

With a threshold that is never reached, without pruning, it draws what best-of-n draws, sample by sample, and chooses the same.
Selecting by a score and stopping by it share one error: check the benefit by something else.

Source: spec 07; "Adaptive Inference-Time Compute: LLMs Can Predict if They Can Do Better, Even Mid-Generation" (2024, arXiv 2410.02725).
Departs from it: the vote's stopping rule (Aggarwal et al. 2023) is the default, for it needs no verifier; temperatures stay as they are
unless asked, since a score is calibrated at one temperature; a sample that is lost counts as drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import BoolArray, IntArray
from outthink.search.drawn import ABSTAINS, Drawn, group_of
from outthink.search.pruning import Pruning
from outthink.search.stopping import AnyRule, Leader, Never, Seen, Threshold
from outthink.search.temperatures import AnyTemperature, Steady
from outthink.search.waves import Waves, wave


@dataclass(frozen=True)
class Attempts(Rows):
    """The samples so far.

    Attributes:
        drawn: the samples that were not pruned.
        stage: checkpoints that each has passed, [n].
        begun: samples begun, pruned ones included. `waves`: in so many waves.
    """

    drawn: Drawn
    stage: IntArray
    begun: int = 0
    waves: int = 0

    shared: ClassVar[tuple[str, ...]] = ("begun", "waves")

    @property
    def batch(self) -> Batch:
        """The members."""
        return self.drawn.batch


class Adaptive(Algorithm[Attempts]):
    """Draw samples in waves until a rule says that more would not help, at most `n`.

    Attributes:
        n: the most samples.
        stop: when more would not help: a vote's `leader` is safe, the best score reaches a `threshold`, or `never`.
        choose: the answer that most samples give ("vote"), or the sample with the best "score", the earliest on ties.
        waves: sizes of the waves, the last one repeated; "posterior": as many as the rule needs before it can stop.
        temperature: of the attempts: `steady`, or `rising` from greedy.
        pruning: checkpoints at which only the best of the running members go on; None: every member runs to its end.
    """

    n: Positive = 16
    stop: AnyRule = Leader()
    choose: Literal["vote", "score"] = "vote"
    waves: Waves = "posterior"
    temperature: AnyTemperature = Steady()
    pruning: Pruning | None = None

    @property
    def whole_samples(self) -> bool:  # type: ignore[override]
        """Whether members are only ever run to their end."""
        return self.pruning is None

    @property
    def needs_verifier(self) -> bool:
        return self.stop.reads_scores or self.choose == "score" or self.pruning is not None

    @property
    def groups(self) -> bool:
        """Whether it must know which answers are the same."""
        return self.stop.reads_answers or self.choose == "vote"

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None or not self.needs_verifier:
            return
        if spec.relative and self.waves != (self.n,):
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of different waves, and this verifier only compares candidates of one call.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning, such as 'self-evaluation' or 'judge'",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )
        if self.pruning is not None and not spec.partial:
            raise Incompatible(
                explain(
                    "Pruning ranks unfinished members, and this verifier rates finished answers only.",
                    got=f"a verifier of {spec.kind.value}s",
                    expected="one that rates unfinished answers, such as 'self-evaluation'",
                    remedy="Leave out pruning, or use a verifier of prefixes.",
                )
            )

    async def init(self, run: Run, key: Key) -> Attempts:
        return await self._wave(None, run, key)

    async def step(self, state: Attempts, run: Run, key: Key) -> Attempts:
        if not state.batch.alive.any():
            more = await self._wave(state, run, key.child("wave"))
            state = replace(state.join(more), begun=more.begun, waves=more.waves)
        state = await self._move(state, run, key)
        if not state.batch.alive.any():
            self._tell(state, run)
        return state

    def done(self, state: Attempts) -> bool:
        return not state.batch.alive.any() and (state.begun >= self.n or self.stop.stops(self.seen(state)))

    def answer(self, state: Attempts) -> Answer:
        if self.choose == "vote":
            elected = state.drawn.elect(np.ones(len(state)))
            if elected.chosen is not None:
                return elected
        return state.drawn.best()

    def seen(self, state: Attempts) -> Seen:
        """What the stopping rule looks at."""
        finished = state.batch.finished
        group = state.drawn.group[finished & (state.drawn.group != ABSTAINS)]
        votes = np.bincount(group) if len(group) else np.zeros(0, np.int64)
        return Seen(state.drawn.score[finished], tuple(votes.tolist()), state.begun, self.n)

    def gain(self, state: Attempts) -> float:
        """See `Algorithm.gain`; a wave under way comes first, for it brings nothing before its end."""
        if state.batch.alive.any():
            return float("inf")
        return self.stop.gain(self.seen(state)) * state.begun

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _wave(self, state: Attempts | None, run: Run, key: Key) -> Attempts:
        """Fresh members, with the counts of the whole search."""
        begun, waves = (state.begun, state.waves) if state else (0, 0)
        seen = self.seen(state) if state else Seen(np.zeros(0), (), 0, self.n)
        size = wave(self.waves, waves, self.stop, seen)
        fresh = await Drawn.fresh(run, size, "first", key)
        attempt = begun + np.arange(size)
        temperature = self.temperature.of(attempt)
        batch = fresh.batch if temperature is None else fresh.batch.tempered(temperature)
        drawn = replace(fresh, batch=batch, priority=attempt)
        return Attempts(drawn, np.zeros(size, np.int64), begun + size, waves + 1)

    async def _move(self, state: Attempts, run: Run, key: Key) -> Attempts:
        """One stretch of the members that are furthest behind; at a checkpoint that all have reached, prune."""
        batch, stretches = state.batch, self.pruning.stretches if self.pruning else ()
        stage = int(state.stage[batch.alive].min())
        steps = stretches[stage] if stage < len(stretches) else None
        at = np.flatnonzero(~batch.alive | (state.stage == stage))
        if steps is None and self.pruning is None and not batch.depth[batch.alive].any():
            # Attempt k draws the noise of best-of-n's k-th member, whatever the waves.
            key = run.key.child("step", 0)
        moved = await run.advance(batch.take(at), key, steps=steps, scored=self.needs_verifier)
        place, passed, score = np.arange(len(batch)), state.stage.copy(), state.drawn.score.copy()
        place[at] = len(batch) + np.arange(len(at))
        passed[at[moved.moved]] += 1
        score[at[moved.moved]] = np.nan
        drawn = replace(state.drawn, batch=batch.join(moved.batch).take(place), score=score)
        state = replace(state, drawn=drawn, stage=passed)
        alive = state.batch.alive
        checkpoint = steps is not None and bool(alive.any()) and bool((passed[alive] > stage).all())
        state = await self._judge(state, run, state.batch.finished | (alive if checkpoint else False))
        if checkpoint and self.pruning is not None:
            state = state.take(self.pruning.survivors(state.drawn.score, alive))
        return state

    async def _judge(self, state: Attempts, run: Run, which: BoolArray) -> Attempts:
        """Scores of those members (known ones cost nothing), and everybody's answer."""
        drawn = state.drawn
        if self.needs_verifier:
            score, at = drawn.score.copy(), np.flatnonzero(which)
            score[at] = await run.score(drawn.batch.take(at))
            drawn = replace(drawn, score=score)
        if self.groups:
            drawn = replace(drawn, group=group_of(await run.answer_keys(drawn.batch)))
        return replace(state, drawn=drawn)

    def _tell(self, state: Attempts, run: Run) -> None:
        """Say so when all samples were drawn and the rule was not met."""
        seen = self.seen(state)
        if state.begun < self.n or isinstance(self.stop, Never) or self.stop.stops(seen):
            return
        known = seen.scores[~np.isnan(seen.scores)]
        where = (
            f"no score reached {self.stop.value:g} (best: {known.max():.3g}); a lower threshold stops earlier"
            if isinstance(self.stop, Threshold) and known.size
            else "there is nothing that it could go by"
        )
        run.warn(f"All {self.n} samples were drawn and the stopping rule {self.stop.name()!r} was not met: {where}.")
