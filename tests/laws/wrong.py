"""Particle filters that are wrong on purpose, each in one line that public codes got wrong too. The laws must reject them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from outthink.core import Key, Run
from outthink.core.rows import as_index
from outthink.numerics.types import FloatArray, IntArray
from outthink.search import ParticleFilter
from outthink.search.particle_filter import Particles


class DropsWeights(ParticleFilter):
    """Weights are forgotten whenever the population was not resampled (Fk-Diffusion-Steering)."""

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        p = await super().step(state, run, key)
        return p if self.done(p) else replace(p, log_w=np.zeros(len(p)))


class ForgetsEvidence(ParticleFilter):
    """Resampling throws the population's mean weight away."""

    def resample(self, p: Particles, run: Run, key: Key) -> Particles:
        return replace(super().resample(p, run, key), log_z=0.0)


class KeepsWeights(ParticleFilter):
    """Weights are kept after resampling, so that they count twice."""

    def resample(self, p: Particles, run: Run, key: Key) -> Particles:
        q = super().resample(p, run, key)
        return q if q is p else replace(q, log_w=np.sort(p.log_w)[::-1][: len(q)])


class ResetsWeights(ParticleFilter):
    """Children start equal whatever their ancestors were drawn by (its_hub's annealing)."""

    def carried(self, log_w: FloatArray, q: FloatArray, ancestors: IntArray) -> FloatArray:
        return np.zeros(len(ancestors))


class LosesRows(ParticleFilter):
    """The twist's column is not moved by resampling (a forgotten array)."""

    def resample(self, p: Particles, run: Run, key: Key) -> Particles:
        q = super().resample(p, run, key)
        return q if q is p else replace(q, log_twist=p.log_twist)


class IgnoresProposal(ParticleFilter):
    """The ratio of target to proposal is left out of the weights."""

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        p = self.resample(state, run, key.child("resample"))
        before = p.log_w
        after = await super().step(p, run, key)
        moved = after.log_twist - p.log_twist
        return replace(after, log_w=before + moved)


class CountsFinishedAgain(ParticleFilter):
    """A finished member is multiplied by its last score at every later step (both published codes)."""

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        p = self.resample(state, run, key.child("resample"))
        waiting = as_index(p.batch.done)
        again, _ = self.to_nats(p.score, run)
        p = replace(p, log_w=p.log_w + np.where(p.batch.done & (p.step > 0), again, 0.0)) if len(waiting) else p
        return await super().step(p, run, key)
