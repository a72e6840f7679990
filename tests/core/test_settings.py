from __future__ import annotations

from abc import abstractmethod
from typing import Any

import msgspec
import pytest

from outthink.core import Settings, SettingsError, Tagged
from outthink.core.settings import Count, Fraction, Positive, PositiveFloat, kebab, replace


class Warm(Settings, tag_field="type", tag="warm"):
    degrees: PositiveFloat = 30.0


class Cold(Settings, tag_field="type", tag="cold"):
    below: Count = 3


class Bath(Settings):
    litres: Positive = 10
    share: Fraction = 0.5
    water: Warm | Cold = Warm()
    names: tuple[str, ...] = ()
    must: int

    def check(self) -> None:
        if self.must > self.litres:
            raise SettingsError("more than there is")


class Abstract(Tagged):
    size: Positive = 1

    @abstractmethod
    def act(self) -> int: ...


class BigThing2D(Abstract):
    def act(self) -> int:
        return self.size


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"litres": 0}, "litres"),
        ({"litres": "many"}, "litres"),
        ({"litres": 1.5}, "litres"),
        ({"share": 1.5}, "share"),
        ({"share": float("nan")}, "share"),
        ({"water": "warm"}, "water"),
        ({"water": {"type": "lukewarm"}}, "water"),
        ({"names": "one"}, "names"),
    ],
)
def test_python_and_data_refuse_the_same(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        Bath(must=1, **fields)
    assert "expected" in str(caught.value)
    assert "default" in str(caught.value)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"must": 1, **fields}, Bath)


def test_values_are_converted() -> None:
    bath = Bath(must=1, share=1, names=["a", "b"], water={"type": "cold", "below": 5})  # type: ignore[arg-type]
    assert type(bath.share) is float
    assert bath.names == ("a", "b")
    assert bath.water == Cold(below=5)
    assert bath == msgspec.convert(
        {"must": 1, "share": 1, "names": ["a", "b"], "water": {"type": "cold", "below": 5}}, Bath
    )


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'litres'"):
        Bath(must=1, liters=3)  # type: ignore[call-arg]
    with pytest.raises(msgspec.ValidationError, match="liters"):
        msgspec.convert({"must": 1, "liters": 3}, Bath)


def test_rules_between_fields_hold_in_both() -> None:
    with pytest.raises(SettingsError, match="more than there is"):
        Bath(must=11)
    with pytest.raises(msgspec.ValidationError, match="more than there is"):
        msgspec.convert({"must": 11}, Bath)


def test_settings_are_frozen_and_keyword_only() -> None:
    with pytest.raises(AttributeError):
        Bath(must=1).litres = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        Bath(1)  # type: ignore[misc, call-arg]
    with pytest.raises(TypeError):
        Bath()  # type: ignore[call-arg]


def test_mutable_values_are_not_shared_with_the_caller() -> None:
    class Table(Settings):
        values: dict[str, float] = {}  # noqa: RUF012 - msgspec copies it

    given = {"a": 1.0}
    table = Table(values=given)
    given["b"] = 2.0
    assert table.values == {"a": 1.0}


def test_replace_validates_again() -> None:
    bath = Bath(must=2)
    assert replace(bath, litres=5) == Bath(must=2, litres=5)
    for changes in ({"litres": 0}, {"litres": 1}, {"size": 1}):
        with pytest.raises(SettingsError):
            replace(bath, **changes)


def test_abstract_settings_cannot_be_made_and_tags_are_kebab() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Abstract()  # type: ignore[abstract]
    assert BigThing2D(size=2).act() == 2
    assert BigThing2D.name() == "big-thing2-d"
    assert kebab("BestOfN") == "best-of-n"
    assert kebab("JSONSchema") == "json-schema"
    assert msgspec.to_builtins(BigThing2D()) == {"type": "big-thing2-d", "size": 1}
