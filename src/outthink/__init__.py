"""Spend compute at inference time to get better outputs from a generative model that stays as it is.

    result = outthink.solve("...", method=outthink.ParticleFilter(n=8), budget=outthink.Budget(tokens=4000), model="local")
    result.answer, result.cost, result.stop

Say what to generate, how to judge it and what it may cost; it searches, and hands back the best answer with a bill and a record of how it
was found. If unsure: `method="vote"` for questions with one short answer, `BestOfN` with a verifier for everything else.

Names are imported when they are first used, so that `import outthink` is quick.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outthink.api import asolve, close_engines, solve
    from outthink.core.cost import Budget, Cost
    from outthink.core.errors import Failure, OutthinkError
    from outthink.core.key import Key
    from outthink.core.result import Result, Stop
    from outthink.core.session import Session
    from outthink.core.task import Candidate, Message, Task
    from outthink.pipeline.pipeline import Pipeline
    from outthink.recipes.build import build
    from outthink.recipes.digest import digest
    from outthink.recipes.function import Function
    from outthink.recipes.load import load as load_recipe
    from outthink.recipes.recipe import Recipe
    from outthink.search.adaptive import Adaptive
    from outthink.search.beam import Beam
    from outthink.search.best_first import BestFirst
    from outthink.search.best_of_n import BestOfN
    from outthink.search.diverse_verifier_tree_search import DiverseVerifierTreeSearch
    from outthink.search.evolve import Evolve
    from outthink.search.parallel_tempering import ParallelTempering
    from outthink.search.particle_filter import ParticleFilter
    from outthink.search.particle_gibbs import ParticleGibbs
    from outthink.search.rebase import Rebase
    from outthink.search.refine import Refine
    from outthink.search.rewind import Rewind
    from outthink.search.rollover import Rollover
    from outthink.search.step_best_of_n import StepBestOfN
    from outthink.search.tree import Tree
    from outthink.search.vote import Vote
    from outthink.search.zero_order import ZeroOrder

    __version__: str

__all__ = [
    "Adaptive",
    "Beam",
    "BestFirst",
    "BestOfN",
    "Budget",
    "Candidate",
    "Cost",
    "DiverseVerifierTreeSearch",
    "Evolve",
    "Failure",
    "Function",
    "Key",
    "Message",
    "OutthinkError",
    "ParallelTempering",
    "ParticleFilter",
    "ParticleGibbs",
    "Pipeline",
    "Rebase",
    "Recipe",
    "Refine",
    "Result",
    "Rewind",
    "Rollover",
    "Session",
    "StepBestOfN",
    "Stop",
    "Task",
    "Tree",
    "Vote",
    "ZeroOrder",
    "__version__",
    "asolve",
    "build",
    "close_engines",
    "digest",
    "load_recipe",
    "solve",
]

_HOMES = {
    "Adaptive": "search.adaptive",
    "Beam": "search.beam",
    "BestFirst": "search.best_first",
    "BestOfN": "search.best_of_n",
    "Budget": "core.cost",
    "Candidate": "core.task",
    "Cost": "core.cost",
    "DiverseVerifierTreeSearch": "search.diverse_verifier_tree_search",
    "Evolve": "search.evolve",
    "Failure": "core.errors",
    "Function": "recipes.function",
    "Key": "core.key",
    "Message": "core.task",
    "OutthinkError": "core.errors",
    "ParallelTempering": "search.parallel_tempering",
    "ParticleFilter": "search.particle_filter",
    "ParticleGibbs": "search.particle_gibbs",
    "Pipeline": "pipeline.pipeline",
    "Rebase": "search.rebase",
    "Recipe": "recipes.recipe",
    "Refine": "search.refine",
    "Result": "core.result",
    "Rewind": "search.rewind",
    "Rollover": "search.rollover",
    "Session": "core.session",
    "StepBestOfN": "search.step_best_of_n",
    "Stop": "core.result",
    "Task": "core.task",
    "Tree": "search.tree",
    "Vote": "search.vote",
    "ZeroOrder": "search.zero_order",
    "asolve": "api",
    "build": "recipes.build",
    "close_engines": "api",
    "digest": "recipes.digest",
    "load_recipe": "recipes.load:load",
    "solve": "api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("outthink")
    if name not in _HOMES:
        raise AttributeError(f"module 'outthink' has no attribute {name!r}")
    module, _, inner = _HOMES[name].partition(":")
    value = globals()[name] = getattr(import_module(f"outthink.{module}"), inner or name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
