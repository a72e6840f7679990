"""kill -9 at random moments: the resumed run pays nothing twice that was stored, and ends as the run that nobody killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shape_of_code.source import ROOT

KILLS = {"sqlite": 50, "postgresql": 5}
MEMBERS = 4


@pytest.fixture
def reports(url: str, tmp_path: Path) -> list[dict[str, Any]]:
    kills = KILLS["sqlite" if url.startswith("sqlite") else "postgresql"]
    words = [sys.executable, "-m", "tests.store.kill_program", url, str(tmp_path), str(kills), "20261123"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on having been killed: all but the clock, the run's name, and what a lost request may have cost."""
    candidates = [{**candidate, "features": None} for candidate in result["candidates"]]
    kept = {name: value for name, value in result.items() if name not in ("seconds", "run", "uncertain")}
    return {**kept, "candidates": candidates}


def test_a_killed_run_is_resumed(reports: list[dict[str, Any]]) -> None:
    whole, *killed = reports
    for report in killed:
        assert plain(report["result"]) == plain(whole["whole"])
        assert report["again"] == [], "replies that were stored were paid for again"
        assert report["earlier_steps"] == [], "a step before the checkpoint was paid for again"
        # What no one can have stored: the requests in flight at each kill.
        assert report["served"] <= len(whole["calls"]) + MEMBERS * len(report["moments"])
        lost = report["result"]["uncertain"]["calls"]
        assert lost <= MEMBERS * len(report["moments"])
    cut = [report for report in killed if not report["complete_before"]]
    # Where the moments fall depends on the machine; five of them show that it can happen.
    assert len(cut) >= (0.4 * len(killed) if len(killed) >= 50 else 1), "the moments hardly ever fell into the run"
    # The moments were of every kind: within a step with some replies stored, late in the run, before anything was stored.
    if len(killed) >= 50:
        assert any(report["kept"] % MEMBERS for report in cut)
        assert len({report["step"] for report in cut}) >= 4
    assert any(report["resumed_calls"] < len(whole["calls"]) for report in cut)
