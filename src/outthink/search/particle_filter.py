"""Particle filter: n members move on in step, and are resampled in proportion to what the verifier makes of them so far.

Weak-looking members survive sometimes, so a faulty verifier does less harm than in a beam; and the weights are honest: the members and
their weights estimate the target p(x) * exp(strength * score(x)) (value twists) or p(x) * prod_t exp(strength * s_t) (`incremental`),
and `log_evidence` its normalising constant, without bias in exp.

    outthink run "..." --method particle-filter --n 16 --verifier arithmetic

If unsure: systematic resampling when the effective sample size falls under half, `difference`, and the verifier's own weight map.

Source: spec 03; Puri et al. 2025, A Probabilistic Inference Approach to Inference-Time Scaling of LLMs using Particle-Based Monte Carlo
Methods; Chopin and Papaspiliopoulos 2020, chapter 10, for the adaptive evidence estimate.
Departs from the published code: finished members are absorbed (their factors are not multiplied again while they wait), nothing is
resampled after the last step, and resampling is adaptive by default.
"""

# Notation: w_t -> log_w, psi_t -> log_twist, alpha_t -> log_ratio (target over proposal)
# w_t = w_{t-1} + alpha_t + psi_t - psi_{t-1}; log Z = sum over resamplings of log mean exp(w), plus the last one.

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.settings import Fraction, Positive
from outthink.core.verifier import LogMap, ScoreSpec, to_log
from outthink.numerics.log_weights import effective_sample_size, log_mean_exp, normalise
from outthink.numerics.resampling import RESAMPLERS
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, group_of
from outthink.search.twists import AnyTwist, Difference, Twisted

MAPS = {"logit": LogMap.ODDS, "prob": LogMap.PROBABILITY, "raw": LogMap.RAW}
COLLAPSED_SHARE, COLLAPSED_STEPS = 0.1, 3


@dataclass(frozen=True)
class Particles(Rows):
    """The population.

    Attributes:
        log_w: log-weight since the last resampling, [n] nats.
        log_twist, memory: psi and what the twist remembers, [n].
        score: the verifier's last, [n]; nan for none.
        group: class of equivalent answers at the end, [n]; -1 before, and for members that abstain.
        log_z: log evidence of the resamplings so far, nats.
        lean: consecutive steps with an effective sample size under a tenth.
    """

    batch: Batch
    log_w: FloatArray
    log_twist: FloatArray
    memory: FloatArray
    score: FloatArray
    group: IntArray
    step: int = 0
    log_z: float = 0.0
    lean: int = 0
    point: float = 0.0

    shared: ClassVar[tuple[str, ...]] = ("step", "log_z", "lean", "point")


class ParticleFilter(Algorithm[Particles]):
    """Sequential Monte Carlo over a process, steered by a verifier.

    Attributes:
        n: members.
        every: steps between two looks at the verifier.
        ess_threshold: resample when the effective sample size is at most this share of n; 1 always, 0 never.
        resampling: how ancestors are drawn.
        twist: what the scores mean and how they steer.
        weight: how a score becomes nats: as the verifier declares, log odds, log probability, or as it is.
        choose: the answer is the finished member with the best last score (as published), the heaviest one, the class of equivalent
            answers with most weight, or one drawn by weight.
    """

    n: Positive = 8
    every: Positive = 1
    ess_threshold: Fraction = 0.5
    resampling: Literal["multinomial", "systematic", "stratified", "residual", "killing", "ssp"] = "systematic"
    twist: AnyTwist = Difference()
    weight: Literal["declared", "logit", "prob", "raw"] = "declared"
    choose: Literal["score", "weight", "vote", "sample"] = "score"

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None:
            self.twist.check_kind(spec.kind)

    async def init(self, run: Run, key: Key) -> Particles:
        zeros = np.zeros(self.n)
        return Particles(
            batch=await run.start(self.n, key),
            log_w=zeros,
            log_twist=zeros,
            memory=np.full(self.n, self.twist.start()),
            score=np.full(self.n, np.nan),
            group=np.full(self.n, ABSTAINS),
            point=float(key.child("choose").rng().random()),
        )

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        p = self.resample(state, run, key.child("resample"))
        moved = await run.advance(p.batch, key, steps=self.every)
        batch = moved.batch
        score = await run.score(batch)
        log_score = self.to_nats(np.where(moved.moved, score, np.nan), run)
        twisted = self.twist.update(Twisted(p.log_twist, p.memory), log_score, batch.done)
        log_w = p.log_w + moved.log_ratio + increments(twisted.log_twist, p.log_twist)
        log_w = np.where(batch.failed | np.isneginf(p.log_w), -np.inf, log_w)
        p = replace(
            p,
            batch=batch,
            log_w=log_w,
            log_twist=twisted.log_twist,
            memory=twisted.memory,
            score=score,
            step=p.step + 1,
        )
        if self.choose == "vote" and self.done(p):
            p = replace(p, group=group_of(await run.answer_keys(batch)))
        return self.watch(p, run)

    def done(self, state: Particles) -> bool:
        return not bool(state.batch.alive.any()) or not bool(np.isfinite(state.log_w).any())

    def answer(self, state: Particles) -> Answer:
        answer = Answer.weighted(state.batch, state.log_w, state.score, self.log_evidence(state))
        if answer.chosen is None or self.choose == "weight":
            return answer
        eligible = state.batch.finished & (answer.weights > 0)
        if self.choose == "score":
            rank = np.where(eligible & ~np.isnan(state.score), state.score, -np.inf)
            best = np.flatnonzero(eligible & (rank == rank[eligible].max()))
            return replace(answer, chosen=int(best[np.argmax(answer.weights[best])]))
        if self.choose == "sample":
            mass = np.cumsum(np.where(eligible, answer.weights, 0.0))
            return replace(answer, chosen=int(np.searchsorted(mass, state.point * mass[-1], side="right")))
        return self._elect(state, answer)

    def log_evidence(self, state: Particles) -> float:
        """Estimate of the log normalising constant, nats; its exp is unbiased when the number of steps is fixed."""
        return state.log_z + log_mean_exp(state.log_w)

    def resample(self, p: Particles, run: Run, key: Key) -> Particles:
        """Draw ancestors when the weights have become uneven; the population's mean weight goes into `log_z`."""
        if p.step == 0:
            return p
        effective = effective_sample_size(p.log_w)
        if effective > self.ess_threshold * len(p):
            return p
        ancestors = RESAMPLERS[self.resampling](normalise(p.log_w), len(p), key.rng())
        run.resampled(p.step, p.batch.id[ancestors], effective)
        return replace(p.take(ancestors), log_w=np.zeros(len(p)), log_z=p.log_z + log_mean_exp(p.log_w))

    def to_nats(self, score: FloatArray, run: Run) -> FloatArray:
        """Scores as log-weights, [n]; tells when probabilities had to be clipped."""
        declared = run.verifier.spec.log_map if run.verifier is not None else LogMap.RAW
        log_score, clipped = to_log(score, MAPS.get(self.weight, declared))
        if clipped:
            run.warn(f"{clipped} scores of exactly 0 or 1 were clipped before taking their logarithm.")
        return log_score

    def watch(self, p: Particles, run: Run) -> Particles:
        """Say so when every member is rejected, or when few carry all the weight for long."""
        if not np.isfinite(p.log_w).any():
            run.warn(
                f"Every member was rejected at step {p.step}: all weights are zero. Raise n, lower the twist's strength, or start again "
                "with another seed."
            )
            return p
        lean = p.lean + 1 if effective_sample_size(p.log_w) < COLLAPSED_SHARE * len(p) else 0
        if lean == COLLAPSED_STEPS:
            distinct = len(np.unique(p.batch.id[np.isfinite(p.log_w)]))
            run.warn(
                f"The effective sample size was under {COLLAPSED_SHARE:.0%} for {lean} steps ({distinct} distinct members left). "
                "Raise n or lower the twist's strength."
            )
        return replace(p, lean=lean)

    def _elect(self, state: Particles, answer: Answer) -> Answer:
        votes = np.where(state.group != ABSTAINS, answer.weights, 0.0)
        if votes.sum() <= 0:
            return answer
        totals = np.bincount(state.group[votes > 0], weights=votes[votes > 0])
        winner = int(np.argmax(totals))
        members = np.flatnonzero(state.group == winner)
        chosen = int(members[np.argmax(votes[members])])
        return replace(answer, chosen=chosen, agreement=float(totals[winner] / votes.sum()))


def increments(new: FloatArray, old: FloatArray) -> FloatArray:
    """new - old, [n] nats, where a weight that has become zero stays zero."""
    dead = np.isneginf(new) | np.isneginf(old)
    return np.where(dead, -np.inf, new - np.where(dead, 0.0, old))
