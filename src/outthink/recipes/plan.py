"""What is to be done, put together from what people write: a method here, a verifier there, changes on top of a preset.

`plan` is the one place where the Python call and the command line become a recipe, so both mean the same by the same words. Each part may
be a name (its tag), settings, or an object that exists already; objects go into `Live`, all else into the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from outthink.core.algorithm import Algorithm
from outthink.core.component import AnswerSettings, EngineSettings, ProcessSettings, VerifierSettings
from outthink.core.cost import Budget
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Tagged
from outthink.core.solver import ProcessFor
from outthink.core.verifier import Equivalence, Verifier
from outthink.engines.engine import Engine
from outthink.engines.local import models
from outthink.recipes.build import Live
from outthink.recipes.decode import fields_of
from outthink.recipes.function import Function
from outthink.recipes.load import load, presets
from outthink.recipes.override import override
from outthink.recipes.recipe import OPTIONAL, Recipe, from_tables
from outthink.recipes.registry import BASES, Kind, find, registry

DEFAULT_METHOD = "best-of-n"
"""The recipe where neither a recipe nor a method is said."""

MODEL_SETTINGS = ("model", "path")
"""The engine setting that the part after the colon in "ENGINE:MODEL" goes to: the first of these that the engine has."""

MethodLike = str | Path | Algorithm[Any]
VerifierLike = str | VerifierSettings | Verifier | Callable[..., Any]
AnswerLike = str | AnswerSettings | Equivalence
ProcessLike = str | ProcessSettings | Function | ProcessFor
ModelLike = str | EngineSettings | Engine


@dataclass(frozen=True)
class Plan:
    """A recipe and the parts that exist already."""

    recipe: Recipe
    live: Live = field(default_factory=Live)


def plan(
    *,
    recipe: str | Path | Recipe | None = None,
    method: MethodLike | None = None,
    model: ModelLike | None = None,
    process: ProcessLike | None = None,
    verifier: VerifierLike | None = None,
    answer: AnswerLike | None = None,
    budget: Budget | str | None = None,
    n: int | None = None,
    changes: Sequence[str] = (),
) -> Plan:
    """One plan from all that was said; None leaves a part as the recipe has it.

    Args:
        recipe: where to start; without one, the preset of `method`.
        method: a tag, a preset, the path of a recipe, or an algorithm's settings. With a recipe it replaces the algorithm alone.
        model: "local", "ENGINE:MODEL", engine settings, or an open engine.
        process: a tag, settings, a `Function`, or a function from a task to a process.
        verifier: a tag, "none", settings, a verifier, or any function from an answer to a number.
        answer: a tag, "none", settings, or an equivalence.
        budget: limits, or text such as "tokens=4000,seconds=30"; replaces the recipe's as a whole.
        n: the method's own size.
        changes: "PATH=VALUE" texts, applied after all else but `n`.
    Raises `SettingsError` (`RecipeError` for what a recipe says).
    """
    base = _base(recipe, method)
    if isinstance(method, Algorithm):
        base = replace(base, algorithm=method)
    live = Live()
    flags: list[tuple[str, Any]] = []
    if recipe is not None and isinstance(method, (str, Path)):
        flags.append(("algorithm.type", str(method)))
    if isinstance(model, str):
        flags += _model_changes(model)
    elif isinstance(model, Engine):
        live = replace(live, engine=model)
    elif model is not None:
        base = replace(base, engine=_settings("engine", model))
    base, live, more = _process(base, live, process)
    flags += more
    base, live, more = _verifier(base, live, verifier)
    flags += more
    base, live, more = _answer(base, live, answer)
    flags += more
    if budget is not None:
        base = replace(base, budget=Budget.parse(budget) if isinstance(budget, str) else _budget(budget))
    # Last, so that a method that is changed as well keeps the size asked for.
    last: list[str | tuple[str, Any]] = [*changes]
    if n is not None:
        last.append(("algorithm.n", n))
    where = "The recipe" if recipe is None and method is None else f"Recipe {_called(recipe or method)!r}"
    # Together, so that a part chosen by name may get the settings that it cannot do without.
    return Plan(override(base, [*flags, *last], where=where), live)


def _base(recipe: str | Path | Recipe | None, method: MethodLike | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if recipe is not None:
        return load(recipe)
    if isinstance(method, Algorithm):
        name = method.name()
        return load(name) if name in presets() else from_tables({"algorithm": {"type": DEFAULT_METHOD}}, "The default")
    return load(DEFAULT_METHOD if method is None else method)


def _process(base: Recipe, live: Live, given: Any) -> tuple[Recipe, Live, list[tuple[str, Any]]]:
    if given is None or isinstance(given, str):
        return base, live, [] if given is None else [("process.type", given)]
    if isinstance(given, ProcessSettings):
        return replace(base, process=given), live, []
    if isinstance(given, Function) or (callable(given) and not isinstance(given, Tagged)):
        return base, replace(live, process=given), []
    raise _refuse("process", given, "a tag, ProcessSettings, a Function, or a function from a task to a process")


def _verifier(base: Recipe, live: Live, given: Any) -> tuple[Recipe, Live, list[tuple[str, Any]]]:
    if given is None or isinstance(given, str):
        return base, live, [] if given is None else [("verifier.type", given)]
    if isinstance(given, VerifierSettings):
        return replace(base, verifier=given), live, []
    if isinstance(given, Verifier):
        return replace(base, verifier=None), replace(live, verifier=given), []
    if callable(given) and not isinstance(given, Tagged):
        from outthink.verify import as_verifier

        return replace(base, verifier=None), replace(live, verifier=as_verifier(given)), []
    raise _refuse("verifier", given, "a tag, VerifierSettings, a Verifier, or a function from an answer to a number")


def _answer(base: Recipe, live: Live, given: Any) -> tuple[Recipe, Live, list[tuple[str, Any]]]:
    if given is None or isinstance(given, str):
        return base, live, [] if given is None else [("answer.type", given)]
    if isinstance(given, AnswerSettings):
        return replace(base, answer=given), live, []
    if isinstance(given, Equivalence):
        return base, replace(live, equivalence=given), []
    raise _refuse("answer", given, "a tag, AnswerSettings, or an Equivalence")


def _model_changes(model: str) -> list[tuple[str, Any]]:
    engine, separator, name = model.partition(":")
    if not separator and engine not in registry().tags("engine") and any(model == known.name for known in models.KNOWN):
        engine, separator, name = "local", ":", model
    changes: list[tuple[str, Any]] = [("engine.type", engine)]
    if separator:
        settings = fields_of(find("engine", engine))
        place = next((setting for setting in MODEL_SETTINGS if setting in settings), None)
        if place is None or not name:
            raise SettingsError(
                explain(
                    "The model is not named as an engine takes it.",
                    got=model,
                    expected='"ENGINE", or "ENGINE:MODEL" where the engine has a model to choose',
                    remedy="For example local, or local:path/to/model.gguf.",
                )
            )
        changes.append((f"engine.{place}", name))
    return changes


def _settings(kind: Kind, given: Any) -> Any:
    if not isinstance(given, BASES[kind]):
        raise _refuse(kind, given, f"a tag, {BASES[kind].__name__}, or an open {kind}")
    return given


def _budget(given: Any) -> Budget:
    if not isinstance(given, Budget):
        raise _refuse("budget", given, 'Budget(tokens=4000), or text such as "tokens=4000,seconds=30"')
    return given


def _refuse(part: str, given: object, expected: str) -> SettingsError:
    optional = ' "none" takes it away.' if part in OPTIONAL else ""
    return SettingsError(
        explain(f"{part} cannot be that.", got=given, expected=expected, remedy=f"See help(outthink.solve).{optional}")
    )


def _called(source: object) -> str:
    if isinstance(source, Algorithm):
        return source.name()
    return source.algorithm.name() if isinstance(source, Recipe) else str(source)
