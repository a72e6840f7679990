from __future__ import annotations

import inspect
import re

import pytest

from outthink.core import AllFailed, BudgetExhausted, EngineError, Failure, OutthinkError, errors
from outthink.core.errors import (
    ContextOverflow,
    EngineClosed,
    InputError,
    ModelMissing,
    SettingsError,
    explain,
    nearest,
)


def test_the_tree_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    defined = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, OutthinkError) and value is not OutthinkError
    ]
    assert sorted(drawn) == sorted(defined)


def test_a_failure_keeps_what_the_error_knew() -> None:
    failure = Failure.of(EngineError("busy", status=503, retryable=True))
    assert failure == Failure("EngineError", "busy", status=503, retryable=True)
    assert Failure.of(TimeoutError()) == Failure("TimeoutError", "TimeoutError")


def test_all_failed_names_each_cause_once() -> None:
    error = AllFailed([Failure("A", "x"), Failure("A", "x"), Failure("B", "y")])
    assert str(error) == "All 3 members failed. Causes: A: x; B: y"
    assert len(error.failures) == 3


def test_messages_have_four_parts() -> None:
    said = explain("It broke.", got=3, expected="4", remedy="Add one.")
    assert said == "It broke. Got 3; expected 4. Add one."
    assert BudgetExhausted("calls").limit == "calls"
    assert "calls" in str(BudgetExhausted("calls"))


def test_the_nearest_names_are_offered() -> None:
    assert nearest("best-of-m", ["best-of-n", "vote"]) == "Did you mean 'best-of-n'?"
    assert nearest("qqq", ["b", "a"]) == "Known: a, b."


@pytest.mark.parametrize("kind", [ContextOverflow, ModelMissing, EngineClosed, EngineError, InputError, SettingsError])
def test_a_failure_becomes_the_error_that_it_was(kind: type[OutthinkError]) -> None:
    back = Failure.of(kind("too long")).as_error()
    assert type(back) is kind
    assert str(back) == "too long"
    told = Failure("RateLimited", "slow down", status=429, retryable=True).as_error()
    assert isinstance(told, EngineError)
    assert (told.status, told.retryable) == (429, True)
