"""Particle Gibbs: a particle filter that goes over its answer again, each time beside one path kept from the time before.

    outthink run "..." --method particle-gibbs --n 16 --set algorithm.sweeps=4 --verifier arithmetic

A filter of n members has a bias of order 1/n; sweeps take it away, since each leaves the target unchanged however few members it has. If
unsure: `particle-filter` first, which is as good in most cases at equal cost, and 16 members or more here; with few, hardly anything but
the kept path survives.

Source: spec 03, particle Gibbs; Andrieu, Doucet and Holenstein 2010. Departs from the published codes, both of which weigh the kept path
wrongly (one step ahead; with its final score throughout) and one of which resamples once more at the end: none of the three leaves the
target unchanged. All sweeps' members stand behind the answer by default; `keep = "last"` is as published.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics.types import FloatArray
from outthink.search.sweeping import Sweeping


class ParticleGibbs(Sweeping):
    """Conditional particle filters in a row, each beside a path kept from the one before."""

    @property
    def heats(self) -> FloatArray:
        return np.ones(1)
