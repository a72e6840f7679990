"""Search methods. They look only at scalars and indices: scores, weights, depths, ancestry, cost; never at what is searched."""

from outthink.search.beam import Beam
from outthink.search.best_of_n import BestOfN
from outthink.search.particle_filter import ParticleFilter
from outthink.search.refine import Refine
from outthink.search.twists import Difference, Incremental, RunningMax, RunningSum
from outthink.search.vote import Vote

__all__ = [
    "Beam",
    "BestOfN",
    "Difference",
    "Incremental",
    "ParticleFilter",
    "Refine",
    "RunningMax",
    "RunningSum",
    "Vote",
]
