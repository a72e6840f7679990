"""Spaces: what is in them, points of the unit cube and back, conditions, neighbours and grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import InputError, SettingsError
from outthink.tune.space import Choice, Real, Space, Whole, frozen

SPACE = Space(
    {
        "method": Choice(values=("vote", "best-of-n")),
        "n": Whole(low=2, high=64, log=True),
        "temperature": Real(low=0.2, high=1.5),
        "verifier": Choice(values=("a", "b", "c"), when={"method": ("best-of-n",)}),
    }
)


@given(st.integers(0, 2**32))
def test_configurations_survive_the_way_to_a_point_and_back(seed: int) -> None:
    config = SPACE.sample(np.random.default_rng(seed))
    SPACE.check(config)
    point = SPACE.encode(config)
    assert point.shape == (SPACE.width,) == (7,)
    assert ((point >= 0.0) & (point <= 1.0)).all()
    back = SPACE.decode(point)
    assert {**back, "temperature": pytest.approx(config["temperature"])} == {
        **config,
        "temperature": pytest.approx(config["temperature"]),
    }


@given(st.integers(0, 2**32))
def test_neighbours_are_of_the_space_and_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = SPACE.sample(rng)
    moved = SPACE.neighbour(config, rng)
    SPACE.check(moved)
    changed = [name for name in config if name in moved and moved[name] != config[name]]
    assert len(changed) <= 2


def test_a_setting_without_its_condition_is_left_out() -> None:
    votes = [SPACE.sample(np.random.default_rng(seed)) for seed in range(40)]
    assert all(("verifier" in config) == (config["method"] == "best-of-n") for config in votes)
    assert {config["method"] for config in votes} == {"vote", "best-of-n"}


def test_a_grid_names_every_configuration_once() -> None:
    found = list(SPACE.grid())
    assert len({frozen(config) for config in found}) == len(found)
    votes = [config for config in found if config["method"] == "vote"]
    assert len(found) == 4 * len(votes)
    assert sorted({config["n"] for config in votes})[::7] == [2, 64]


def test_whole_numbers_are_taken_evenly_in_their_logarithm() -> None:
    drawn = np.array([SPACE.sample(np.random.default_rng(seed))["n"] for seed in range(3000)], float)
    assert np.median(drawn) == pytest.approx(np.sqrt(2 * 64), rel=0.15)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"method": "vote", "n": 4, "temperature": 1.0, "verifier": "a"}, "verifier"),
        ({"method": "best-of-n", "n": 4, "temperature": 1.0}, "verifier"),
        ({"method": "vote", "n": 65, "temperature": 1.0}, "'n'"),
        ({"method": "vote", "n": 4, "temperature": 1.0, "other": 1}, "other"),
    ],
)
def test_configurations_of_another_space_are_refused(config: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        SPACE.check(config)  # type: ignore[arg-type]


def test_spaces_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match="nothing to tune"):
        Space({})
    with pytest.raises(SettingsError, match="never be read"):
        Space({"a": Real(low=0, high=1, when={"b": ("x",)}), "b": Choice(values=("x", "y"))})
    with pytest.raises(SettingsError, match="holds nothing"):
        Real(low=0, high=1, log=True)
    with pytest.raises(SettingsError, match="twice"):
        Choice(values=("x", "x"))
