from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.recipes import digest, load, override

BASE = '[algorithm]\ntype = "particle-filter"\nn = 4\n[budget]\ntokens = 100\nseconds = 2'


def test_the_same_recipe_has_one_digest_however_it_is_written() -> None:
    other = (
        'description = "the same"\nbudget = { seconds = 2.0, tokens = 100 }\nengine = { type = "local" }\n'
        '[algorithm]\nevery = 1\ntwist = { strength = 1, type = "difference" }\nn = 4\ntype = "particle-filter"'
    )
    assert digest(load(BASE)) == digest(load(other))


def test_the_digest_is_stable_between_versions() -> None:
    """Stored runs name recipes by digest. When this fails because a default or a setting changed, that is a change for users: say so
    in the changelog and write the new digest here."""
    recipe = load({"algorithm": {"type": "vote"}, "engine": {"type": "scripted"}})
    plain = {"algorithm", "answer", "budget", "description", "engine", "process", "tolerance", "verifier"}
    assert {field.name for field in dataclasses.fields(recipe)} == plain
    assert "tolerance" not in recipe.tables(), "it is no part of a digest while nothing is asked of it"
    assert len(digest(recipe)) == 32
    assert int(digest(recipe), 16) > 0


@pytest.mark.parametrize(
    "change",
    [
        "algorithm.n=5",
        "algorithm.twist.strength=1.5",
        "algorithm.twist.type=running-max",
        "algorithm.type=vote",
        "budget.tokens=101",
        "verifier.type=exact",
        "answer.type=numeric",
        "engine.type=scripted",
    ],
)
def test_another_setting_is_another_digest(change: str) -> None:
    assert digest(override(load(BASE), [change])) != digest(load(BASE))


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_key_order_does_not_matter(random: object) -> None:
    def shuffled(table: object) -> object:
        if not isinstance(table, dict):
            return table
        items = list(table.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return {key: shuffled(value) for key, value in items}

    tables = load(BASE).tables()
    again = shuffled(msgspec.to_builtins(tables))
    assert isinstance(again, dict)
    assert digest(load(again)) == digest(load(BASE))
