"""From which probabilities ancestors are drawn: in proportion to the weights, or flatter while the run is young and few carry the weight.

An over-confident verifier gives one member nearly all the weight at the first step, and its copies are all that is left when the verifier
notices. Entropic annealing draws ancestors from softmax(log-weights / temperature) instead, the temperature set at each resampling:

- `plain`: temperature 1, in proportion to the weights.
- `ess`: N / ESS, falling with time: the published default, and the strongest.
- `entropy`: 1 over the normalised entropy of the weights, raised to 1 with time.
- `base`: a fixed start, falling with time.
- `schedule`: from one temperature to another in so many steps, whatever the weights.

    outthink run "..." --method entropic-particle-filter --verifier arithmetic

If unsure: `plain` where the scores can be trusted as they come, `ess` with `horizon` at the longest answer where early scores cannot.
What becomes of the weights is the filter's affair (`ParticleFilter.exact`).

Sources: spec 02, entropic annealing (arXiv 2510.05825, as in its_hub); spec 03, the temperature schedule of the paper's code.
Departs from its_hub: the entropy is normalised for every N >= 2, and nothing is clipped.
"""

# Notation: theta_i -> exp(log_theta), rho -> ESS / N, u -> progress t / T_max, tau -> temperature

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from outthink.core.settings import Fraction, NonNegativeFloat, Positive, PositiveFloat, Tagged
from outthink.numerics.log_weights import effective_sample_size, log_normalise, normalise
from outthink.numerics.types import FloatArray

TINY = 1e-300


class Annealing(Tagged):
    """Base of all policies."""

    @abstractmethod
    def temperature(self, log_theta: FloatArray, step: int) -> float:
        """The temperature, at least 1 for the annealing ones. `log_theta` [n]: normalised log-weights; `step`: steps taken so far."""

    def probabilities(self, log_w: FloatArray, step: int) -> tuple[FloatArray, float]:
        """From what ancestors are drawn, [n] summing to 1, and the temperature. Raises ValueError where no member has weight."""
        heat = self.temperature(log_normalise(log_w), step)
        return normalise(log_w if heat == 1.0 else log_w / heat), heat


class Plain(Annealing):
    """In proportion to the weights."""

    def temperature(self, log_theta: FloatArray, step: int) -> float:
        return 1.0


class Schedule(Annealing):
    """From temperature `start` to `end` in `steps` steps, and `end` from then on; `steps` of 1 is `end` throughout.

    tau_t = start - (start - end) t / (steps - 1) for t < steps (spec 03, schedule).
    """

    start: PositiveFloat = 1.0
    end: PositiveFloat = 1.0
    steps: Positive = 1

    def temperature(self, log_theta: FloatArray, step: int) -> float:
        if step >= self.steps or self.steps == 1:
            return self.end
        return self.start - (self.start - self.end) * step / (self.steps - 1)


class Early(Annealing):
    """Base of those that anneal while weights are collapsed and the run is young.

    Attributes:
        below: anneal only where the effective sample size is under this share of n; 0 switches it off.
        early: anneal only before this share of `horizon`; 0 switches it off.
        horizon: the most steps that a member takes, T_max.
    """

    below: Fraction = 0.5
    early: Fraction = 0.5
    horizon: Positive = 32

    def temperature(self, log_theta: FloatArray, step: int) -> float:
        n, progress = len(log_theta), step / self.horizon
        share = effective_sample_size(log_theta) / n
        if n <= 1 or share >= self.below or progress >= self.early:
            return 1.0
        return max(1.0, self.flattened(log_theta, share, progress))

    @abstractmethod
    def flattened(self, log_theta: FloatArray, share: float, progress: float) -> float:
        """The temperature where annealing is called for. `share`: ESS / N; `progress`: in [0, 1)."""


class Ess(Early):
    """tau = (N / ESS) (1 - u)."""

    def flattened(self, log_theta: FloatArray, share: float, progress: float) -> float:
        return (1.0 - progress) / share


class Entropy(Early):
    """tau = 1 / (H + (1 - H) u), H the entropy of the weights over log N."""

    def flattened(self, log_theta: FloatArray, share: float, progress: float) -> float:
        entropy = normalised_entropy(log_theta)
        beta = entropy + (1.0 - entropy) * progress
        # All weight on one member gives no bound; a number so large flattens as well as infinity would.
        return 1.0 / max(beta, TINY)


class Base(Early):
    """tau = start - u."""

    start: NonNegativeFloat = 2.0

    def flattened(self, log_theta: FloatArray, share: float, progress: float) -> float:
        return self.start - progress


def normalised_entropy(log_theta: FloatArray) -> float:
    """-sum theta log theta / log n in [0, 1], 0 log 0 = 0; n at least 2."""
    alive = log_theta[np.isfinite(log_theta)]
    return min(max(float(-(np.exp(alive) * alive).sum()) / math.log(len(log_theta)), 0.0), 1.0)


AnyAnnealing = Plain | Schedule | Ess | Entropy | Base
