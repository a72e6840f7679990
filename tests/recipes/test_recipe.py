"""Recipes as data: what is read, and what each mistake is answered with."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core.cost import Budget
from outthink.core.errors import RecipeError
from outthink.recipes import from_tables, load, to_toml
from outthink.recipes.recipe import Recipe
from outthink.search import BestOfN, Difference, ParticleFilter, RunningMax, Vote


def test_only_the_method_must_be_given() -> None:
    recipe = load({"algorithm": {"type": "vote"}})
    assert recipe.algorithm == Vote()
    assert recipe.engine.name() == "local"
    assert recipe.process.name() == "text"
    assert (recipe.verifier, recipe.answer, recipe.budget) == (None, None, Budget())


def test_nested_choices_are_decoded_into_their_classes() -> None:
    recipe = load('[algorithm]\ntype = "particle-filter"\nn = 3\ntwist = { type = "running-max", strength = 2 }')
    assert recipe.algorithm == ParticleFilter(n=3, twist=RunningMax(strength=2.0))


MISTAKES: dict[str, tuple[str, list[str]]] = {
    "a value out of range": ('[algorithm]\ntype = "best-of-n"\nn = 0', ["`$.algorithm.n`", "Got 0", "`int` >= 1"]),
    "a value of another type": ('[algorithm]\ntype = "vote"\nn = "8"', ["`$.algorithm.n`", "Got '8'", "`int`"]),
    "a misspelt setting": (
        '[algorithm]\ntype = "particle-filter"\ness_treshold = 0.5',
        ["`$.algorithm.ess_treshold`", "Did you mean 'ess_threshold'"],
    ),
    "a misspelt nested setting": (
        '[algorithm]\ntype = "particle-filter"\ntwist = { type = "difference", strenght = 2 }',
        ["`$.algorithm.twist.strenght`", "Did you mean 'strength'"],
    ),
    "an unknown nested type": (
        '[algorithm]\ntype = "particle-filter"\ntwist = { type = "diference" }',
        ["`$.algorithm.twist.type`", "Got 'diference'", "Did you mean 'difference'"],
    ),
    "a nested table without a type": (
        '[algorithm]\ntype = "particle-filter"\ntwist = { strength = 2 }',
        ["`$.algorithm.twist.type`", "'running-max'", "no default"],
    ),
    "a bad nested value": (
        '[algorithm]\ntype = "particle-filter"\ntwist = { type = "difference", strength = -1 }',
        ["`$.algorithm.twist.strength`", "Got -1", "> 0"],
    ),
    "an unknown method": ('[algorithm]\ntype = "best-off-n"', ["`$.algorithm.type`", "Did you mean 'best-of-n'"]),
    "a type that is no text": ("[algorithm]\ntype = 3", ["`$.algorithm.type`", "one of"]),
    "no type": ("[algorithm]\nn = 3", ["`$.algorithm.type`", "Known: adaptive, beam, best-"]),
    "no method": ('[engine]\ntype = "local"', ["`$.algorithm`", "Choose one of adaptive, beam"]),
    "an unknown table": ('[algoritm]\ntype = "vote"', ["`$.algoritm`", "Did you mean 'algorithm'"]),
    "something that is no table": ('algorithm = "vote"', ["`$.algorithm`", 'algorithm = { type = "vote" }']),
    "a negative budget": ('[budget]\ntokens = -5\n[algorithm]\ntype = "vote"', ["`$.budget.tokens`", "Got -5", ">= 1"]),
    "an unknown limit": (
        '[budget]\ntoken = 5\n[algorithm]\ntype = "vote"',
        ["`$.budget.token`", "Did you mean 'tokens'"],
    ),
    "a rule between settings": (
        '[algorithm]\ntype = "beam"\nn = 7\nwidth = 4',
        ["`$.algorithm`", "divisible", "n = 7, width = 4", "Try n = 4"],
    ),
    "a description that is no text": ('description = 3\n[algorithm]\ntype = "vote"', ["`$.description`", "Got 3"]),
    "no TOML": ("[algorithm\ntype = 3", ["is not TOML", "line 1"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(mistake: str) -> None:
    text, said = MISTAKES[mistake]
    with pytest.raises(RecipeError) as caught:
        load(text)
    for piece in said:
        assert piece in str(caught.value), f"{mistake}: {caught.value}"


def test_a_mistake_names_the_file(tmp_path: Any) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[algorithm]\ntype = "vote"\nn = -1')
    with pytest.raises(RecipeError, match=r"mine\.toml.*\$\.algorithm\.n"):
        load(path)


def test_live_objects_are_no_settings() -> None:
    recipe = load({"algorithm": {"type": "vote"}})
    with pytest.raises(RecipeError, match="The recipe's process is not settings"):
        Recipe(algorithm=Vote(), engine=recipe.engine, process=len)  # type: ignore[arg-type]


def test_tables_are_complete_and_read_back() -> None:
    recipe = load('[algorithm]\ntype = "particle-filter"\n[budget]\ntokens = 100')
    tables = recipe.tables()
    assert tables["algorithm"]["twist"] == {"type": "difference", "strength": 1.0}
    assert from_tables(tables, "again") == recipe


@pytest.mark.parametrize("defaults", [True, False])
@pytest.mark.parametrize("comments", [True, False])
def test_toml_reads_back_as_an_equal_recipe(comments: bool, defaults: bool) -> None:
    recipe = load(
        'description = "a \\"quoted\\" café \\u007f"\n[algorithm]\ntype = "particle-filter"\n'
        'twist = { type = "running-sum" }\n[budget]\nseconds = 2.5\n[verifier]\ntype = "exact"'
    )
    text = to_toml(recipe, comments=comments, defaults=defaults)
    assert load(text) == recipe
    assert ("ess_threshold = 0.5" in text) is defaults
    assert ("# n: int >= 1." in text) is (comments and defaults)


def test_toml_says_what_each_setting_is_for() -> None:
    text = to_toml(load({"algorithm": {"type": "best-of-n"}}))
    assert "# n: int >= 1. members." in text
    assert 'select: "argmax" | "weighted".' in text
    assert isinstance(load(text).algorithm, BestOfN)


def test_a_default_that_is_written_out_changes_nothing() -> None:
    short = load({"algorithm": {"type": "particle-filter"}})
    long = load({"algorithm": {"type": "particle-filter", "n": 8, "twist": {"type": "difference", "strength": 1}}})
    assert short == long
    assert isinstance(long.algorithm, ParticleFilter)
    assert long.algorithm.twist == Difference(strength=1.0)
