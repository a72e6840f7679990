from __future__ import annotations

import tomllib
from typing import Annotated, Any

import pytest
from msgspec import Meta

from outthink.core.settings import Positive, Settings
from outthink.recipes import components
from outthink.recipes.describe import REQUIRED, describe, plain, summary, type_name
from outthink.recipes.registry import KINDS
from outthink.recipes.show import settings_table
from outthink.search import ParticleFilter, Vote


class Documented(Settings):
    """One line.

    More lines.

    Attributes:
        a, b: two at once,
            over two lines.
        c: one
    """

    a: Positive
    b: float | None = None
    c: tuple[str, ...] = ("x",)
    d: dict[str, float] = {}  # noqa: RUF012 - msgspec copies it
    """Said
    below."""
    e: Annotated[str, Meta(min_length=1, max_length=3)] = "ab"


def test_settings_are_described_from_their_class() -> None:
    found = {one.name: one for one in describe(Documented)}
    assert found["a"].doc == found["b"].doc == "two at once, over two lines."
    assert found["d"].doc == "Said below."
    assert found["e"].doc == ""
    assert [one.default for one in found.values()] == [REQUIRED, "", '["x"]', "{}", '"ab"']
    types = ["int >= 1", "float | none", "list of str", "table of float", "str length >= 1, length <= 3"]
    assert [one.type for one in found.values()] == types
    assert summary(Documented) == "One line."


def test_unions_of_settings_are_their_tags() -> None:
    found = {one.name: one for one in describe(ParticleFilter)}
    assert found["twist"].type == "difference | running-max | running-sum | incremental"
    assert found["twist"].default == '{ type = "difference", strength = 1.0 }'
    assert type_name(Any) == "any"


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_every_component_is_documented(kind: Any) -> None:
    silent = [f"{tag}.{one.name}" for tag, cls in components(kind).items() for one in describe(cls) if not one.doc]
    assert not silent, f"say in the class what these are for: {silent}"


@pytest.mark.parametrize(
    "value", ["", 'a "b" \\ \n\t\x7f é', True, 3, -2.5, 1e300, [1, "a", [True]], {"a": 1, "b c": {"d": []}}, ()]
)
def test_plain_values_are_toml(value: Any) -> None:
    read = tomllib.loads(f"x = {plain(value)}")["x"]
    assert read == (list(value) if isinstance(value, tuple) else value)


def test_a_settings_table_names_everything() -> None:
    table = settings_table(Vote)
    assert table.startswith("Draw n complete candidates")
    assert "n: int >= 1  (default 16)" in table
    assert "    members." in table
