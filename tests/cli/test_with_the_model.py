"""The real command with the embedded model, end to end."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

import outthink
from outthink.core.result import Result
from outthink.engines.local import models as local
from tests.cli.running import start

MISSING = "the embedded model is not installed (outthink models install)"
pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(find_spec("xllamacpp") is None or local.installed()[0].path is None, reason=MISSING),
]
QUESTION = "What is 17 + 25? Answer with the number."


def test_a_question_by_majority_from_the_command_line() -> None:
    arguments = ["run", QUESTION, "--method", "fast-math", "--set", "algorithm.type=vote", "--n", "4", "--json"]
    most = json.loads(start(*arguments, "--dry-run").communicate(timeout=120)[0])["most"]
    output, errors = (process := start(*arguments)).communicate(timeout=120)
    assert process.returncode in (0, 3), errors
    result = Result.from_json(output)
    assert len(result.candidates) == 4
    assert 0 < result.cost.tokens <= most["tokens"]
    again = Result.from_json(start(*arguments).communicate(timeout=120)[0])
    assert len(again.candidates) == 4


def test_steps_are_checked_under_a_budget_that_holds() -> None:
    result = outthink.solve(
        QUESTION, recipe="fast-math", method=outthink.ParticleFilter(n=4), budget=outthink.Budget(tokens=400), seed=3
    )
    assert 0 < result.cost.tokens <= 400
    assert result.cost.verifier_calls > 0
    outthink.close_engines()


def test_the_default_needs_nothing_but_a_question() -> None:
    result = outthink.solve("Say hello.", budget="tokens=300,seconds=60", changes=["algorithm.n=2"])
    assert result.method == "best-of-n"
    assert result.cost.tokens <= 300
    outthink.close_engines()
