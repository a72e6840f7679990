from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core import Budget, Cost, SettingsError
from outthink.core.cost import COUNTED, ZERO, total_of

counts = st.integers(0, 10_000)
costs = st.builds(
    lambda whole, cached, out, calls, judged, evals: Cost(
        input_tokens=whole + cached,
        cached_input_tokens=cached,
        output_tokens=out,
        calls=calls,
        verifier_calls=judged,
        denoiser_evals=evals,
    ),
    *([counts] * 6),
)


@given(costs, costs)
def test_costs_add_up_column_by_column(a: Cost, b: Cost) -> None:
    for column in (*COUNTED, "tokens"):
        assert (a + b).column(column) == a.column(column) + b.column(column)
    assert a + b == b + a
    assert a + b - b == a
    assert a.times(3) == a + a + a
    assert total_of([a, b, ZERO]) == a + b


def test_tokens_are_output_plus_uncached_input() -> None:
    cost = Cost(input_tokens=100, cached_input_tokens=70, output_tokens=5, reasoning_tokens=2)
    assert cost.tokens == 35
    assert cost.column("tokens") == 35.0


def test_unknown_money_stays_unknown_and_nothing_costs_nothing() -> None:
    unknown = Cost(money=math.nan)
    assert math.isnan((unknown + Cost(money=1.0)).money)
    assert math.isnan(unknown.times(2).money)
    assert unknown.times(0) == ZERO


def test_a_budget_limits_only_what_it_names() -> None:
    assert Budget().limits() == {}
    assert Budget(tokens=5, seconds=2).limits() == {"tokens": 5.0, "seconds": 2.0}


@pytest.mark.parametrize(
    "fields", [{"tokens": 0}, {"tokens": -1}, {"seconds": 0}, {"seconds": math.inf}, {"money": math.nan}]
)
def test_impossible_budgets_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(fields))):
        Budget(**fields)  # type: ignore[arg-type]


def test_budgets_are_read_from_text() -> None:
    assert Budget.parse("tokens=4000, seconds=30") == Budget(tokens=4000, seconds=30.0)
    assert Budget.parse("verifier-calls=1_000") == Budget(verifier_calls=1000)
    assert Budget.parse("") == Budget()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tokns=5", "tokns=5"),
        ("tokens", "NAME=NUMBER"),
        ("tokens=many", "many"),
        ("tokens=1,tokens=2", "twice"),
        ("tokens=-5", "tokens"),
        ("tokens=1.5", "1.5"),
        ("seconds=nan", "seconds"),
    ],
)
def test_bad_budget_texts_are_named(text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Budget.parse(text)
