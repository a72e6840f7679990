"""No test is left out in silence: skips go through tests/needs.py, which names the refusal and can be told to fail instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.needs import NEEDS, VARIABLE, demanded, need
from tests.shape_of_code.source import ROOT

SKIPS = re.compile(r"\b(importorskip|skipif|pytest\.skip|mark\.skip|unittest\.skip)\b")
ASKS = re.compile(r"(?:\bneed|mark\.needs)\(([^)]*)\)")


def files() -> list[Path]:
    return [path for path in sorted((ROOT / "tests").rglob("*.py")) if path != Path(__file__)]


def test_skips_stand_in_one_place() -> None:
    elsewhere = [str(path.relative_to(ROOT)) for path in files() if SKIPS.search(path.read_text(encoding="utf-8"))]
    assert elsewhere == ["tests/needs.py"]


def test_only_known_needs_are_asked_for() -> None:
    """A misspelt one in a mark would end in a KeyError only where its test runs."""
    asked = {
        name
        for path in files()
        for call in ASKS.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r'"([\w-]+)"', call)
    }
    assert asked <= set(NEEDS)
    assert len(asked) > 12


def test_what_is_lacking_is_skipped_or_failed_with_the_products_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "torch", lambda: "no torch; Run: pip install it")
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs torch: no torch; Run: pip install it"):
        need("torch")
    for said in ("ray, torch", "all"):
        monkeypatch.setenv(VARIABLE, said)
        with pytest.raises(pytest.fail.Exception, match="says that torch is here, and it is not: no torch; Run:"):
            need("torch")
    monkeypatch.setenv(VARIABLE, "ray")
    with pytest.raises(pytest.skip.Exception):
        need("torch")
    monkeypatch.setitem(NEEDS, "torch", str)
    need("torch")


def test_a_refusal_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outthink.verify.extras.find_spec", lambda module: None)
    monkeypatch.setattr("outthink.verify.sandbox.PROGRAM", "no-such-program")
    monkeypatch.setattr("tests.needs.CHROMIUM", None)
    assert "pip install 'outthink[math]'" in NEEDS["math-verify"]()
    assert "apt-get install chromium" in NEEDS["browser"]()
    refusal = NEEDS["sandbox"]()
    assert "bubblewrap" in refusal
    assert "no-such-program" in refusal


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match=r"names cromium; known are all, .*browser"):
        demanded("torch,cromium")
    assert demanded("") == frozenset()
    assert demanded("all") == frozenset(NEEDS)


def test_what_continuous_integration_installs_is_demanded() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    demands = {
        name for line in re.findall(r'needs\+?="?([\w\s$-]+)"?', script) for name in re.findall(r"[a-z][\w-]+", line)
    }
    assert {"torch", "local-model", "parquet", "sandbox", "browser"} <= demands <= set(NEEDS)
