"""The registry of inference engines: twenty-five records of dated facts, each with its source; "unknown" is a value of its own.

    known_engines()["vllm"].features["guided decoding"]        # Fact(value="yes", source="arXiv 2505.01658", checked="2026-11-23")

The table is a prior for choosing an engine before there is one; what a live server can do is found by `outthink.engines.probe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from outthink.core.settings import Settings
from outthink.engines.openai.abilities import Known

Axis = Literal["general purpose", "deployment", "ease of use", "latency", "throughput", "scalability"]
AXES: tuple[Axis, ...] = ("general purpose", "deployment", "ease of use", "latency", "throughput", "scalability")
Kind = Literal["open", "partly-open", "hosted"]
Hardware = Literal["cuda", "cpu", "amd", "intel", "tpu", "gaudi", "ascend", "inferentia", "phone", "hosted"]
FEATURES: Mapping[str, str] = {
    "C": "continuous batching",
    "K": "chunked prefill",
    "D": "data parallelism",
    "T": "tensor parallelism",
    "P": "pipeline parallelism",
    "Q": "quantisation",
    "Pc": "prompt cache",
    "Px": "prefix cache",
    "S": "speculative decoding",
    "G": "guided decoding",
}
_LEVELS = {"L": 1, "M": 2, "H": 3}


class Fact(Settings):
    """One thing known, or not known, about an engine: its value, where it was read, and when (a date)."""

    value: Known
    source: str
    checked: str


class KnownEngine(Settings):
    """One engine.

    Attributes:
        ratings: the survey's six axes, 1 low to 3 high.
        nodes: whether it spans several machines. `mixed_devices`: whether one deployment may mix kinds of hardware.
        features: every feature of `FEATURES`. `api`: whether it has an OpenAI-compatible interface.
        defaults: sampling settings that are not neutral unless they are sent.
        limits: what to know before using it.
    """

    name: str
    title: str
    kind: Kind
    ratings: dict[Axis, int]
    nodes: Literal["one", "many"]
    mixed_devices: bool
    hardware: tuple[Hardware, ...]
    features: dict[str, Fact]
    api: Fact
    defaults: dict[str, float] = msgspec.field(default_factory=dict)
    limits: tuple[str, ...] = ()

    def known_features(self) -> int:
        """How many features are known to be there."""
        return sum(fact.value == "yes" for fact in self.features.values())


class _Row(Settings):
    """One engine as the data file writes it."""

    name: str
    title: str
    kind: Kind
    ratings: str
    nodes: Literal["one", "many"]
    mixed_devices: bool
    hardware: tuple[Hardware, ...]
    features: str
    api: Known
    api_source: Literal["survey", "general"] = "survey"
    unsure: bool = False
    defaults: dict[str, float] = msgspec.field(default_factory=dict)
    limits: tuple[str, ...] = ()


class _Table(Settings):
    source: dict[str, str]
    engine: tuple[_Row, ...]


@cache
def known_engines() -> dict[str, KnownEngine]:
    """Every engine by name, in the survey's order."""
    data = resources.files(__package__).joinpath("known_engines.toml").read_bytes()
    table = msgspec.toml.decode(data, type=_Table)
    return {row.name: _record(row, table.source) for row in table.engine}


def _record(row: _Row, source: Mapping[str, str]) -> KnownEngine:
    checked, marked = source["checked"], set(row.features.split())

    def fact(letter: str) -> Fact:
        value: Known = "unknown" if row.unsure else "yes" if letter in marked else "no"
        return Fact(value=value, source=source["survey"], checked=checked)

    levels = [_LEVELS[letter] for letter in row.ratings.split("/")]
    return KnownEngine(
        name=row.name,
        title=row.title,
        kind=row.kind,
        ratings=dict(zip(AXES, levels, strict=True)),
        nodes=row.nodes,
        mixed_devices=row.mixed_devices,
        hardware=row.hardware,
        features={name: fact(letter) for letter, name in FEATURES.items()},
        api=Fact(value=row.api, source=source[row.api_source], checked=checked),
        defaults=row.defaults,
        limits=row.limits,
    )
