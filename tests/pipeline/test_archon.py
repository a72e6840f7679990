"""Configurations in Archon's form, read as pipelines. The forms are Archon's; the files are written here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from outthink.core import SettingsError
from outthink.engines.scripted_table import Scripted
from outthink.pipeline import Fuse, Generate, Rank, RunTests, SideBySide, StandIn, Verify, WriteTests, read_archon
from tests.pipeline.saying import saying, searching, solved

SMALL, LARGE = Scripted(otherwise="small"), Scripted(otherwise="large")
MODELS = {"small-model": SMALL, "large-model": LARGE}


def component(kind: str, model: str = "small-model", **more: Any) -> dict[str, Any]:
    given = {"type": kind, "model": model, "model_type": "Some_API", "temperature": 0.7, "max_tokens": 64, "samples": 1}
    return {**given, **more}


def written(*layers: Any, **more: Any) -> bytes:
    return msgspec.json.encode({"name": "one", "layers": layers, **more})


def test_every_component_becomes_its_stage_with_its_settings() -> None:
    text = written(
        [component("generator", samples=3), component("generator", "large-model")],
        [component("critic")],
        [component("ranker", top_k=3, use_critiques=True)],
        [component("verifier", first_k=2)],
        [component("unit_test_generator", unit_test_cap=4)],
        [component("unit_test_evaluator", top_k=2, remove_unit_tests_from_prompt=True)],
        [component("fuser", "large-model", samples=2, length_control=True)],
    )
    found = read_archon(text, MODELS)
    layers = found.pipeline.layers
    assert found.engine == SMALL
    assert found.pipeline.rules == "paper"
    assert layers[0] == SideBySide(
        stages=(
            Generate(samples=3, temperature=0.7, max_tokens=64),
            Generate(temperature=0.7, max_tokens=64, engine=LARGE),
        )
    )
    assert layers[2] == Rank(keep=3, critiques=True, temperature=0.7, max_tokens=64)
    assert layers[3] == Verify(first=2, temperature=0.7, max_tokens=64)
    assert layers[4] == WriteTests(number=4, show=True, temperature=0.7, max_tokens=64)
    assert layers[5] == RunTests(keep=2, shown=False, temperature=0.7, max_tokens=64)
    assert layers[6] == Fuse(samples=2, brief=True, temperature=0.7, max_tokens=64, engine=LARGE)
    stand_in = StandIn()
    result = solved(searching(found.pipeline, saying(stand_in), others=((LARGE, saying(stand_in)),)))
    assert result.cost.calls == stand_in.asked.total() == 4 + 1 + 1 + 2 * 3 + 1 + 2 + 2
    assert not result.degraded


def test_tests_that_are_written_first_are_shown_to_the_generators() -> None:
    text = written([component("unit_test_generator")], [component("generator")], [component("unit_test_evaluator")])
    found = read_archon(text, {"*": SMALL})
    assert found.pipeline.rules == "open"
    assert any("do not keep" in note or "does not keep" in note for note in found.notes)
    engine = saying(StandIn())
    solved(searching(found.pipeline, engine))
    assert "passes all of these tests" in engine._text(engine._prompt(engine.requests[1]))


def test_nothing_is_left_out_in_silence() -> None:
    text = written({"models": [component("generator", top_k=1, flavour="sweet")], "branches": 1}, component("fuser"))
    notes = "\n".join(read_archon(text, MODELS).notes)
    for word in ("'top_k'", "'flavour'", "neither does the published code", "read as a list of one"):
        assert word in notes


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (written([component("generator")], [component("my_component")]), "Layer 2 .* none of Archon's.*my_component"),
        (written([component("generatr")]), "Did you mean 'generator'"),
        (written([component("generator", "other-model")]), "a model that the map lacks.*other-model.*--map"),
        (written([component("generator"), component("fuser")]), "Layer 1 .*fuser, generator"),
        (written([component("fuser")]), "there are no candidates yet"),
        (written(), "no layers"),
        (b'{"name": "one" "layers": []}', "not JSON"),
        (written([component("generator", samples=0)]), "samples"),
    ],
)
def test_a_refusal_names_what_is_wrong(text: bytes, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_archon(text, MODELS)
