"""Zero-order search: a climb over what a process starts from, or over finished samples, by neighbours of the best one so far.

    ZeroOrder(n=4, rounds=8)                                  # 1 + 4 * 8 whole samples
    ZeroOrder(around="end", strength=1.0)                     # texts: the last step of the best answer, drawn again

One sample is drawn and judged: the pivot. Each round draws n neighbours of it, takes them to their end and judges them; the best takes the
pivot's place if it is strictly better. With a deterministic denoiser a start is a sample, so this searches images by their noise; a
neighbour of strength s has the cosine sqrt(1 - s^2) to its pivot and stays on the normal law, however many rounds there are. Where steps
draw noise of their own, neighbours share the pivot's start only, which is said once. It stays near what it finds: less of the variety of
best-of-n, and more of what the verifier likes, its mistakes included, so report a second verifier beside the one that was searched.

If unsure: n = 4, strength 0.31 (cosine 0.95), and as many rounds as the budget allows.

Source: spec 19, item B; Ma et al. 2025, Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps. Departs from the
published code: the pivot's score is kept and not paid for again, noises are mixed and not added (which would leave the shell of normal
noise), and every neighbour has a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.process import Perturbable
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.settings import Fraction, Positive
from outthink.core.verifier import ScoreSpec
from outthink.search.versions import Versions


@dataclass(frozen=True)
class Climb(Rows):
    """A climb.

    Attributes:
        versions: all samples so far; their `chain` is the wave in which they were begun.
        wave: waves that are over: the first pivot, then rounds of neighbours and fresh pivots.
        starts: what the samples of the wave under way began from, in order.
        pivot: what neighbours are made of; None before there is one, and where the next wave draws a fresh one.
        score: of the pivot; nan for none.
    """

    versions: Versions
    wave: int
    starts: Batch
    pivot: Batch | None
    score: float

    shared: ClassVar[tuple[str, ...]] = ("wave", "starts", "pivot", "score")


class ZeroOrder(Algorithm[Climb]):
    """Climb by neighbours of the best sample so far.

    Attributes:
        n: neighbours in a round.
        rounds: rounds; 1 + n * rounds samples are drawn at most.
        strength: how far neighbours are, from 0 (the same) to 1 (drawn afresh); of noises, the cosine is sqrt(1 - strength^2).
        around: neighbours of what the pivot started from ("start"), or of the finished pivot ("end").
        on_failure: after a round without a better neighbour the pivot stays ("keep"), or a fresh one is drawn in place of the next round
            ("restart"); the best sample of all is the answer either way.
    """

    n: Positive = 4
    rounds: Positive = 8
    strength: Fraction = 0.31
    around: Literal["start", "end"] = "start"
    on_failure: Literal["keep", "restart"] = "keep"

    needs: ClassVar[Sequence[type]] = (Perturbable,)
    whole_samples: ClassVar[bool] = True

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and spec.relative:
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of different rounds, and this verifier only compares candidates of one round.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )

    async def init(self, run: Run, key: Key) -> Climb:
        if self.around == "start" and run.process.forks_part:
            run.warn(
                "Steps draw noise of their own here: neighbours share the pivot's start, and not the way that it took."
            )
        first = await run.start(1, key)
        return Climb(Versions.fresh(first, np.zeros(1, np.int64)), 0, first, None, float("nan"))

    async def step(self, state: Climb, run: Run, key: Key) -> Climb:
        if state.versions.settled.all():
            state = await self._begin(state, run, key)
        if state.versions.batch.alive.any():
            state = replace(state, versions=await state.versions.finish(run, key, scored=True))
        if not state.versions.batch.alive.any():
            state = await self._settle(state, run)
        return state

    def done(self, state: Climb) -> bool:
        return state.wave > self.rounds and bool(state.versions.settled.all())

    def answer(self, state: Climb) -> Answer:
        return state.versions.best()

    async def _begin(self, state: Climb, run: Run, key: Key) -> Climb:
        """The next wave: neighbours of the pivot, or a fresh pivot."""
        if state.pivot is None:
            starts = await run.start(1, key)
        else:
            at = state.pivot.take(np.zeros(self.n, np.int64))
            moved = await run.perturb(at, np.full(self.n, self.strength), key, scored=self.around == "end")
            starts = moved.batch.take(moved.moved | moved.batch.failed)
        fresh = Versions.fresh(starts, np.full(len(starts), state.wave))
        return replace(state, versions=state.versions.join(fresh), starts=starts)

    async def _settle(self, state: Climb, run: Run) -> Climb:
        """Judge the wave, and move the pivot to its best sample if that is strictly better."""
        rows = np.flatnonzero(~state.versions.settled)
        versions = await state.versions.judge(rows, run)
        score = np.where(np.isnan(versions.score[rows]), -np.inf, versions.score[rows])
        best = int(np.argmax(score)) if len(rows) else 0
        known = len(rows) > 0 and bool(np.isfinite(score[best]) or score[best] > 0)
        pivot, value = state.pivot, state.score
        if known and not score[best] <= value:
            pivot, value = (
                self._from(versions.batch.take(rows[best : best + 1]), state.starts.take([best])),
                score[best],
            )
        elif self.on_failure == "restart":
            pivot, value = None, float("nan")
        settled = np.ones(len(versions), bool)
        after = replace(
            state, versions=replace(versions, settled=settled), wave=state.wave + 1, pivot=pivot, score=float(value)
        )
        self._tell(after, run)
        return after

    def _from(self, ended: Batch, start: Batch) -> Batch:
        return start if self.around == "start" else ended

    def _tell(self, state: Climb, run: Run) -> None:
        scores = state.versions.score[~np.isnan(state.versions.score)]
        if self.done(state) and len(scores) > 1 and len(np.unique(scores)) == 1:
            run.warn(
                f"All {len(scores)} samples have the same score, so the verifier gave no direction; the first one is the answer."
            )
