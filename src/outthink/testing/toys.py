"""The toy processes under one name: a token chain, a Gaussian chain, a grid agent. Each has exact answers to check a search against."""

from __future__ import annotations

from outthink.testing.array_process import ArrayProcess, Prices, ToyStates
from outthink.testing.gaussian_chain import GaussianChain, GaussianPosterior, Points
from outthink.testing.grid_agent import GridAgent, Walks
from outthink.testing.token_chain import ExactStrings, Strings, TokenChain

__all__ = [
    "ArrayProcess",
    "ExactStrings",
    "GaussianChain",
    "GaussianPosterior",
    "GridAgent",
    "Points",
    "Prices",
    "Strings",
    "TokenChain",
    "ToyStates",
    "Walks",
]
