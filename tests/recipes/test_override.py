from __future__ import annotations

import pytest

from outthink.core.errors import RecipeError
from outthink.recipes import load, override
from outthink.search import Beam, ParticleFilter, RunningMax, Vote

FILTER = load({"algorithm": {"type": "particle-filter"}})


def test_no_changes_leave_the_recipe() -> None:
    assert override(FILTER, []) is FILTER


def test_values_are_read_as_their_setting_takes_them() -> None:
    changed = override(
        FILTER, ["algorithm.n=16", "algorithm.ess_threshold=1", "algorithm.choose=vote", 'algorithm.weight="raw"']
    )
    assert changed.algorithm == ParticleFilter(n=16, ess_threshold=1.0, choose="vote", weight="raw")


def test_text_that_looks_like_a_number_stays_text_where_text_is_wanted() -> None:
    recipe = override(load({"algorithm": {"type": "vote"}, "engine": {"type": "scripted"}}), ["engine.otherwise=42"])
    assert recipe.tables()["engine"]["otherwise"] == "42"


def test_inside_a_nested_choice() -> None:
    assert override(FILTER, ["algorithm.twist.strength=3"]).tables()["algorithm"]["twist"]["strength"] == 3.0
    changed = override(FILTER, ["algorithm.twist.type=running-max", "algorithm.twist.strength=3"])
    assert changed.algorithm == ParticleFilter(twist=RunningMax(strength=3.0))
    inline = override(FILTER, ['algorithm.twist={ type = "running-max", strength = 3 }'])
    assert inline == changed


def test_another_type_starts_the_table_afresh() -> None:
    beam = override(override(FILTER, ["algorithm.n=12"]), ["algorithm.type=beam"])
    assert beam.algorithm == Beam()
    assert override(beam, ["algorithm.type=beam", "algorithm.n=4"]).algorithm == Beam(n=4)


def test_the_same_type_again_keeps_the_settings() -> None:
    assert override(
        override(FILTER, ["algorithm.n=12"]), ["algorithm.type=particle-filter"]
    ).algorithm == ParticleFilter(n=12)


def test_optional_tables_come_and_go() -> None:
    judged = override(FILTER, ["verifier.type=exact"])
    assert judged.verifier is not None
    assert override(judged, ["verifier.type=none"]) == FILTER


def test_limits_can_be_set_one_by_one() -> None:
    assert override(FILTER, ["budget.tokens=50", "budget.seconds=1.5"]).budget.limits() == {
        "tokens": 50.0,
        "seconds": 1.5,
    }


def test_pairs_carry_plain_values() -> None:
    assert override(FILTER, [("algorithm.n", 3)]).algorithm == ParticleFilter(n=3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("algorithm.n=0", ["`$.algorithm.n`", "Got 0", "with algorithm.n=0"]),
        ("algorithm.n=many", ["`$.algorithm.n`", "Got 'many'"]),
        ("algorithm.m=3", ["`$.algorithm.m`", "one of"]),
        ("algoritm.n=3", ["Did you mean 'algorithm'"]),
        ("algorithm=vote", ["a setting inside a table", "algorithm.type"]),
        ("algorithm.n", ["PATH=VALUE"]),
        ("=3", ["PATH=VALUE"]),
        ("algorithm.type=vot", ["Did you mean 'vote'"]),
        ("algorithm.twist.type=running", ["`$.algorithm.twist.type`", "running-max"]),
        ("algorithm.n.x=3", ["has no settings of its own"]),
        ("engine.type=none", ["one of", "local"]),
        ("budget.tokens=-1", ["`$.budget.tokens`"]),
        ("verifier.n=3", ["`$.verifier.type`"]),
    ],
)
def test_a_mistake_is_named(change: str, said: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        override(FILTER, [change])
    for piece in said:
        assert piece in str(caught.value), str(caught.value)


def test_the_recipe_given_stays_as_it_was() -> None:
    before = FILTER.tables()
    override(FILTER, ["algorithm.type=vote", "budget.tokens=3"])
    assert FILTER.tables() == before
    assert override(FILTER, ["algorithm.type=vote"]).algorithm == Vote()
