"""A recipe: a search as data. One schema, the same in TOML, on the command line and in Python.

    [algorithm]
    type = "particle-filter"
    n = 16
    [verifier]
    type = "arithmetic"

Seven tables: `engine`, `process`, `algorithm`, `verifier`, `answer`, `budget` and `tolerance`. All but the last two carry a `type`, the
tag of a settings class that the registry knows; the other keys are that class's settings. Only `algorithm` must be given, or `[[layers]]`,
which make a pipeline (`outthink.recipes.layers`): the engine is "local" and the process "text" unless said otherwise; verifier, answer and
limits are absent, and any survivor will do. `description` is for people and changes nothing.

Every error is a `RecipeError` that names the recipe, the place in it (`$.algorithm.n`), what was got, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import msgspec

from outthink.core.algorithm import Algorithm
from outthink.core.component import AnswerSettings, EngineSettings, ProcessSettings, VerifierSettings
from outthink.core.cost import Budget
from outthink.core.errors import RecipeError, SettingsError, explain, nearest
from outthink.core.settings import Settings
from outthink.core.tolerance import Tolerance
from outthink.recipes.decode import decode
from outthink.recipes.layers import LAYERS, PIPELINE, inner_recipes, joined, split
from outthink.recipes.registry import BASES, KINDS, Kind, find, registry

S = TypeVar("S", bound=Settings)

PLAIN: Mapping[str, type[Settings]] = {"budget": Budget, "tolerance": Tolerance}
"""Tables of one class each, without a `type`."""
TABLES: tuple[str, ...] = (*KINDS, *PLAIN)
DEFAULT: Mapping[str, Mapping[str, Any]] = {"engine": {"type": "local"}, "process": {"type": "text"}}
OPTIONAL: tuple[Kind, ...] = ("verifier", "answer")


@dataclass(frozen=True)
class Recipe:
    """A search as data; every part is frozen settings.

    Attributes:
        verifier, answer: None where the recipe has none.
        description: one line for people; no part of the digest.
    """

    algorithm: Algorithm[Any]
    engine: EngineSettings
    process: ProcessSettings
    verifier: VerifierSettings | None = None
    answer: AnswerSettings | None = None
    budget: Budget = field(default_factory=Budget)
    tolerance: Tolerance = field(default_factory=Tolerance)
    description: str = ""

    def __post_init__(self) -> None:
        for kind in KINDS:
            part = getattr(self, kind)
            if not isinstance(part, BASES[kind]) and not (part is None and kind in OPTIONAL):
                raise RecipeError(
                    explain(
                        f"The recipe's {kind} is not settings.",
                        got=part,
                        expected=f"{BASES[kind].__name__}",
                        remedy="Live objects go beside a recipe, not into it.",
                    )
                )

    def tables(self) -> dict[str, Any]:
        """The recipe in full, every default written out, as plain tables that `from_tables` reads."""
        written = {name: getattr(self, name) for name in TABLES}
        plain: dict[str, Any] = {
            name: msgspec.to_builtins(part, order="deterministic")
            for name, part in written.items()
            # Left out where nothing is asked of it, so that older digests stand.
            if part is not None and not (name == "tolerance" and part == Tolerance())
        }
        plain = split(plain)
        return {"description": self.description, **plain} if self.description else plain


def from_tables(tables: Mapping[str, Any], where: str) -> Recipe:
    """The recipe that these tables describe; `where` names it in messages. Raises `RecipeError`."""
    tables = joined(tables, where)
    for name in tables:
        if name not in TABLES and name != "description":
            raise RecipeError(
                explain(
                    f"{where} has an unknown table or key at `$.{name}`.",
                    got=name,
                    expected="one of " + ", ".join((*TABLES, LAYERS)),
                    remedy=nearest(name, (*TABLES, LAYERS)),
                )
            )
    if "algorithm" not in tables:
        raise RecipeError(
            explain(
                f"{where} says no method at `$.algorithm`.",
                got="no table [algorithm]",
                expected='[algorithm] with type = "...", or [[layers]]',
                remedy=f"Choose one of {', '.join(registry().tags('algorithm'))}.",
            )
        )
    description = tables.get("description", "")
    if not isinstance(description, str):
        raise RecipeError(
            explain(
                f"{where} has a description that is no text at `$.description`.",
                got=description,
                expected="a string",
                remedy="Put it in quotes.",
            )
        )
    parts = {kind: _part(kind, tables, where) for kind in KINDS}
    plain = {
        name: decode(_table(name, tables.get(name, {}), where), cls, f"$.{name}", where) for name, cls in PLAIN.items()
    }
    recipe = Recipe(description=description, **cast("dict[str, Any]", {**parts, **plain}))
    list(inner_recipes(recipe, where))  # those inside must be right as well
    return recipe


def settings_class(kind: Kind, table: Mapping[str, Any], where: str) -> type[Settings]:
    """The class that a table's `type` names. Raises `RecipeError`."""
    if "type" not in table:
        raise RecipeError(
            explain(
                f"{where} does not say which {kind} at `$.{kind}.type`.",
                got=dict(table),
                expected='type = "..."',
                remedy=f"Known: {', '.join(registry().tags(kind))}.",
            )
        )
    tag = table["type"]
    if kind == "algorithm" and tag == PIPELINE:
        from outthink.pipeline import Pipeline

        return Pipeline
    try:
        return find(kind, tag if isinstance(tag, str) else repr(tag))
    except SettingsError as error:
        raise RecipeError(f"{where} at `$.{kind}.type`: {error}") from None


def _part(kind: Kind, tables: Mapping[str, Any], where: str) -> Settings | None:
    given = tables.get(kind, DEFAULT.get(kind))
    if given is None:
        return None
    table = _table(kind, given, where)
    return decode(table, settings_class(kind, table, where), f"$.{kind}", where)


def _table(name: str, value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(
            explain(
                f"{where} has something that is no table at `$.{name}`.",
                got=value,
                expected=f"a table [{name}]",
                remedy=f'For a component by name write {name} = {{ type = "{value}" }}.',
            )
        )
    return value
