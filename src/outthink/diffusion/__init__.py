"""Diffusion and flow models as processes, so that the same search classes steer images as they steer texts. Needs torch.

Networks predict, levels say how noisy a sample is, solvers take steps, and `DenoisingProcess` puts the three together. `reward` makes a
verifier of any function of samples; `schedules.read` takes the levels from a scheduler of diffusers.
"""

from outthink.diffusion.conversions import Prediction
from outthink.diffusion.gradient_guided import GradientGuided
from outthink.diffusion.levels import Grid, Level
from outthink.diffusion.mixtures import Mixture
from outthink.diffusion.network import Guided, Network, OnPath, Plain, Thresholded, preconditioned
from outthink.diffusion.paths import Flow, LinearSignal, Path, Trigonometric, VarianceExploding, VariancePreserving
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.rewards import Differentiable, Reward, differentiable, reward, set_reward
from outthink.diffusion.schedules import Schedule
from outthink.diffusion.solvers import (
    Ancestral,
    Ddim,
    DpmSolver,
    Euler,
    FlowEuler,
    FlowHeun,
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
    "Differentiable",
    "DpmSolver",
    "Euler",
    "Flow",
    "FlowEuler",
    "FlowHeun",
    "FlowSde",
    "GradientGuided",
    "Grid",
    "Guided",
    "Heun",
    "Level",
    "LinearSignal",
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
    "differentiable",
    "preconditioned",
    "reward",
    "set_reward",
]
