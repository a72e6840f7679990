"""For tests, here and in other people's packages: toy processes with exact answers, toy verifiers, a virtual clock, contract suites.

    chain = TokenChain("ab", length=3)                      # every probability is known
    result = run_virtual(solve(chain))                      # hours pass in milliseconds

The suites that a process, verifier, engine or algorithm must pass are in `outthink.testing.contracts`, which needs pytest; nothing
here does.
"""

from outthink.testing.array_process import ArrayProcess, Prices, ToyStates
from outthink.testing.gaussian_chain import GaussianChain, GaussianPosterior, Points
from outthink.testing.grid_agent import GridAgent, Walks
from outthink.testing.noise import choices, normals, uniforms
from outthink.testing.parts import Parted, PartsJudge, PartsProcess
from outthink.testing.token_chain import ExactStrings, Strings, TokenChain
from outthink.testing.verifiers import FunctionOfAnswer, FunctionOfContent
from outthink.testing.virtual_clock import VirtualLoop, run_virtual
from outthink.testing.wrappers import Flaky, Slow, Wrapper

__all__ = [
    "ArrayProcess",
    "ExactStrings",
    "Flaky",
    "FunctionOfAnswer",
    "FunctionOfContent",
    "GaussianChain",
    "GaussianPosterior",
    "GridAgent",
    "Parted",
    "PartsJudge",
    "PartsProcess",
    "Points",
    "Prices",
    "Slow",
    "Strings",
    "TokenChain",
    "ToyStates",
    "VirtualLoop",
    "Walks",
    "Wrapper",
    "choices",
    "normals",
    "run_virtual",
    "uniforms",
]
