"""What to tune, as a file: a recipe to begin from, what of it may change, on which tasks, for how much.

    recipe = "laboratory"
    tokens = 400_000                       # all measurements together
    at_most = "default"                    # an answer may cost no more than the default recipe's
    questions = 60                         # to tune on
    held_out = 100                         # to judge on, never tuned on
    [[tasks]]
    type = "laboratory"
    kind = "countdown"
    [space."algorithm.n"]
    type = "whole"
    low = 2
    high = 32
    log = true

Everything else of a recipe stays as it is. If unsure: ten questions a chunk, and `at_most = "default"`: a better recipe for the same money.
"""

from __future__ import annotations

import hashlib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from outthink.core.errors import RecipeError, explain
from outthink.core.settings import Count, Positive, PositiveFloat, Settings
from outthink.recipes.decode import decode
from outthink.recipes.load import load
from outthink.recipes.override import override
from outthink.recipes.recipe import Recipe
from outthink.tune.space import Config, Dimension, Space


class Problem(Settings, kw_only=True):
    """A tuning problem.

    Attributes:
        recipe: a preset, a method, or the path of a recipe: the default, and what changes are applied to.
        changes: "PATH=VALUE" texts that hold for all, the default too.
        space: what may change, by the dotted name of a setting.
        tasks: as in a benchmark's grid.
        questions, held_out: how many to tune on, and how many after them to judge on.
        tokens: the most that all measurements may cost together; judging is not part of it.
        at_most: tokens that an answer of the chosen recipe may cost; "default" for what the default's answers cost; None for no bound.
        candidates: configurations to choose among: all of a small space, else so many drawn from it.
        chunk, initial: see `Tuning`. seed: of everything random.
        in_flight: questions answered at the same time.
    """

    recipe: str
    changes: tuple[str, ...] = ()
    space: Annotated[dict[str, Dimension], Meta(min_length=1)]
    tasks: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]
    questions: Annotated[int, Meta(ge=2)] = 60
    held_out: Count = 100
    tokens: PositiveFloat
    at_most: PositiveFloat | Literal["default"] | None = "default"
    candidates: Annotated[int, Meta(ge=2)] = 300
    chunk: Positive = 10
    initial: Positive = 5
    seed: Count = 1
    in_flight: Positive = 8

    @property
    def over(self) -> Space:
        """The space. Raises `SettingsError` for one that cannot be."""
        return Space(self.space)

    def default(self) -> Recipe:
        """The recipe that all others are measured against."""
        return override(load(self.recipe), self.changes)

    def with_config(self, config: Config) -> Recipe:
        """The recipe of a configuration. Raises `RecipeError` for values that no recipe takes."""
        return override(self.default(), list(config.items()))

    @property
    def digest(self) -> str:
        """What a journal of measurements belongs to: all that changes what they mean, not how many there are."""
        fields = {name: value for name, value in msgspec.to_builtins(self).items() if name not in FREE}
        return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()[:32]


FREE = ("tokens", "in_flight", "held_out")
"""Settings that may change between a run and its continuation."""


def presets() -> tuple[str, ...]:
    """The names of the problems that come with the package, sorted."""
    folder = resources.files("outthink.tune") / "presets"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def read_problem(source: str | Path) -> Problem:
    """The problem of a TOML file, or of one that comes with the package. Raises `RecipeError` that names the place."""
    where = f"Tuning problem {str(source)!r}"
    try:
        if str(source) in presets():
            text = (resources.files("outthink.tune") / "presets" / f"{source}.toml").read_text(encoding="utf-8")
        else:
            text = Path(source).read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(
            explain(
                f"{where} cannot be read: {error}.",
                got=str(source),
                expected=f"a TOML file, or one of {', '.join(presets())}",
                remedy="Correct the file or its path.",
            )
        ) from None
    return decode(tables, Problem, "", where)
