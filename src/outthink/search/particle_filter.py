"""Particle filter: n members move on in step, and are resampled in proportion to what the verifier makes of them so far.

Weak-looking members survive sometimes, so a faulty verifier does less harm than in a beam; and the weights are honest: the members and
their weights estimate the target p(x) * exp(strength * score(x)) (value twists) or p(x) * prod_t exp(strength * s_t) (`incremental`),
and `log_evidence` its normalising constant, without bias in exp.

    outthink run "..." --method particle-filter --n 16 --verifier arithmetic

Where early scores cannot be trusted, `annealing` draws ancestors from flatter probabilities while the run is young, and `look_ahead` lets
members count for what they would be worth one step later; the preset `entropic-particle-filter` is the published combination. Any such
probabilities q leave the target as it is when a child of member i carries the log-weight V_i - log q_i - log n (`exact`), V the normalised
weights; without it (as published) children start equal, the population follows a tempered law, and there is no evidence estimate.

If unsure: systematic resampling when the effective sample size falls under half, `difference`, and the verifier's own weight map.

Source: spec 03; Puri et al. 2025, A Probabilistic Inference Approach to Inference-Time Scaling of LLMs using Particle-Based Monte Carlo
Methods; spec 02, entropic particle filtering (arXiv 2510.05825); Chopin and Papaspiliopoulos 2020, chapter 10, for the adaptive evidence
estimate. With the twists `difference`, `running-max` and `running-sum` over denoising steps it is Feynman-Kac steering (Singhal et al.,
2025).
Departs from the published code: finished members are absorbed (their factors are not multiplied again while they wait), nothing is
resampled after the last step, resampling is adaptive by default, and so is `exact`.
"""

# Notation: w_t -> log_w, psi_t -> log_twist, alpha_t -> log_ratio (target over proposal)
# w_t = w_{t-1} + alpha_t + psi_t - psi_{t-1}; log Z = sum over resamplings of log mean exp(w), plus the last one.

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.errors import SettingsError, explain
from outthink.core.events import Resampled
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.settings import Fraction
from outthink.numerics.log_weights import effective_sample_size, log_mean_exp, log_normalise
from outthink.numerics.resampling import RESAMPLERS
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, group_of
from outthink.search.look_ahead import Ahead, LookAhead, first_copies, first_stage
from outthink.search.members import Members, held_aside, increments, moved_on, or_held
from outthink.search.resampling_policy import AnyAnnealing, Plain
from outthink.search.watching import NOTHING, Watched, tell_of_length, tell_of_size
from outthink.search.weighing import Weighing

__all__ = ["ParticleFilter", "Particles", "increments"]


@dataclass(frozen=True)
class Particles(Members):
    """The population.

    Attributes:
        group: class of equivalent answers at the end, [n]; -1 before, and for members that abstain.
        root: which of the founding members each descends from, [n].
        log_z: log evidence of the resamplings so far, nats.
        point: a uniform number, for `choose = "sample"`.
        watched: what has been noticed that the user should know.
        ahead: the population after a provisional step; None where nobody has looked.
        held: the best finished member that resampling has left behind, [1]; None for none.
    """

    group: IntArray
    root: IntArray
    step: int = 0
    log_z: float = 0.0
    point: float = 0.0
    watched: Watched = NOTHING
    ahead: Ahead | None = None
    held: Members | None = None

    shared: ClassVar[tuple[str, ...]] = ("step", "log_z", "point", "watched", "ahead", "held")


class ParticleFilter(Weighing[Particles]):
    """Sequential Monte Carlo over a process, steered by a verifier.

    Attributes:
        ess_threshold: resample when the effective sample size is at most this share of n; 1 always, 0 never.
        resampling: how ancestors are drawn.
        annealing: from which probabilities: in proportion to the weights (`plain`), or flatter for some time.
        look_ahead: whether members count for what they would be worth one step later; None: for what they are worth now.
        exact: children carry what annealing and look-ahead took from, or gave to, their parents, so that the target stays the same;
            false: they start equal, as published, and there is no evidence estimate.
    """

    ess_threshold: Fraction = 0.5
    resampling: Literal["multinomial", "systematic", "stratified", "residual", "killing", "ssp"] = "systematic"
    annealing: AnyAnnealing = Plain()
    look_ahead: LookAhead | None = None
    exact: bool = True

    def check(self) -> None:
        if self.exact and self.look_ahead is not None and self.look_ahead.reuse:
            raise SettingsError(
                explain(
                    "A provisional step that is kept was selected for its score, so the weights cannot be exact.",
                    got="look_ahead.reuse = true, exact = true",
                    expected="exact = false, or a fresh step for every child",
                    remedy="Set exact = false, or look_ahead = {reuse = false}.",
                )
            )

    async def init(self, run: Run, key: Key) -> Particles:
        zeros = np.zeros(self.n)
        tell_of_size(self.annealing, self.n, run)
        return Particles(
            batch=await run.start(self.n, key),
            log_w=zeros,
            log_twist=zeros,
            memory=np.full(self.n, self.twist.start()),
            score=np.full(self.n, np.nan),
            group=np.full(self.n, ABSTAINS),
            root=np.arange(self.n),
            point=float(key.child("choose").rng().random()),
        )

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        if self.look_ahead is not None and state.ahead is None and self.due(state, effective_sample_size(state.log_w)):
            return await self._look(state, run, key.child("look-ahead"))
        p = self.resample(state, run, key.child("resample"))
        after = await (self._advance(p, run, key) if p.ahead is None else self._reuse(p, p.ahead, run, key))
        watched = await after.watched.divergence(p.batch, after.batch, run)
        done = self.done(after)
        group = group_of(await run.answer_keys(after.batch)) if done and self.choose == "vote" else after.group
        watched = self.watch(after, p.step + 1, watched, done, run)
        return replace(after, group=group, step=p.step + 1, watched=watched, ahead=None)

    def done(self, state: Particles) -> bool:
        return not bool(state.batch.alive.any()) or not bool(np.isfinite(state.log_w).any())

    def answer(self, state: Particles) -> Answer:
        # Until it is dropped, a provisional step is as good a step as any: nothing was resampled in between.
        now = state if state.ahead is None else state.ahead
        log_z = state.log_z + log_mean_exp(now.log_w) if self.unbiased else None
        answer = Answer.weighted(now.batch, now.log_w, now.score, log_z)
        chosen = self.chosen(answer, state.group, state.point, now.batch.finished & (answer.weights > 0))
        return or_held(chosen, state.held)

    @property
    def unbiased(self) -> bool:
        """Whether `log_evidence` is an estimate of the target's; exp of it is unbiased when the number of steps is fixed."""
        return self.exact or (isinstance(self.annealing, Plain) and self.look_ahead is None)

    def due(self, p: Particles, effective: float) -> bool:
        """Whether the weights have become so uneven that ancestors are drawn before the next step. `effective`: their effective number."""
        return p.step > 0 and effective <= self.ess_threshold * len(p)

    def resample(self, p: Particles, run: Run, key: Key) -> Particles:
        """Draw ancestors when the weights have become uneven; the population's mean weight goes into `log_z`."""
        effective = effective_sample_size(p.log_w)
        if not self.due(p, effective):
            return p
        ahead = p.ahead if self.look_ahead is not None else None
        by = (
            p.log_w
            if ahead is None or self.look_ahead is None
            else first_stage(p.log_w, ahead, self.look_ahead.strength)
        )
        q, heat = self.annealing.probabilities(by, p.step * self.every)
        ancestors = RESAMPLERS[self.resampling](q, len(p), key.rng())
        proportional = by is p.log_w and heat == 1.0
        reuse = ahead is not None and self.look_ahead is not None and self.look_ahead.reuse
        # Who came to an end in a provisional step that is dropped is left behind too.
        stay = ancestors if ahead is None or reuse else ancestors[p.batch.finished[ancestors]]
        children = replace(
            p.take(ancestors),
            log_w=np.zeros(len(p)) if proportional else self.carried(p.log_w, q, ancestors),
            log_z=p.log_z + log_mean_exp(p.log_w),
            ahead=ahead.take(ancestors) if ahead is not None and reuse else None,
            held=held_aside(p if ahead is None else ahead, stay, p.held),
        )
        kept = tuple(children.batch.id.tolist())
        run.emit(
            Resampled(step=p.step, ancestors=kept, effective=effective, distinct=distinct(children), temperature=heat)
        )
        return children

    def carried(self, log_w: FloatArray, q: FloatArray, ancestors: IntArray) -> FloatArray:
        """Children's log-weights after ancestors were drawn from q, [n] nats: V - log q - log n, times n."""
        if not self.exact:
            return np.zeros(len(ancestors))
        return log_normalise(log_w)[ancestors] - np.log(q[ancestors])

    def watch(self, p: Particles, step: int, watched: Watched, done: bool, run: Run) -> Watched:
        """Say so when every member is rejected, when few carry all the weight for long, and what else the user should know."""
        watched = watched.weights(p.log_w, step, lambda: distinct(p), run)
        if done:
            tell_of_length(self.annealing, p.batch.depth[p.batch.finished] * self.every, run)
            watched.at_end(run)
        return watched

    async def _advance(self, p: Particles, run: Run, key: Key) -> Particles:
        """Everyone's next step."""
        moved = await run.advance(p.batch, key, steps=self.every)
        score = await run.score(moved.batch)
        log_score, clipped = self.to_nats(np.where(moved.moved, score, np.nan), run)
        after = moved_on(p, moved, score, log_score, self.twist)
        return replace(after, watched=p.watched.clips(clipped, log_score, run))

    async def _look(self, p: Particles, run: Run, key: Key) -> Particles:
        """A provisional step of everyone."""
        now = Members(p.batch, p.log_w, p.log_twist, p.memory, p.score)
        moved = await run.advance(p.batch, key, steps=self.every, kind="look-ahead")
        score = await run.score(moved.batch)
        log_score, clipped = self.to_nats(np.where(moved.moved, score, np.nan), run)
        after = moved_on(now, moved, score, log_score, self.twist)
        return replace(p, ahead=Ahead.of(now, after, moved), watched=p.watched.clips(clipped, log_score, run))

    async def _reuse(self, p: Particles, ahead: Ahead, run: Run, key: Key) -> Particles:
        """The first copy of each parent has its next step already; the others take one of their own."""
        keeps = first_copies(p, ahead)
        kept = p.take(keeps)
        ready = ahead.take(keeps)
        kept = replace(
            kept,
            batch=ready.batch,
            log_w=kept.log_w + ready.log_gain,
            log_twist=ready.log_twist,
            memory=ready.memory,
            score=ready.score,
        )
        others = await self._advance(p.take(~keeps), run, key) if not keeps.all() else p.take([])
        back = np.where(keeps, np.cumsum(keeps) - 1 + (~keeps).sum(), np.cumsum(~keeps) - 1)
        return others.join(kept).take(back)


def distinct(p: Particles) -> int:
    """How many of the founding members have living descendants."""
    return len(np.unique(p.root[np.isfinite(p.log_w)]))
