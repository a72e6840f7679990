"""A reward head for the laboratory model: from the state at the end of each line, the chance that the solution ends right.

    trained = await laboratory_head(engine, key=Key(1).child("head"))
    save_head_file(path, trained.head)

Its problems are fresh ones from the side of the split that the model was trained on; what is held out stays so. Labels are the strict
check's. Chains and Countdown are mixed, so that one head serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from outthink.core.key import Key
from outthink.core.task import Task
from outthink.engines.local import LocalEngine
from outthink.laboratory.chains import Chains
from outthink.laboratory.family import Family
from outthink.laboratory.oracle import LaboratoryOracle
from outthink.laboratory.problems import STANDARD, problems
from outthink.recipes.build import Live, build
from outthink.recipes.load import load
from outthink.train.examples import WANTS, collect
from outthink.train.heads import Trained, train_head

FAMILIES: tuple[Family, ...] = (Chains(terms=5), *STANDARD)
PROBLEMS = 100
"""Of each kind."""

SAMPLES = 16


async def laboratory_head(
    engine: LocalEngine,
    *,
    key: Key,
    count: int = PROBLEMS,
    samples: int = SAMPLES,
    each: Callable[[int], None] | None = None,
) -> Trained:
    """Draw, label, train and measure. `count`: problems of each kind. `each`: told how many problems are sampled."""
    tasks = [
        Task(prompt=task.prompt, id=f"{i}-{task.id}", reference=task.reference)
        for i, family in enumerate(FAMILIES)
        for task in problems(family, count, key.child("problems", i), unseen=False)
    ]
    recipe = load("laboratory")
    shown = replace(recipe, process=recipe.process.showing(WANTS), verifier=None)
    async with build(shown, live=Live(engine=engine)) as built:
        examples = await collect(
            built.solver.process,
            tasks,
            LaboratoryOracle(),
            samples=samples,
            key=key.child("samples"),
            prefixes=True,
            each=each,
        )
    return train_head(examples, model=engine.fingerprint, model_name=engine.name, key=key.child("split"))
