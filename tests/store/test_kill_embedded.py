"""kill -9 of a run on the embedded engine in its deterministic mode: the resumed run ends as the run that nobody killed.

Two kills in every test run, ten at the full size (`make laws`).
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from outthink.store import Store
from tests.cli.running import PROGRAM
from tests.laws.law import FULL

KILLS = 10 if FULL else 2
TOKENS = 48 if FULL else 32
ASK = ["run", "What is 17 + 25?", "--method", "particle-filter", "--n", "3", "--verifier", "confidence", "--seed", "5"]
ASK += ["--set", "engine.deterministic=true", "--set", "process.stepper.type=tokens", "--set", "process.stepper.n=8"]
ASK += ["--set", f"process.max_tokens={TOKENS}", "--json"]
SAME = ("answer", "candidates", "scores", "weights", "steps", "log_evidence", "stop")


pytestmark = [pytest.mark.laws, pytest.mark.local_model]


def outthink(store: Path, *words: str) -> Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "OUTTHINK_STORE": str(store)}
    return Popen([sys.executable, "-c", PROGRAM, *words], env=environment, stdout=PIPE, stderr=PIPE, text=True)


def finished(running: Popen[str]) -> dict[str, Any]:
    """Its result."""
    output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    return dict(json.loads(output))


def steps_stored(path: Path) -> int:
    """Steps that the newest run has stored; -1 before there is one."""
    if not path.exists():
        return -1
    with Store.open(path) as store:
        found = store.runs(limit=1)
    return found[0].steps if found else -1


def test_kills_change_nothing(tmp_path: Path) -> None:
    whole = finished(outthink(tmp_path / "whole.sqlite", *ASK))
    assert whole["steps"] == TOKENS // 8, "a short answer leaves nothing to interrupt"
    moments = random.Random(20261123)
    stored: list[int] = []
    for number in range(KILLS):
        path = tmp_path / f"{number}.sqlite"
        running = outthink(path, *ASK)
        target = moments.randrange(int(whole["steps"]))
        until = time.monotonic() + 90
        while running.poll() is None and steps_stored(path) < target and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(moments.random() * 0.1)
        alive = running.poll() is None
        running.kill()
        running.communicate(timeout=30)
        if alive and (at := steps_stored(path)) < int(whole["steps"]):
            stored.append(at)
            resumed = finished(outthink(path, "run", "--resume", "last", "--json"))
            assert {name: resumed[name] for name in SAME} == {name: whole[name] for name in SAME}
    assert len(stored) >= KILLS // 2, "the moments hardly ever fell into the run"
