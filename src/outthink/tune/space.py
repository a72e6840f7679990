"""What may be tuned: settings of a recipe by their dotted names, each with its range or its choices, some of them only under conditions.

    space = Space({
        "algorithm.n": Whole(low=2, high=64, log=True),
        "process.sampling.temperature": Real(low=0.2, high=1.5),
        "algorithm.type": Choice(values=("vote", "best-of-n")),
        "verifier.type": Choice(values=("arithmetic", "confidence"), when={"algorithm.type": ("best-of-n",)}),
    })
    space.encode(config)                        # a point of the unit cube, for a surrogate

Whole numbers are rounded where they are encoded, so a surrogate never rates a point that no configuration stands at. A choice is one
coordinate a value; a setting whose condition does not hold is left out of the configuration and stands in the middle of its range.

Source: spec 33, "What goes wrong"; Garrido-Merchan and Hernandez-Lobato 2020 (rounding inside the kernel).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, field

from outthink.core.errors import InputError, SettingsError, explain
from outthink.core.settings import Settings, Tagged
from outthink.numerics.types import FloatArray

Value = bool | int | float | str
Condition = dict[str, tuple[bool | int | float | str, ...]]
Config = Mapping[str, Value]
"""Values by setting. Those whose condition does not hold are not in it."""

MOST = 20
"""Coordinates up to which a Gaussian process is to be trusted with a few dozen evaluations (spec 33)."""


class Real(Tagged):
    """A number between `low` and `high`.

    Attributes:
        log: spread evenly in its logarithm.
        levels: how many values a grid takes of it.
        when: other settings of the space and the values of theirs under which this one counts; empty for always.
    """

    low: float
    high: float
    log: bool = False
    levels: Annotated[int, Meta(ge=2)] = 5
    when: Condition = field(default_factory=dict)

    def check(self) -> None:
        _ordered(self.low, self.high, self.log)


class Whole(Tagged):
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False
    when: Condition = field(default_factory=dict)

    def check(self) -> None:
        _ordered(self.low, self.high, self.log)


class Choice(Tagged):
    """One of several values."""

    values: Annotated[tuple[bool | int | float | str, ...], Meta(min_length=2)]
    when: Condition = field(default_factory=dict)

    def check(self) -> None:
        if len(set(map(repr, self.values))) != len(self.values):
            raise SettingsError(
                explain(
                    "A choice names a value twice.", got=self.values, expected="different values", remedy="Drop one."
                )
            )


Dimension = Real | Whole | Choice


class SpaceSettings(Settings):
    """A space as it stands in a file: dimensions by setting."""

    space: dict[str, Dimension]


@dataclass(frozen=True)
class Space:
    """Dimensions by setting. Raises `SettingsError` for a condition on a setting that is missing, comes later, or has other values."""

    dimensions: Mapping[str, Dimension]

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise SettingsError(
                explain("There is nothing to tune.", got="no settings", expected="at least one", remedy="Name one.")
            )
        seen: set[str] = set()
        for name, dimension in self.dimensions.items():
            for other, values in dimension.when.items():
                parent = self.dimensions.get(other)
                if other not in seen or not isinstance(parent, Choice) or not set(values) <= set(parent.values):
                    raise SettingsError(
                        explain(
                            f"The condition of {name!r} can never be read.",
                            got=f"{other} in {list(values)}",
                            expected="a choice that stands before it, and values of that choice",
                            remedy="Order the settings so, and name values that the choice has.",
                        )
                    )
            seen.add(name)

    def active(self, name: str, config: Config) -> bool:
        """Whether a setting counts, given those before it."""
        return all(config.get(other) in values for other, values in self.dimensions[name].when.items())

    def check(self, config: Config) -> None:
        """Raises `InputError` for a configuration that is not of this space."""
        for name, dimension in self.dimensions.items():
            wanted, there = self.active(name, config), name in config
            if wanted != there or (there and not _within(dimension, config[name])):
                raise InputError(
                    explain(
                        f"{name!r} of a configuration does not fit the space.",
                        got=config.get(name, "nothing"),
                        expected=_told(dimension) if wanted else "no value, for its condition does not hold",
                        remedy="Use configurations that were drawn from this space.",
                    )
                )
        if unknown := set(config) - set(self.dimensions):
            raise InputError(
                explain(
                    "A setting is not in the space.",
                    got=min(unknown),
                    expected=", ".join(self.dimensions),
                    remedy="Leave it out.",
                )
            )

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """One configuration, each setting evenly over its range."""
        config: dict[str, Value] = {}
        for name, dimension in self.dimensions.items():
            if self.active(name, config):
                config[name] = _at(dimension, float(rng.random()))
        return config

    def decode(self, point: FloatArray) -> dict[str, Value]:
        """The configuration nearest to a point of the unit cube, [width]."""
        config: dict[str, Value] = {}
        for name, dimension in self.dimensions.items():
            first, width = self._places[name]
            if self.active(name, config):
                here = point[first : first + width]
                config[name] = (
                    dimension.values[int(np.argmax(here))]
                    if isinstance(dimension, Choice)
                    else _at(dimension, float(here[0]))
                )
        return config

    def encode(self, config: Config) -> FloatArray:
        """The point of a configuration, [width]."""
        point = np.full(self.width, 0.5)
        for name, dimension in self.dimensions.items():
            first, width = self._places[name]
            if isinstance(dimension, Choice):
                point[first : first + width] = 0.0
            if name not in config:
                continue
            if isinstance(dimension, Choice):
                point[first + dimension.values.index(config[name])] = 1.0
            else:
                point[first] = _share(dimension, float(config[name]))
        return point

    def neighbour(self, config: Config, rng: np.random.Generator, *, width: float = 0.1) -> dict[str, Value]:
        """Another configuration near this one: one setting, or now and then two, moved."""
        names = list(self.dimensions)
        chosen = set(rng.choice(len(names), size=min(len(names), 1 + int(rng.random() < 0.3)), replace=False).tolist())
        moved: dict[str, Value] = {}
        for i, name in enumerate(names):
            dimension = self.dimensions[name]
            if not self.active(name, moved):
                continue
            if name not in config:
                moved[name] = _at(dimension, float(rng.random()))
            elif i not in chosen:
                moved[name] = config[name]
            elif isinstance(dimension, Choice):
                moved[name] = dimension.values[int(rng.integers(len(dimension.values)))]
            else:
                share = _share(dimension, float(config[name])) + width * float(rng.standard_normal())
                moved[name] = _at(dimension, min(max(share, 0.0), 1.0 - 1e-12))
        return moved

    def grid(self) -> Iterator[dict[str, Value]]:
        """All configurations, numbers at evenly spread levels; whole numbers at each value unless there are more than twelve."""
        seen = set()
        for values in itertools.product(*(_levels(dimension) for dimension in self.dimensions.values())):
            config: dict[str, Value] = {}
            for name, value in zip(self.dimensions, values, strict=True):
                if self.active(name, config):
                    config[name] = value
            key = tuple(config.items())
            if key not in seen:
                seen.add(key)
                yield config

    @cached_property
    def width(self) -> int:
        """Coordinates of a point."""
        return sum(width for _, width in self._places.values())

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        places, first = {}, 0
        for name, dimension in self.dimensions.items():
            width = len(dimension.values) if isinstance(dimension, Choice) else 1
            places[name] = (first, width)
            first += width
        return places


def _ordered(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        raise SettingsError(
            explain(
                "This range holds nothing to tune.",
                got=f"{low} to {high}{', in logarithms' if log else ''}",
                expected="low < high, both finite, and positive where log = true",
                remedy="Correct the ends.",
            )
        )


def _share(dimension: Real | Whole, value: float) -> float:
    """Where a value stands in its range, 0 to 1."""
    low, high = float(dimension.low), float(dimension.high)
    if dimension.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _at(dimension: Dimension, share: float) -> Value:
    """The value at a share of the range, [0, 1)."""
    if isinstance(dimension, Choice):
        return dimension.values[min(int(share * len(dimension.values)), len(dimension.values) - 1)]
    if isinstance(dimension, Whole):
        low, high = (
            (dimension.low - 0.5, dimension.high + 0.5) if not dimension.log else (dimension.low, dimension.high)
        )
        raw = low * (high / low) ** share if dimension.log else low + share * (high - low)
        return min(max(round(raw), dimension.low), dimension.high)
    if dimension.log:
        return float(dimension.low * (dimension.high / dimension.low) ** share)
    return float(dimension.low + share * (dimension.high - dimension.low))


def _levels(dimension: Dimension) -> list[Value]:
    if isinstance(dimension, Choice):
        return list(dimension.values)
    if isinstance(dimension, Whole) and dimension.high - dimension.low < 12:
        return list(range(dimension.low, dimension.high + 1))
    count = dimension.levels if isinstance(dimension, Real) else 8
    values = [_at(dimension, min(share, 1.0 - 1e-12)) for share in np.linspace(0.0, 1.0, count).tolist()]
    return list(dict.fromkeys(values))


def _within(dimension: Dimension, value: object) -> bool:
    if isinstance(dimension, Choice):
        return value in dimension.values
    if isinstance(dimension, Whole):
        return isinstance(value, int) and dimension.low <= value <= dimension.high
    return isinstance(value, int | float) and dimension.low <= value <= dimension.high


def _told(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return f"one of {list(dimension.values)}"
    return f"{dimension.low} to {dimension.high}"


def frozen(config: Config) -> tuple[tuple[str, Any], ...]:
    """A configuration as a key."""
    return tuple(sorted(config.items()))
