"""Search methods. They look only at scalars and indices: scores, weights, depths, ancestry, cost; never at what is searched."""

from outthink.search.adaptive import Adaptive
from outthink.search.backup import LogMeanExp, Max, Mean
from outthink.search.beam import Beam
from outthink.search.best_first import BestFirst
from outthink.search.best_of_n import BestOfN
from outthink.search.diverse_verifier_tree_search import DiverseVerifierTreeSearch
from outthink.search.evolve import Evolve
from outthink.search.look_ahead import LookAhead
from outthink.search.parallel_tempering import ParallelTempering
from outthink.search.particle_filter import ParticleFilter
from outthink.search.particle_gibbs import ParticleGibbs
from outthink.search.pruning import Pruning
from outthink.search.rebase import Rebase
from outthink.search.refine import Refine
from outthink.search.resampling_policy import Base, Entropy, Ess, Plain, Schedule
from outthink.search.rewind import Rewind
from outthink.search.rollover import Rollover
from outthink.search.selection import Boltzmann, Puct, Uct, Uniform
from outthink.search.step_best_of_n import StepBestOfN
from outthink.search.stopping import Leader, Never, Threshold
from outthink.search.temperatures import Rising, Steady
from outthink.search.tree import Tree
from outthink.search.twists import Difference, Incremental, RunningMax, RunningSum
from outthink.search.vote import Vote
from outthink.search.zero_order import ZeroOrder

__all__ = [
    "Adaptive",
    "Base",
    "Beam",
    "BestFirst",
    "BestOfN",
    "Boltzmann",
    "Difference",
    "DiverseVerifierTreeSearch",
    "Entropy",
    "Ess",
    "Evolve",
    "Incremental",
    "Leader",
    "LogMeanExp",
    "LookAhead",
    "Max",
    "Mean",
    "Never",
    "ParallelTempering",
    "ParticleFilter",
    "ParticleGibbs",
    "Plain",
    "Pruning",
    "Puct",
    "Rebase",
    "Refine",
    "Rewind",
    "Rising",
    "Rollover",
    "RunningMax",
    "RunningSum",
    "Schedule",
    "Steady",
    "StepBestOfN",
    "Threshold",
    "Tree",
    "Uct",
    "Uniform",
    "Vote",
    "ZeroOrder",
]
