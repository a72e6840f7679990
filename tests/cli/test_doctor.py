"""`outthink doctor`, against a scripted server."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from outthink.cli.main import outthink
from outthink.testing.openai_server import OpenAIServer, Personality


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def doctor(*words: str) -> Result:
    return CliRunner().invoke(outthink, ["doctor", *words])


def test_what_is_installed_and_advised() -> None:
    plain = doctor()
    assert plain.exit_code == 0
    assert "jsonschema" in plain.output
    parts = {part["package"]: part for part in json.loads(doctor("--json").output)["installed"]}
    assert parts["torch"]["extra"] == parts["transformers"]["extra"] == "local-torch"
    assert (parts["bubblewrap"]["version"] is None) == (shutil.which("bwrap") is None)
    advised = doctor("--workload", "guided", "--hardware", "cpu")
    assert advised.exit_code == 0
    assert "llama.cpp" in advised.output
    assert "not SGLang: hardware" in advised.output


@pytest.mark.parametrize("words", [["--workload", "guidde"], ["--workload", "guided", "--hardware", "gpu"]])
def test_misspelt_names(words: list[str]) -> None:
    refused = doctor(*words)
    assert refused.exit_code == 1
    assert "expected one of" in refused.output


async def test_a_server() -> None:
    async with OpenAIServer(personality=Personality(prefix=(), completions="refused", seed="ignored")) as server:
        first = await asyncio.to_thread(doctor, "--base-url", server.base_url)
        asked = server.counters.requests
        assert first.exit_code == 0, first.output
        assert "seeds           no" in first.output
        assert "no   step by step: particle-filter" in first.output
        assert "yes  whole answers: best-of-n, vote" in first.output
        assert "adapted: one seed a sample" in first.output
        assert f"took {asked} requests" in first.output
        again = await asyncio.to_thread(doctor, "--base-url", server.base_url, "--json")
        assert server.counters.requests == asked, "the record is kept"
        document = json.loads(again.output)
        assert document["server"]["record"]["abilities"]["prefix"] == "none"
        await asyncio.to_thread(doctor, "--base-url", server.base_url, "--fresh")
        assert server.counters.requests == 2 * asked
        address = server.base_url
    dead = await asyncio.to_thread(doctor, "--base-url", address, "--model", "m")
    assert dead.exit_code == 1
    assert "cannot be reached" in dead.output
