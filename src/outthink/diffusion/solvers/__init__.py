"""Solvers as pure step functions over explicit state: what each does in one step, and what it remembers, is all there is to it."""

from outthink.diffusion.solvers.ddim import Ancestral, Ddim
from outthink.diffusion.solvers.dpm_solver import DpmSolver, SdeDpmSolver
from outthink.diffusion.solvers.euler import Euler, FlowEuler, FlowHeun, Heun
from outthink.diffusion.solvers.flow_sde import FlowSde
from outthink.diffusion.solvers.solver import Here, Move, Past, Solver
from outthink.diffusion.solvers.unipc import UniPc

AnySolver = Ddim | Ancestral | Euler | Heun | FlowEuler | FlowHeun | DpmSolver | SdeDpmSolver | UniPc | FlowSde

__all__ = [
    "Ancestral",
    "AnySolver",
    "Ddim",
    "DpmSolver",
    "Euler",
    "FlowEuler",
    "FlowHeun",
    "FlowSde",
    "Here",
    "Heun",
    "Move",
    "Past",
    "SdeDpmSolver",
    "Solver",
    "UniPc",
]
