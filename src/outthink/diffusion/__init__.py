"""Diffusion and flow models as processes, so that the same search classes steer images as they steer texts. Needs torch.

Networks predict, levels say how noisy a sample is, solvers take steps, and `DenoisingProcess` puts the three together. `reward` makes a
verifier of any function of samples; `schedules.read` takes the levels from a scheduler of diffusers.
"""

from outthink.diffusion.conversions import Prediction
from outthink.diffusion.levels import Grid, Level
from outthink.diffusion.mixtures import Mixture
from outthink.diffusion.network import Guided, Network, OnPath, Plain, Thresholded, preconditioned
from outthink.diffusion.paths import Flow, Path, Trigonometric, VarianceExploding, VariancePreserving
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.rewards import Reward, reward
from outthink.diffusion.schedules import Schedule
from outthink.diffusion.solvers import (
    Ancestral,
    Ddim,
    DpmSolver,
    Euler,
    FlowEuler,
    FlowSde,
    Heun,
    SdeDpmSolver,
    Solver,
    UniPc,
)

__all__ = [
    "Ancestral",
    "Ddim",
    "DenoisingProcess",
    "DpmSolver",
    "Euler",
    "Flow",
    "FlowEuler",
    "FlowSde",
    "Grid",
    "Guided",
    "Heun",
    "Level",
    "Mixture",
    "Network",
    "OnPath",
    "Path",
    "Plain",
    "Prediction",
    "Reward",
    "Schedule",
    "SdeDpmSolver",
    "Solver",
    "Thresholded",
    "Trigonometric",
    "UniPc",
    "VarianceExploding",
    "VariancePreserving",
    "preconditioned",
    "reward",
]
