"""The Python door: `solve` for scripts and notebooks, `asolve` for code that is asynchronous already.

    result = outthink.solve("What is 17 + 25?", method="vote", budget=outthink.Budget(tokens=2000))
    result.answer, result.cost, result.stop

Both build a recipe from what they are given and solve it; a list of tasks gives a list of results. The same words mean the same on the
command line and in a TOML file. An engine stays open for the next call; `close_engines` frees it earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack, overload

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.core.task import Task
from outthink.recipes.background import BACKGROUND
from outthink.recipes.engines import Engines
from outthink.recipes.plan import AnswerLike, MethodLike, ModelLike, ProcessLike, VerifierLike, plan
from outthink.recipes.recipe import Recipe
from outthink.recipes.solving import as_task, solve_task, solve_tasks

ENGINES = Engines(idle=1)

One = str | Task
Many = list[str] | list[Task] | list[One] | tuple[One, ...]


class How(TypedDict, total=False):
    """The keywords of `solve` and `asolve`, for type checkers; `solve` says what they mean."""

    method: MethodLike | None
    verifier: VerifierLike | None
    answer: AnswerLike | None
    process: ProcessLike | None
    model: ModelLike | None
    budget: Budget | str | None
    recipe: str | Path | Recipe | None
    changes: Sequence[str]
    seed: int
    sinks: Sequence[Sink]


@overload
async def asolve(prompt: One, *, cut: Cut | None = None, **how: Unpack[How]) -> Result: ...
@overload
async def asolve(prompt: Many, *, cut: Cut | None = None, **how: Unpack[How]) -> list[Result | Failure]: ...
async def asolve(
    prompt: One | Many,
    *,
    method: MethodLike | None = None,
    verifier: VerifierLike | None = None,
    answer: AnswerLike | None = None,
    process: ProcessLike | None = None,
    model: ModelLike | None = None,
    budget: Budget | str | None = None,
    recipe: str | Path | Recipe | None = None,
    changes: Sequence[str] = (),
    seed: int = 0,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
) -> Result | list[Result | Failure]:
    """What `solve` does, as a coroutine on the caller's loop. `cut` is the caller's own way to end it early."""
    made = plan(
        recipe=recipe,
        method=method,
        model=model,
        process=process,
        verifier=verifier,
        answer=answer,
        budget=budget,
        changes=changes,
    )
    if isinstance(prompt, (str, Task)):
        return await solve_task(made, as_task(prompt), seed=seed, sinks=sinks, cut=cut, engines=ENGINES)
    tasks = [as_task(one) for one in prompt]
    return await solve_tasks(made, tasks, seed=seed, sinks=sinks, cut=cut, engines=ENGINES)


@overload
def solve(prompt: One, **how: Unpack[How]) -> Result: ...
@overload
def solve(prompt: Many, **how: Unpack[How]) -> list[Result | Failure]: ...
def solve(
    prompt: One | Many,
    *,
    method: MethodLike | None = None,
    verifier: VerifierLike | None = None,
    answer: AnswerLike | None = None,
    process: ProcessLike | None = None,
    model: ModelLike | None = None,
    budget: Budget | str | None = None,
    recipe: str | Path | Recipe | None = None,
    changes: Sequence[str] = (),
    seed: int = 0,
    sinks: Sequence[Sink] = (),
) -> Result | list[Result | Failure]:
    """The best answer to a question that the budget buys; a list of questions gives a list, the budget shared evenly among them.

    Works in a script, in a notebook and inside a running loop. Ctrl-C ends the search and returns its best so far.

    Args:
        prompt: a question, a `Task`, or a list of them.
        method: how to search: settings such as `BestOfN(n=4)`, a name such as "vote", or the path of a recipe. None: "best-of-n".
        verifier: who judges: a function from an answer to a number, settings, a name, or "none". None: as the recipe says.
        answer: which answers are the same, and how they are found in a text: settings, a name, or "none". None: as the recipe says.
        process: what is generated: a `Function`, settings, a name, or a function from a task to a process. None: as the recipe says.
        model: "local", "local:path/to/model.gguf", engine settings, or an open engine. None: as the recipe says.
        budget: limits, as `Budget(tokens=4000)` or "tokens=4000,seconds=30". None: as the recipe says.
        recipe: where to start instead of the method's own preset: a name, a path, or a `Recipe`.
        changes: further settings by name, as on the command line: "algorithm.ess_threshold=0.3".
        seed: the same seed gives the same search.
        sinks: functions that are given every event as it happens.
    Returns: the result; for a list, in its order, a `Failure` in place of a task that could not be worked on.
    Raises `SettingsError`, `InputError`, `Incompatible` before anything is spent; `AllFailed` when every member failed.
    """

    async def work(cut: Cut) -> Result | list[Result | Failure]:
        return await asolve(
            prompt,
            method=method,
            verifier=verifier,
            answer=answer,
            process=process,
            model=model,
            budget=budget,
            recipe=recipe,
            changes=changes,
            seed=seed,
            sinks=sinks,
            cut=cut,
        )

    return BACKGROUND.run(work)


def close_engines() -> None:
    """Close every engine that `solve` and `asolve` keep open; the next call opens its own again."""

    async def close(cut: Cut) -> None:
        await ENGINES.close()

    if ENGINES.any_open:
        BACKGROUND.run(close)
