"""Parallel tempering: particle Gibbs at several temperatures side by side, which exchange the paths that they keep.

    outthink run "..." --method parallel-tempering --set "algorithm.temperatures=[4.0, 2.0, 1.0]" --verifier arithmetic

A hot chain hardly listens to the verifier and goes everywhere; a cold one does listen and stays where it is. Chain k aims at
p(x) exp(S(x) / T_k), S the twist's total. After each sweep neighbours exchange their paths with a probability that leaves both targets as
they are; the generator cancels in it, so nothing needs to be evaluated again, and a better path in the hotter chain always moves down. The
coldest chain answers. If unsure: two or three temperatures, each half of the one before, the last 1.

Source: spec 03, parallel tempering. The published run had one sweep and so exchanged nothing.
"""

# Notation: log A = min(0, (1/T_k - 1/T_{k+1}) (S(x^{k+1}) - S(x^k))), T_k > T_{k+1}

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.core.events import Exchanged
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.settings import PositiveFloat
from outthink.numerics.types import FloatArray
from outthink.search.lineage import Kept
from outthink.search.sweeping import Sweeping


class ParallelTempering(Sweeping):
    """Particle Gibbs chains at several temperatures that exchange paths.

    Attributes:
        temperatures: of the chains, hottest first; n members each. The last answers, and 1 makes its target that of the other methods.
    """

    temperatures: Annotated[tuple[PositiveFloat, ...], Meta(min_length=1)] = (2.0, 1.0)

    def check(self) -> None:
        super().check()
        if any(hot <= cold for hot, cold in zip(self.temperatures, self.temperatures[1:], strict=False)):
            raise SettingsError(
                explain(
                    "Temperatures must fall from chain to chain.",
                    got=self.temperatures,
                    expected="each lower than the one before",
                    remedy="For example temperatures = [4.0, 2.0, 1.0].",
                )
            )

    @property
    def heats(self) -> FloatArray:
        return np.array(self.temperatures)

    def exchange(self, kept: Kept, step: int, run: Run, key: Key) -> Kept:
        chains = len(self.heats)
        there = set(kept.there.tolist())
        total = np.full(chains, np.nan)
        total[kept.there] = kept.ends().log_twist
        uniforms = key.rng().random(max(chains - 1, 0))
        order = np.arange(chains)
        for k in range(chains - 1):
            if not {int(order[k]), int(order[k + 1])} <= there:
                continue
            accepted = bool(uniforms[k] < math.exp(self.log_acceptance(k, total[order[k]], total[order[k + 1]])))
            if accepted:
                order[[k, k + 1]] = order[[k + 1, k]]
            run.emit(Exchanged(step=step, hotter=k, accepted=accepted))
        return kept if (order == np.arange(chains)).all() else kept.exchanged(order)

    def log_acceptance(self, hotter: int, hot: float, cold: float) -> float:
        """Log-probability that chains `hotter` and `hotter` + 1 exchange paths whose totals S are `hot` and `cold`, nats."""
        inverse = 1.0 / self.heats
        return min(0.0, float((inverse[hotter] - inverse[hotter + 1]) * (cold - hot)))
