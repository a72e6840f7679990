"""The Python door: `solve` for scripts and notebooks, `asolve` for code that is asynchronous already.

    result = outthink.solve("What is 17 + 25?", method="vote", budget=outthink.Budget(tokens=2000))
    result.answer, result.cost, result.stop

Both build a recipe from what they are given and solve it; a list of tasks gives a list of results. The same words mean the same on the
command line and in a TOML file. An engine stays open for the next call; `close_engines` frees it earlier. With `store` a run is kept as the
command line keeps it, and `resume` takes it up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import Failure, InputError, explain
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.core.task import Task
from outthink.recipes.background import BACKGROUND
from outthink.recipes.engines import Engines
from outthink.recipes.plan import AnswerLike, MethodLike, ModelLike, ProcessLike, VerifierLike, plan
from outthink.recipes.recipe import Recipe
from outthink.recipes.solving import allocator, as_task, solve_task, solve_tasks

if TYPE_CHECKING:
    from outthink.recipes.at_hand import StoreLike

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
    seed: int | None
    sinks: Sequence[Sink]
    allocate: str
    store: StoreLike


@overload
async def asolve(prompt: One, *, cut: Cut | None = None, **how: Unpack[How]) -> Result: ...
@overload
async def asolve(prompt: Many, *, cut: Cut | None = None, **how: Unpack[How]) -> list[Result | Failure]: ...
@overload
async def asolve(prompt: None = None, *, resume: str, cut: Cut | None = None, **how: Unpack[How]) -> Result: ...
async def asolve(
    prompt: One | Many | None = None,
    *,
    method: MethodLike | None = None,
    verifier: VerifierLike | None = None,
    answer: AnswerLike | None = None,
    process: ProcessLike | None = None,
    model: ModelLike | None = None,
    budget: Budget | str | None = None,
    recipe: str | Path | Recipe | None = None,
    changes: Sequence[str] = (),
    seed: int | None = None,
    sinks: Sequence[Sink] = (),
    allocate: str = "even",
    store: StoreLike = None,
    resume: str | None = None,
    cut: Cut | None = None,
) -> Result | list[Result | Failure]:
    """What `solve` does, as a coroutine on the caller's loop. `cut` is the caller's own way to end it early."""
    limits = Budget.parse(budget) if isinstance(budget, str) else budget
    search = (recipe, method, model, process, verifier, answer, *changes)
    made = None
    if resume is None or any(part is not None for part in search):
        made = plan(
            recipe=recipe,
            method=method,
            model=model,
            process=process,
            verifier=verifier,
            answer=answer,
            budget=limits,
            changes=changes,
        )
    if made is None or resume is not None:
        from outthink.recipes.at_hand import resume_from

        return await resume_from(store, resume or "", made, prompt, limits, seed, sinks, cut, ENGINES)
    if prompt is None:
        raise InputError(
            explain(
                "Nothing is asked.", got=None, expected="a question", remedy="Give one, or resume=RUN with a store."
            )
        )
    how: Any = {"seed": seed or 0, "sinks": sinks, "cut": cut, "engines": ENGINES}
    tasks = as_task(prompt) if isinstance(prompt, (str, Task)) else [as_task(one) for one in prompt]
    if not isinstance(tasks, Task):
        how["allocator"] = allocator(allocate)
    elif allocate != "even":
        raise InputError(
            explain(
                "One budget can only be shared among several tasks.",
                got=f"one task, allocate = {allocate!r}",
                expected="a list of tasks",
                remedy="Leave out allocate.",
            )
        )
    if store is None:
        return await (solve_task(made, tasks, **how) if isinstance(tasks, Task) else solve_tasks(made, tasks, **how))
    # Storing takes a database library, which is not imported where nothing is stored.
    from outthink.recipes.at_hand import at_hand
    from outthink.recipes.stored import solve_and_store, solve_and_store_many

    async with at_hand(store) as place:
        if isinstance(tasks, Task):
            return await solve_and_store(made, tasks, place, **how)
        return await solve_and_store_many(made, tasks, place, **how)


@overload
def solve(prompt: One, **how: Unpack[How]) -> Result: ...
@overload
def solve(prompt: Many, **how: Unpack[How]) -> list[Result | Failure]: ...
@overload
def solve(prompt: None = None, *, resume: str, **how: Unpack[How]) -> Result: ...
def solve(prompt: One | Many | None = None, **how: Any) -> Result | list[Result | Failure]:
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
        seed: the same seed gives the same search. None: 0, or the seed of the run that is resumed.
        sinks: functions that are given every event as it happens.
        allocate: how a list of tasks shares the budget: "even", or "marginal" by what a further step is predicted to bring.
        store: where to store the run, as the command line does: a path, a URL, an open `Store`, or "default" for the command line's own.
            `Result.run` is then the run's name. None: it is not stored.
        resume: take up this run of the store, or "last": one that was killed, interrupted, or stopped by its budget. Its task, its recipe
            and its seed are the stored ones, so no prompt is given; `budget` sets new limits. A run with parts that are objects, such as
            a function that judges, is resumed with the same words that began it.
    Returns: the result; for a list, in its order, a `Failure` in place of a task that could not be worked on.
    Raises `SettingsError`, `InputError`, `Incompatible`, `StoreError` before anything is spent; `AllFailed` when every member failed.
    """

    async def work(cut: Cut) -> Result | list[Result | Failure]:
        done: Result | list[Result | Failure] = await asolve(prompt, cut=cut, **how)
        return done

    return BACKGROUND.run(work)


def close_engines() -> None:
    """Close every engine that `solve` and `asolve` keep open; the next call opens its own again."""

    async def close(cut: Cut) -> None:
        await ENGINES.close()

    if ENGINES.any_open:
        BACKGROUND.run(close)
