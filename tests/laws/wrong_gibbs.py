"""Particle Gibbs and tempering as the public codes have them, and as they must not be. The laws must reject each of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from outthink.core import Key
from outthink.numerics import multinomial, normalise
from outthink.numerics.types import FloatArray
from outthink.search.lineage import Kept
from outthink.search.parallel_tempering import ParallelTempering
from outthink.search.particle_gibbs import ParticleGibbs
from outthink.search.sweeping import Swept


class Many(ParticleGibbs):
    """Particle Gibbs, many independent chains in one batch."""

    chains: int = 1000

    @property
    def heats(self) -> FloatArray:
        return np.ones(self.chains)


class OneStepAhead(Many):
    """The reference is weighed at each step with the score that it had one step later (the paper's code)."""

    def gained(self, kept: Kept, step: int) -> FloatArray:
        last = int(np.diff(kept.begins).max()) - 1
        return super().gained(kept, min(step + 1, last))


class FinalScore(Many):
    """The reference, being finished, is weighed at each step with its final score (its_hub)."""

    def gained(self, kept: Kept, step: int) -> FloatArray:
        last = int(np.diff(kept.begins).max()) - 1
        return super().gained(kept, last)


class ResamplesAtTheEnd(Many):
    """Everyone is resampled once more when all have finished, and weighed with the same score again (its_hub)."""

    def before_choice(self, now: Swept, key: Key) -> Swept:
        rng, index = key.rng(), np.arange(len(now))
        for k in range(self.chains):
            rows = slice(k * self.n, (k + 1) * self.n)
            index[rows] = k * self.n + multinomial(normalise(now.log_w[rows]), self.n, rng)
        return replace(now.take(index), log_w=now.score[index])


class FreesTheReference(Many):
    """The reference is resampled like everyone else."""

    def before_choice(self, now: Swept, key: Key) -> Swept:
        return replace(now, log_w=np.where(np.arange(len(now)) % self.n == self.n - 1, -np.inf, now.log_w))


class ManyLadders(ParallelTempering):
    """Parallel tempering, many independent ladders in one batch: chain r m + k is rung k of ladder r."""

    ladders: int = 300

    @property
    def heats(self) -> FloatArray:
        return np.tile(np.array(self.temperatures), self.ladders)

    def log_acceptance(self, hotter: int, hot: float, cold: float) -> float:
        m = len(self.temperatures)
        if (hotter + 1) % m == 0:
            return -math.inf
        return self.within(hotter % m, hot, cold)

    def within(self, rung: int, hot: float, cold: float) -> float:
        """The rule between neighbours of one ladder."""
        return ParallelTempering(temperatures=self.temperatures).log_acceptance(rung, hot, cold)


class AlwaysExchanges(ManyLadders):
    """Neighbours exchange whatever they hold."""

    def within(self, rung: int, hot: float, cold: float) -> float:
        return 0.0


class KeepsTheBetter(ManyLadders):
    """The better path always goes to the colder chain, and never back."""

    def within(self, rung: int, hot: float, cold: float) -> float:
        return 0.0 if hot > cold else -math.inf


class ForgetsTheTemperatures(ManyLadders):
    """Paths are compared as at temperature 1 against none."""

    def within(self, rung: int, hot: float, cold: float) -> float:
        return min(0.0, hot - cold)
