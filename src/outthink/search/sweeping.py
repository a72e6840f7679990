"""Sweeps of conditional particle filters, one chain or several side by side: what particle Gibbs and parallel tempering share.

A sweep is a particle filter in which one member of each chain, the reference, takes the steps of a path that was kept from the sweep
before: it is never replaced, but others may descend from it. At step t it counts with the weight it had after t steps. At the end of a
sweep each chain keeps a path drawn by weight. The distribution of that path is left unchanged by a sweep, for any number of members: that
is what makes repeated sweeps converge to the target where one filter has a bias of order 1/n.

All chains move in one batch; row k n + i is member i of chain k, and the reference is the last member of its chain.

Source: Andrieu, Doucet and Holenstein, Particle Markov chain Monte Carlo methods (2010), conditional SMC with multinomial resampling.
"""

# Notation: as in members; T_k -> heats[k], so that chain k aims at p(x) exp(S(x) / T_k) with S the total log-twist

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.checkpoint import Saved
from outthink.core.errors import SettingsError, explain
from outthink.core.events import Resampled
from outthink.core.key import Key
from outthink.core.run import Moved, Run
from outthink.core.settings import Fraction, Positive
from outthink.numerics.log_weights import effective_sample_size, log_mean_exp, log_normalise, normalise
from outthink.numerics.resampling import multinomial
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, group_of
from outthink.search.lineage import Kept, Steps
from outthink.search.members import Members, held_aside, increments, moved_on, or_held
from outthink.search.watching import NOTHING, Watched
from outthink.search.weighing import Weighing


@dataclass(frozen=True)
class Swept(Members):
    """Members of all chains.

    Attributes:
        chain: whose member it is, [m]. `tip`: its last step's row in the sweep's lineage, [m].
        group: class of equivalent answers, [m]; -1 before it is known, and for members that abstain.
    """

    chain: IntArray
    tip: IntArray
    group: IntArray


@dataclass(frozen=True)
class Sweeps(Saved):
    """Chains between two steps.

    Attributes:
        now: the sweep under way, [chains * n]; empty when all is done.
        lineage: who came from whom in it. `kept`: each chain's path from the sweep before.
        pool: members of complete sweeps, weights normalised within each sweep of a chain.
        sweep: complete sweeps. `step`: steps taken in this one.
        log_z: log evidence of this sweep's resamplings, [chains] nats.
        evidence: log evidence of the first sweep, [chains] nats; nan before. Later sweeps know their reference and are no longer unbiased.
        point: a uniform number, for `choose = "sample"`.
        held: the best finished member that resampling has left behind, [1]; None for none.
    """

    now: Swept
    lineage: Steps
    kept: Kept
    pool: Swept
    log_z: FloatArray
    evidence: FloatArray
    sweep: int = 0
    step: int = 0
    point: float = 0.0
    watched: Watched = NOTHING
    held: Members | None = None


class Sweeping(Weighing[Sweeps]):
    """Base of both methods.

    Attributes:
        sweeps: passes over the answers; the first is a plain particle filter. Each costs about as much as a filter of n members.
        ess_threshold: resample when the effective sample size is at most this share of n; 1 always, 0 never.
        keep: whose members stand behind the answer: those of `all` sweeps, or of the `last` one (as published).
    """

    n: Positive = 16
    sweeps: Positive = 4
    ess_threshold: Fraction = 1.0
    keep: Literal["all", "last"] = "all"

    resampling: ClassVar[str] = "multinomial"

    def check(self) -> None:
        if self.n < 2 and self.sweeps > 1:
            raise SettingsError(
                explain(
                    "Further sweeps need a free member beside the reference.",
                    got=f"n = {self.n}, sweeps = {self.sweeps}",
                    expected="n of at least 2",
                    remedy="Raise n (16 or more is usual), or set sweeps = 1.",
                )
            )

    @property
    @abstractmethod
    def heats(self) -> FloatArray:
        """The temperature of each chain, [chains]; the last is the one that answers."""

    async def init(self, run: Run, key: Key) -> Sweeps:
        chains = len(self.heats)
        batch = await run.start(chains * self.n, key)
        starts = Steps.starts(batch, self.twist.start())
        now = self._fresh(starts)
        point = float(key.child("choose").rng().random())
        zeros, unknown = np.zeros(chains), np.full(chains, np.nan)
        return Sweeps(now, starts, Kept.none(starts, chains), now.take([]), zeros, unknown, point=point)

    async def step(self, state: Sweeps, run: Run, key: Key) -> Sweeps:
        state = self._resample(state, run, key.child("resample"))
        state = await self._advance(state, run, key)
        if not self._over(state.now).all():
            return state
        closed = await self._close(state, run, key.child("reference"))
        if closed.sweep >= self.sweeps:
            closed.watched.at_end(run)
            return closed
        return await self._begin(closed, run, key.child("begin"))

    def done(self, state: Sweeps) -> bool:
        return state.sweep >= self.sweeps

    def answer(self, state: Sweeps) -> Answer:
        now = state.now
        whole = state.pool.join(replace(now, log_w=self._normalised(now.log_w))) if len(now) else state.pool
        coldest = whole.chain == len(self.heats) - 1
        log_w = np.where(coldest, whole.log_w, -np.inf)
        if not np.isfinite(log_w[whole.batch.finished]).any():
            log_w = whole.log_w  # a hotter chain's answer is better than none
        answer = Answer.weighted(whole.batch, log_w, whole.score, self._evidence(state))
        chosen = self.chosen(answer, whole.group, state.point, whole.batch.finished & np.isfinite(whole.log_w))
        return or_held(chosen, state.held)

    # -- what variants may change -------------------------------------------------------------------------------------

    def gained(self, kept: Kept, step: int) -> FloatArray:
        """What each reference's log-weight gains by its step number `step`, [k] nats; nothing once it has ended."""
        before, (after, going) = kept.at(step - 1)[0], kept.at(step)
        gain = after.log_ratio + increments(after.log_twist, before.log_twist) / self.heats[kept.there]
        return np.where(going, gain, 0.0)

    def before_choice(self, now: Swept, key: Key) -> Swept:
        """The population from which paths are drawn; nothing is resampled after the last step."""
        return now

    def exchange(self, kept: Kept, step: int, run: Run, key: Key) -> Kept:
        """What chains do with their paths between two sweeps."""
        return kept

    # -- inside -------------------------------------------------------------------------------------------------------

    def _fresh(self, starts: Steps) -> Swept:
        m = len(starts)
        return Swept(
            batch=starts.batch,
            log_w=np.zeros(m),
            log_twist=starts.log_twist,
            memory=starts.memory,
            score=starts.score,
            chain=np.arange(m) // self.n,
            tip=np.arange(m),
            group=np.full(m, ABSTAINS),
        )

    def _over(self, now: Swept) -> BoolArray:
        """Chains whose sweep is through: everyone has finished, or everyone was rejected. [chains]"""
        waiting = (now.batch.alive & self._weighty(now)).reshape(-1, self.n)
        return np.asarray(~waiting.any(axis=1))

    def _weighty(self, now: Swept) -> BoolArray:
        """Members of chains in which not everyone was rejected, [m]."""
        return np.repeat(np.isfinite(now.log_w).reshape(-1, self.n).any(axis=1), self.n)

    def _bound(self, kept: Kept) -> IntArray:
        """The rows of the references."""
        return (kept.there + 1) * self.n - 1

    def _resample(self, state: Sweeps, run: Run, key: Key) -> Sweeps:
        if state.step == 0:
            return state
        now, rng = state.now, key.rng()
        index, log_w, log_z = np.arange(len(now)), now.log_w.copy(), state.log_z.copy()
        bound = set(self._bound(state.kept).tolist())
        going = ~self._over(now)
        for k in np.flatnonzero(going).tolist():
            rows = slice(k * self.n, (k + 1) * self.n)
            own = now.log_w[rows]
            effective = effective_sample_size(own)
            if effective > self.ess_threshold * self.n:
                continue
            free = self.n - (rows.stop - 1 in bound)
            index[rows.start : rows.start + free] = rows.start + multinomial(normalise(own), free, rng)
            log_z[k] += log_mean_exp(own)
            log_w[rows] = 0.0
            ancestors = now.batch.id[index[rows]]
            run.emit(Resampled(step=state.step, ancestors=tuple(ancestors.tolist()), effective=effective))
        if (index == np.arange(len(now))).all():
            return replace(state, now=replace(now, log_w=log_w), log_z=log_z)
        forked = replace(now.take(index), log_w=log_w)
        lineage, tip = state.lineage.pruned(forked.tip)
        held = held_aside(now, index, state.held)
        return replace(state, now=replace(forked, tip=tip), lineage=lineage, log_z=log_z, held=held)

    async def _advance(self, state: Sweeps, run: Run, key: Key) -> Sweeps:
        """The next step: the free members draw theirs, the references take the one that they took."""
        now, kept = state.now, state.kept
        bound = self._bound(kept)
        free = now.batch.alive & self._weighty(now)
        free[bound] = False
        at = np.flatnonzero(free)
        heats = self.heats[now.chain]
        watched = state.watched
        fresh, moved = now.take(at), None
        if len(at):
            moved = await run.advance(fresh.batch, key, steps=self.every)
            score = await run.score(moved.batch)
            log_score, clipped = self.to_nats(np.where(moved.moved, score, np.nan), run)
            watched = watched.clips(clipped, log_score, run)
            fresh = moved_on(fresh, moved, score, log_score, self.twist, heats[at])
        lineage, tip = _grown(state.lineage, fresh, moved)
        after = _placed(now, replace(fresh, tip=tip), at)
        if len(bound):
            rows, going = kept.at(state.step + 1)
            reference = now.take(bound)
            tip = np.where(going, len(lineage) + np.cumsum(going) - 1, reference.tip)
            lineage = lineage.join(replace(rows, parent=reference.tip).take(going))
            reference = replace(
                reference,
                batch=rows.batch,
                log_w=reference.log_w + self.gained(kept, state.step + 1),
                log_twist=rows.log_twist,
                memory=rows.memory,
                score=rows.score,
                tip=tip,
            )
            after = _placed(after, reference, bound)
        return replace(state, now=after, lineage=lineage, step=state.step + 1, watched=watched)

    async def _close(self, state: Sweeps, run: Run, key: Key) -> Sweeps:
        """Each chain keeps one path; the members go into the pool."""
        now = self.before_choice(state.now, key.child("before"))
        rng, paths = key.rng(), []
        evidence = state.log_z.copy()
        for k in range(len(self.heats)):
            rows = now.take(np.arange(k * self.n, (k + 1) * self.n))
            evidence[k] += log_mean_exp(rows.log_w)
            if np.isfinite(rows.log_w).any():
                mass = np.cumsum(normalise(rows.log_w))
                chosen = int(np.searchsorted(mass, rng.random() * mass[-1], side="right"))
                paths.append(state.lineage.path(int(rows.tip[chosen])))
            else:
                state.watched.weights(rows.log_w, state.step, lambda: 0, run)
                paths.append(np.zeros(0, np.int64))
        kept = self.exchange(Kept.of(state.lineage, paths), state.sweep + 1, run, key.child("exchange"))
        members = replace(now, log_w=self._normalised(now.log_w))
        pool = members if self.keep == "last" or state.sweep == 0 else state.pool.join(members)
        if self.choose == "vote":
            pool = replace(pool, group=group_of(await run.answer_keys(pool.batch)))
        first = evidence if state.sweep == 0 else state.evidence
        nobody, nothing = now.take([]), state.lineage.take([])
        return replace(state, now=nobody, lineage=nothing, kept=kept, pool=pool, evidence=first, sweep=state.sweep + 1)

    async def _begin(self, state: Sweeps, run: Run, key: Key) -> Sweeps:
        """The next sweep: fresh members, and the references at their start."""
        chains, bound = len(self.heats), self._bound(state.kept)
        free = np.ones(chains * self.n, bool)
        free[bound] = False
        starts = Steps.starts(await run.start(int(free.sum()), key), self.twist.start())
        if len(bound):
            back = np.where(free, np.cumsum(free) - 1, free.sum() + np.cumsum(~free) - 1)
            rows, _ = state.kept.at(0)
            starts = starts.join(rows).take(back)
        return replace(state, now=self._fresh(starts), lineage=starts, log_z=np.zeros(chains), step=0)

    def _normalised(self, log_w: FloatArray) -> FloatArray:
        """Log-weights that sum to 1 within each chain, [m]."""
        parts = log_w.reshape(-1, self.n)
        return np.concatenate([log_normalise(p) if np.isfinite(p).any() else p for p in parts])

    def _evidence(self, state: Sweeps) -> float:
        """Of the first sweep of the chain that answers, nats."""
        if state.sweep:
            return float(state.evidence[-1])
        return float(state.log_z[-1]) + log_mean_exp(state.now.log_w[-self.n :])


def _grown(lineage: Steps, fresh: Swept, moved: Moved | None) -> tuple[Steps, IntArray]:
    """The lineage with the steps that were taken, and where the members stand in it, [m]."""
    if moved is None or not moved.moved.any():
        return lineage, fresh.tip
    went = fresh.take(moved.moved)
    ratio = moved.log_ratio[moved.moved]
    tips = fresh.tip.copy()
    tips[moved.moved] = len(lineage) + np.arange(len(went))
    more = Steps(went.batch, ratio, went.log_twist, went.memory, went.score, went.tip)
    return lineage.join(more), tips


def _placed(members: Swept, rows: Swept, at: IntArray) -> Swept:
    """The members with those at `at`, [m], replaced by `rows`."""
    if len(at) == 0:
        return members
    index = np.arange(len(members))
    index[at] = len(members) + np.arange(len(at))
    return members.join(rows).take(index)
