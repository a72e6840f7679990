"""The real command with the embedded model, end to end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import outthink
from outthink.core.result import Result
from tests.cli.running import start

pytestmark = pytest.mark.local_model
QUESTION = "What is 17 + 25? Answer with the number."


def test_a_question_by_majority_from_the_command_line() -> None:
    arguments = ["run", QUESTION, "--method", "fast-math", "--set", "algorithm.type=vote", "--n", "2"]
    arguments += ["--set", "process.max_tokens=24", "--json"]
    most = json.loads(start(*arguments, "--dry-run").communicate(timeout=120)[0])["most"]
    output, errors = (process := start(*arguments)).communicate(timeout=120)
    assert process.returncode in (0, 3), errors
    result = Result.from_json(output)
    assert len(result.candidates) == 2
    assert 0 < result.cost.tokens <= most["tokens"]


def test_steps_are_checked_under_a_budget_that_holds() -> None:
    result = outthink.solve(
        QUESTION, recipe="fast-math", method=outthink.ParticleFilter(n=2), budget=outthink.Budget(tokens=260), seed=3
    )
    assert 0 < result.cost.tokens <= 260
    assert result.cost.verifier_calls > 0
    outthink.close_engines()


def test_the_default_needs_nothing_but_a_question() -> None:
    result = outthink.solve("Say hello.", budget="tokens=100", changes=["algorithm.n=2"])
    assert result.method == "best-of-n"
    assert result.cost.tokens <= 100
    outthink.close_engines()


def test_a_program_that_leaves_its_engine_open_ends_by_itself() -> None:
    program = (
        "import outthink\n"
        "r = outthink.solve('q', method=outthink.Vote(n=1), changes=['process.max_tokens=2'])\n"
        "print(r.cost.calls)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
