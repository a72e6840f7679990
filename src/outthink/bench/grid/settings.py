"""A grid as data: tasks x recipes x sizes x seeds, with axes on which one thing is varied at a time.

    sizes = [4, 8, 16]
    seeds = 3
    cap = { tokens = 2_000_000 }
    [engine]
    type = "local"
    [[tasks]]
    type = "gsm8k"
    limit = 100
    [[recipes]]
    recipe = "vote"

The tables [engine], [process], [answer] and [verifier] stand for all recipes that are given by name; [verifier] only for those that have
one. A table of tasks or recipes with `not_run = "why"` stays in the grid and in every report, and costs nothing. If unsure: sizes of 4, 8
and 16 samples, 3 seeds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from outthink.core.cost import Budget
from outthink.core.errors import SettingsError, explain, repeated
from outthink.core.settings import Count, Positive, PositiveFloat, Settings

Text = Annotated[str, Meta(min_length=1)]


class GridRecipe(Settings):
    """One method of a grid.

    Attributes:
        recipe: a preset, a method, the path of a recipe, or a recipe's tables.
        name: as it stands in tables; "" for the recipe's own name.
        changes: "PATH=VALUE" texts on top, such as "process.sampling.temperature=0.6".
        sizes, seeds: its own, where the grid's do not fit it, such as [1] for greedy decoding.
        size_setting: the setting that the size goes to; "" for a method without a size.
        per_size: how many of that setting's units cost as much as one whole sample, such as 3 children of a search over three-line answers.
        not_run: why it is not run here; "" for a method that is.
    """

    recipe: str | dict[str, Any]
    name: str = ""
    changes: tuple[str, ...] = ()
    sizes: tuple[Positive, ...] | None = None
    seeds: tuple[Count, ...] | None = None
    size_setting: str = "algorithm.n"
    per_size: PositiveFloat = 1.0
    not_run: str = ""

    def check(self) -> None:
        if isinstance(self.recipe, dict) and not self.name:
            raise SettingsError(
                explain(
                    "A recipe that is written out needs a name.",
                    got="tables without a name",
                    expected='name = "..."',
                    remedy="Name it as it is to stand in the tables.",
                )
            )

    @property
    def called(self) -> str:
        """Its name in tables."""
        return self.name or str(self.recipe).rpartition("/")[2].removesuffix(".toml")


class Variant(Settings):
    """One value on an axis: its name and the changes that it means. `not_run`: why it is not run here."""

    name: Text
    changes: tuple[str, ...] = ()
    not_run: str = ""


class Axis(Settings):
    """Something that is varied by itself, all else as the grid has it.

    Attributes:
        name: of the axis, such as "temperature". variants: its values.
        recipes: the names of the methods that are varied; empty for all.
    """

    name: Text
    variants: Annotated[tuple[Variant, ...], Meta(min_length=1)]
    recipes: tuple[str, ...] = ()


class Grid(Settings):
    """Everything that one run of a benchmark is.

    Attributes:
        tasks: tables of task sources, each with its `type`. recipes: the methods. axes: what is varied, one thing at a time.
        sizes: budgets of one question, in samples. seeds: how many, or which.
        pool: samples in a stored pool; None for as many as the largest method that selects from it takes.
        engine, process, answer, verifier: tables for all recipes that are given by name.
        match: how methods that grow answers step by step are given a budget: by their own "size", or the "tokens" that so many samples of
            the question's pool cost, their judging included.
        cap: the most that the whole run may spend, whatever is interrupted and resumed.
        in_flight: units at once: pools being drawn, or searches.
        replies: whether the model's replies are kept as well, so that a unit that was cut goes on with what it had paid for: "auto" keeps
            those of engines outside this machine.
        style: whether questions are followed by how the answer has to be given ("said"), or recipes see to that themselves ("left-out").
        missing: whether a task whose data is not here, or that cannot be marked here, is an error ("refuse"), or is marked as not run
            ("leave-out").
        description: for people; changes nothing.
    """

    tasks: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]
    recipes: Annotated[tuple[GridRecipe, ...], Meta(min_length=1)]
    sizes: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (4, 8, 16)
    seeds: Positive | Annotated[tuple[Count, ...], Meta(min_length=1)] = 1
    axes: tuple[Axis, ...] = ()
    pool: Positive | None = None
    engine: dict[str, Any] | None = None
    process: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    verifier: dict[str, Any] | None = None
    match: Literal["size", "tokens"] = "size"
    cap: Budget = Budget()
    in_flight: Positive = 8
    replies: Literal["auto", "kept", "dropped"] = "auto"
    style: Literal["said", "left-out"] = "said"
    missing: Literal["refuse", "leave-out"] = "refuse"
    description: str = ""

    def check(self) -> None:
        names = [recipe.called for recipe in self.recipes]
        if twice := repeated(names):
            raise SettingsError(
                explain(
                    "Two recipes of the grid have one name.",
                    got=", ".join(twice),
                    expected="each name once",
                    remedy='Give one of them another name = "...".',
                )
            )
        unknown = sorted({name for axis in self.axes for name in axis.recipes} - set(names))
        if unknown:
            raise SettingsError(
                explain(
                    "An axis names a recipe that the grid does not have.",
                    got=", ".join(unknown),
                    expected="among " + ", ".join(names),
                    remedy="Correct the name, or leave `recipes` out for all.",
                )
            )

        for name in ("tasks", "recipes", "engine", "process", "answer", "verifier"):
            if unsaid := _nothing_in(getattr(self, name), name):
                raise SettingsError(
                    explain(
                        "A table of the grid sets something to nothing.",
                        got=f"{unsaid} = None",
                        expected="values that TOML can hold, for a run's folder keeps them",
                        remedy="Leave it out.",
                    )
                )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds, written out."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def _nothing_in(value: Any, place: str) -> str:
    """The place of the first None inside of tables, "" where there is none."""
    match value:
        case GridRecipe():
            return _nothing_in(value.recipe, f"{place}.recipe")
        case dict():
            inside = [(f"{place}.{name}", one) for name, one in value.items()]
        case list() | tuple():
            inside = [(f"{place}[{i}]", one) for i, one in enumerate(value)]
        case _:
            return ""
    return next(
        (at if one is None else found for at, one in inside if one is None or (found := _nothing_in(one, at))), ""
    )
