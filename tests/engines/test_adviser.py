"""The registry of engines and the rules of the adviser."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.core import InputError
from outthink.engines.adviser import WEIGHTED, Advice, advise
from outthink.engines.doctor import families, installed
from outthink.engines.known_engines import AXES, FEATURES, known_engines
from outthink.engines.openai import Abilities, preset
from outthink.engines.timing import throughput, timing
from outthink.engines.workloads import DEMANDS, missing

WORKLOADS = st.sampled_from(sorted(DEMANDS))
HARDWARE = st.sampled_from([None, "cpu", "cuda", "amd", "hosted"])
NAMES = sorted(FEATURES.values())


def names(advice: Advice) -> list[str]:
    return [kept.engine.name for kept in advice.kept]


def reasons(advice: Advice, name: str) -> str:
    return next("; ".join(one.reasons) for one in advice.dropped if one.engine.name == name)


def test_the_golden_table() -> None:
    engines = known_engines()
    assert len(engines) == 25
    assert sum(engine.kind == "hosted" for engine in engines.values()) == 4
    for engine in engines.values():
        assert set(engine.ratings) == set(AXES)
        assert set(engine.ratings.values()) <= {1, 2, 3}
        assert set(engine.features) == set(FEATURES.values())
        for fact in (*engine.features.values(), engine.api):
            assert fact.source
            assert fact.checked >= "2026-01-01"
    assert engines["vllm"].ratings == dict(zip(AXES, (3, 3, 3, 2, 3, 3), strict=True))
    assert engines["ollama"].features["continuous batching"].value == "no"
    assert {f.value for f in engines["powerinfer"].features.values()} == {"unknown"}
    assert engines["llama-cpp"].defaults["temperature"] == 0.8


def test_a_laptop_and_a_grammar() -> None:
    advice = advise("guided", hardware="cpu")
    assert {"llama-cpp", "ollama"} <= set(names(advice))
    for name in ("tensorrt-llm", "sglang"):
        assert "hardware" in reasons(advice, name)
    assert "Probe first: feature: guided decoding." in next(
        kept.warnings for kept in advice.kept if kept.engine.name == "powerinfer"
    )
    assert "powerinfer" not in names(advise("guided", hardware="cpu", allow_unknown=False))


def test_continuous_batching_drops_ollama_as_surveyed() -> None:
    assert "continuous batching" in reasons(advise("offline"), "ollama")
    assert "ollama" in names(advise("best-of-n"))
    assert "ollama" not in names(advise("best-of-n", features=["continuous batching"]))
    assert "one machine" in reasons(advise("best-of-n", nodes=2), "llama-cpp")
    assert "interface" in reasons(advise("interactive"), "nanoflow")


@given(WORKLOADS, HARDWARE, st.lists(st.sampled_from(NAMES), unique=True, max_size=3), st.sampled_from(NAMES))
@settings(max_examples=80, deadline=None)
def test_a_further_requirement_adds_no_engine(workload: Any, hardware: Any, features: list[str], more: str) -> None:
    fewer = advise(workload, hardware=hardware, features=features)
    most = advise(workload, hardware=hardware, features=[*features, more])
    assert set(names(most)) <= set(names(fewer))
    assert len(fewer.kept) + len(fewer.dropped) == 25
    assert all(dropped.reasons for dropped in most.dropped)


@given(WORKLOADS, st.sampled_from(["latency", "throughput", "scalability"]), st.floats(0, 2), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_more_weight_never_lowers_the_best_of_an_axis(workload: Any, axis: Any, weight: float, more: float) -> None:
    """Among engines that are equal on the other axes, the one that is best on this axis stays ahead."""
    before = advise(workload, weights={axis: weight}).kept
    after = [kept.engine.name for kept in advise(workload, weights={axis: weight + more}).kept]
    for place, one in enumerate(before):
        for other in before[place + 1 :]:
            mine, yours = one.engine.ratings, other.engine.ratings
            equal = all(mine[a] == yours[a] for a in AXES if a not in (axis, "general purpose"))
            if equal and mine[axis] >= yours[axis]:
                assert after.index(one.engine.name) < after.index(other.engine.name)


def test_weights_change_the_order() -> None:
    fast = names(advise("interactive", weights=dict.fromkeys(WEIGHTED, 0.0) | {"throughput": 3.0}))
    assert fast != names(advise("interactive"))
    top = known_engines()[fast[0]]
    assert top.ratings["throughput"] == 3


def test_misspelt_names_are_refused() -> None:
    with pytest.raises(InputError, match="step-wise"):
        advise("stepwise")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="prefix cache"):
        advise("guided", features=["prefix-cache"])
    with pytest.raises(InputError, match="latency"):
        advise("guided", weights={"latencies": 2})


def test_what_a_probed_server_lacks() -> None:
    able = preset("vllm").abilities
    assert all(not missing(workload, able) for workload in DEMANDS)
    unknown = Abilities()
    assert [q.need for q in missing("step-wise", unknown)] != []
    allowed = {family.title for family in families(unknown) if family.allowed}
    assert allowed == {"whole answers"}
    assert all(family.allowed for family in families(able))
    assert all(family.why for family in families(unknown) if not family.allowed)


def test_what_is_installed() -> None:
    parts = {part.package: part for part in installed()}
    assert parts["jsonschema"].version
    assert all(part.purpose for part in parts.values())
    assert {part.package for part in parts.values() if not part.extra} == {"bubblewrap"}


def test_timing_of_a_reply() -> None:
    found = timing([0.5, 0.6, 0.7, 0.8])
    assert found.first == 0.5
    assert math.isclose(found.between, 0.1)
    assert math.isclose(found.latency, 0.8)
    assert not math.isclose(found.first + found.between * found.tokens, 0.8), "the survey's sum is one gap too long"
    assert timing([2.0], start=1.5).latency == 0.5
    assert throughput(30, 2.0) == 15.0
    with pytest.raises(InputError):
        timing([])
    with pytest.raises(InputError):
        throughput(1, 0.0)
