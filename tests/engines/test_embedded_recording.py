"""A run recorded on the embedded engine replays bit for bit where there is no model.

After a change that alters what is asked of the engine, record it anew where the model is installed:

    OUTTHINK_RECORD=1 python -m pytest tests/engines/test_embedded_recording.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from outthink.cli.main import outthink

RECORDED = Path(__file__).parents[1] / "recorded"
CASSETTE, RESULT = RECORDED / "embedded.jsonl", RECORDED / "embedded.json"
ASK = [
    "run",
    "What is 3 + 4? Answer with a number.",
    *("--method", "particle-filter", "--n", "4", "--verifier", "confidence", "--answer", "numeric"),
    *("--set", "process.max_tokens=24", "--set", 'process.stepper={type="tokens",n=8}'),
    *("--budget", "tokens=400", "--no-store", "--json"),
]


def ask(*more: str) -> dict[str, object]:
    done = CliRunner().invoke(outthink, [*ASK, *more])
    assert done.exit_code == 0, done.stderr
    return {**json.loads(done.stdout), "seconds": 0.0}


def test_the_embedded_engine_replays_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("OUTTHINK_RECORD"):
        CASSETTE.unlink(missing_ok=True)
        found = ask("--model", "local", "--record", str(CASSETTE))
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for module in ("xllamacpp", "llguidance", "cffi"):
        monkeypatch.setitem(sys.modules, module, None)  # importing one of these now fails
    found = ask("--model", f"recorded:{CASSETTE}")
    assert found == json.loads(RESULT.read_text(encoding="utf-8"))
    assert found["answer"]
