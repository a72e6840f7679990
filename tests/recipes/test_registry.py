from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from outthink.core.component import EngineSettings
from outthink.core.errors import SettingsError
from outthink.recipes.registry import BASES, BUILT_IN, KINDS, Registry, components, find
from outthink.search import ParticleFilter, Vote


class Toy(EngineSettings):
    """An engine that only has a name."""

    def open(self) -> Any:
        raise NotImplementedError


@dataclass
class Point:
    """An entry point whose loading can fail."""

    name: str
    value: str = "somewhere:Something"
    loads: Any = None

    def load(self) -> Any:
        if isinstance(self.loads, Exception):
            raise self.loads
        return self.loads


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_is_what_its_tag_says(kind: Any) -> None:
    found = components(kind)
    assert set(found) >= set(BUILT_IN[kind])
    for tag, cls in found.items():
        assert issubclass(cls, BASES[kind])
        assert cls.name() == tag


def test_one_tag_finds_one_class() -> None:
    assert find("algorithm", "vote") is Vote
    assert find("algorithm", "particle-filter") is ParticleFilter


def test_an_unknown_tag_is_offered_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"'partical-filter'.*Did you mean 'particle-filter'"):
        find("algorithm", "partical-filter")


def test_a_plugin_is_found_beside_the_built_ins() -> None:
    registry = Registry.of([Point("engine.toy", loads=Toy)])
    assert registry.find("engine", "toy") is Toy
    assert {"toy", "local"} <= set(registry.tags("engine"))
    assert registry.problems() == {}


def test_a_plugin_is_only_loaded_when_it_is_asked_for() -> None:
    registry = Registry.of([Point("engine.toy", loads=ImportError("no such library"))])
    assert registry.find("algorithm", "vote") is Vote


def test_a_plugin_that_does_not_load_is_named() -> None:
    registry = Registry.of([Point("engine.toy", "their_package:Toy", ImportError("no module named turbo"))])
    for ask in (lambda: registry.find("engine", "toy"), lambda: registry.components("engine")):
        with pytest.raises(SettingsError, match=r"'engine.toy'.*no module named turbo.*their_package:Toy"):
            ask()
    assert list(registry.problems()) == [("engine", "toy")]


@pytest.mark.parametrize(
    "points",
    [
        [Point("algorithm.vote", "their_package:Vote", Vote)],
        [Point("engine.toy", "one:Toy", Toy), Point("engine.toy", "two:Toy", Toy)],
    ],
)
def test_a_clash_names_both_sides(points: list[Point]) -> None:
    registry = Registry.of(points)
    kind, _, tag = points[0].name.partition(".")
    with pytest.raises(SettingsError, match="Two components are called") as caught:
        registry.find(kind, tag)  # type: ignore[arg-type]
    assert all(point.value in str(caught.value) for point in points)
    with pytest.raises(SettingsError):
        registry.components(kind)  # type: ignore[arg-type]
    other = "vote" if kind == "engine" else "local"
    assert registry.tags("algorithm" if kind == "engine" else "engine").count(other) == 1


@pytest.mark.parametrize("name", ["toy", "motor.toy", "engine."])
def test_a_name_without_a_kind_is_refused(name: str) -> None:
    registry = Registry.of([Point(name, loads=Toy)])
    assert "says no kind" in next(iter(registry.problems().values()))
    with pytest.raises(SettingsError, match="says no kind"):
        registry.components("engine")


@pytest.mark.parametrize("loads", [Vote, object(), Toy])
def test_a_plugin_must_be_what_its_name_says(loads: Any) -> None:
    registry = Registry.of([Point("engine.other", loads=loads)])
    with pytest.raises(SettingsError, match="is not what its name says"):
        registry.find("engine", "other")
