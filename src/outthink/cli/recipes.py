"""`outthink recipes`: which recipes and components there are, what they can be set to, and whether a recipe is right."""

from __future__ import annotations

import json
import sys

import click

from outthink.cli.lazy import Group
from outthink.core.errors import OutthinkError


@click.group(
    cls=Group,
    members={
        "list": "outthink.cli.recipes:list_",
        "show": "outthink.cli.recipes:show",
        "check": "outthink.cli.recipes:check",
        "schema": "outthink.cli.recipes:schema",
        "from-archon": "outthink.cli.recipes:from_archon",
    },
)
def recipes() -> None:
    """List, show and check recipes."""


@click.command("list")
@click.argument("kind", required=False)
def list_(kind: str | None) -> None:
    """Presets, and the components of every kind; KIND is one of preset, engine, process, algorithm, verifier and answer.

    Plug-ins that cannot be used are named on standard error; the exit status is then 1.
    """
    from outthink.core.errors import InputError, explain, nearest
    from outthink.recipes.describe import summary
    from outthink.recipes.load import load, presets
    from outthink.recipes.registry import KINDS, registry

    kinds = ("preset", *KINDS)
    if kind is not None and kind not in kinds:
        raise InputError(
            explain(
                "There is no such kind.", got=kind, expected="one of " + ", ".join(kinds), remedy=nearest(kind, kinds)
            )
        )
    known = registry()
    if kind in (None, "preset"):
        _table("preset", {name: load(name).description for name in presets()})
    problems = known.problems()
    for one in KINDS:
        if kind in (None, one):
            usable = [tag for tag in known.tags(one) if (one, tag) not in problems]
            _table(one, {tag: summary(known.find(one, tag)) for tag in usable})
    for problem in problems.values():
        click.echo(f"outthink: {problem}", err=True)
    sys.exit(1 if problems else 0)


@click.command()
@click.argument("name")
@click.option("--set", "changes", metavar="PATH=VALUE", multiple=True, help="Change a setting first.")
@click.option("--json", "as_json", is_flag=True, help="Print the recipe and its digest as JSON.")
def show(name: str, changes: tuple[str, ...], as_json: bool) -> None:
    """A recipe in full: every setting with its value, type and documentation. NAME is a preset, a method or a path.

    With KIND.TAG, such as verifier.exact, the settings of that component.
    """
    from outthink.recipes.digest import digest
    from outthink.recipes.load import load
    from outthink.recipes.override import override
    from outthink.recipes.registry import KINDS, find
    from outthink.recipes.show import settings_table, to_toml

    kind, _, tag = name.partition(".")
    for known in KINDS:
        if kind == known and tag:
            click.echo(settings_table(find(known, tag)))
            return
    recipe = override(load(name), changes, where=f"Recipe {name!r}")
    if as_json:
        click.echo(json.dumps({"digest": digest(recipe), "recipe": recipe.tables()}, ensure_ascii=False))
        return
    click.echo(f"# digest {digest(recipe)}")
    click.echo(to_toml(recipe), nl=False)


@click.command()
@click.argument("names", nargs=-1, required=True)
def check(names: tuple[str, ...]) -> None:
    """Whether recipes are right; NAMES are paths, presets or methods. Every one is checked; the exit status is 1 if any is wrong."""
    from outthink.recipes.digest import digest
    from outthink.recipes.load import load

    wrong = 0
    for name in names:
        try:
            recipe = load(name)
        except OutthinkError as error:
            wrong += 1
            click.echo(f"outthink: {error}", err=True)
        else:
            click.echo(f"{name}: right, {recipe.algorithm.name()}, digest {digest(recipe)}")
    sys.exit(1 if wrong else 0)


@click.command()
def schema() -> None:
    """The JSON Schema of recipes, for editors and other programs."""
    from outthink.recipes.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@click.command("from-archon")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--map", "models", metavar="NAME=ENGINE[:MODEL]", multiple=True, help="What stands in for a model; * is any other."
)
def from_archon(file: str, models: tuple[str, ...]) -> None:
    """FILE, a configuration of Archon, as a recipe: TOML on standard output, and on standard error what was read otherwise, and why.

    For example `outthink recipes from-archon config.json --map gpt-4o=openai:NAME --map '*=local' > pipeline.toml`.
    """
    from pathlib import Path

    from outthink.recipes.archon import from_archon as read
    from outthink.recipes.show import to_toml

    recipe, notes = read(Path(file), models)
    for note in notes:
        click.echo(f"outthink: {note}", err=True)
    click.echo(to_toml(recipe, comments=False, defaults=False), nl=False)


def _table(title: str, rows: dict[str, str]) -> None:
    click.echo(f"{title}:")
    width = max((len(name) for name in rows), default=0)
    for name, text in rows.items():
        click.echo(f"  {name.ljust(width)}  {text}".rstrip())
