from __future__ import annotations

from typing import Any

import pytest

from outthink.core.component import Parts
from outthink.core.cost import Budget
from outthink.core.errors import RecipeError, SettingsError
from outthink.engines.scripted_table import Scripted
from outthink.recipes import Function, load, override, plan
from outthink.search import Beam, BestOfN, ParticleFilter, Vote
from outthink.verify import Arithmetic, Exact, Numeric


def test_nothing_said_is_the_default_method() -> None:
    assert plan().recipe == load("best-of-n")


def test_a_name_and_its_settings_start_from_the_same_preset() -> None:
    assert plan(method="vote", n=3).recipe == plan(method=Vote(n=3)).recipe == override(load("vote"), ["algorithm.n=3"])


def test_words_and_settings_mean_the_same() -> None:
    words = plan(method="vote", verifier="arithmetic", answer="numeric", model="scripted", budget="tokens=50,seconds=2")
    settings = plan(
        method=Vote(), verifier=Arithmetic(), answer=Numeric(), model=Scripted(), budget=Budget(tokens=50, seconds=2.0)
    )
    assert words == settings


def test_a_recipe_keeps_its_parts_when_only_the_method_changes() -> None:
    base = override(load("fast-math"), ["engine.type=scripted"])
    by_name = plan(recipe=base, method="vote").recipe
    assert (by_name.algorithm, by_name.verifier, by_name.budget) == (Vote(), base.verifier, base.budget)
    assert plan(recipe=base, method=Vote()).recipe == by_name
    assert plan(recipe="fast-math").recipe == load("fast-math")


def test_objects_stand_beside_the_recipe() -> None:
    engine = Scripted().open()
    function = Function(generate=lambda prompt: "x")
    made = plan(method="vote", model=engine, process=function, verifier=lambda text: 1.0, answer=Numeric())
    assert made.live.engine is engine
    assert made.live.process is function
    assert made.live.verifier is not None
    assert made.recipe.verifier is None
    verifier = Exact().build(Parts())
    assert plan(verifier=verifier).live.verifier is verifier


def test_a_verifier_can_be_taken_away() -> None:
    assert plan(verifier="none").recipe.verifier is None
    assert plan(method="vote", answer="none").recipe.answer is None


def test_changes_come_last() -> None:
    assert plan(method=ParticleFilter(n=4), changes=["algorithm.n=6"]).recipe.algorithm == ParticleFilter(n=6)
    assert plan(method="beam", n=4, changes=["algorithm.width=2"]).recipe.algorithm == Beam(n=4, width=2)


def test_the_size_holds_for_a_method_that_is_changed() -> None:
    assert plan(method="beam", n=4, changes=["algorithm.type=vote"]).recipe.algorithm == Vote(n=4)


def test_a_budget_replaces_the_recipes() -> None:
    assert plan(recipe="fast-math", budget="calls=3").recipe.budget == Budget(calls=3)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"method": "best-off-n"}, "Did you mean 'best-of-n'"),
        ({"method": BestOfN(n=3), "n": 0}, r"`\$.algorithm.n`"),
        ({"verifier": "arithmetics"}, "Did you mean 'arithmetic'"),
        ({"answer": "numerical"}, "Did you mean 'numeric'"),
        ({"model": "locl"}, "Did you mean 'local'"),
        ({"model": "scripted:big"}, "not named as an engine takes it"),
        ({"model": "local:"}, "not named as an engine takes it"),
        ({"process": "txt"}, "Did you mean 'text'"),
        ({"budget": "tokens=-1"}, "Budget.tokens"),
        ({"budget": "token=1"}, "NAME=NUMBER"),
        ({"budget": 5}, "budget cannot be that"),
        ({"verifier": 5}, "verifier cannot be that"),
        ({"verifier": Vote()}, "verifier cannot be that"),
        ({"answer": 5}, "answer cannot be that"),
        ({"process": 5}, "process cannot be that"),
        ({"process": Numeric()}, "process cannot be that"),
        ({"model": 5}, "engine cannot be that"),
        ({"changes": ["algorithm.m=1"]}, r"`\$.algorithm.m`"),
    ],
)
def test_a_mistake_is_named(how: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        plan(**how)


def test_errors_name_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"Recipe 'vote' with algorithm\.n=0"):
        plan(method="vote", n=0)
