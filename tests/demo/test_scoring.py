"""Who was right, whether it was shown, and what it cost."""

from __future__ import annotations

import pytest

from outthink.core.errors import Failure
from outthink.demo.plan import METHODS, Plan
from outthink.demo.scoring import summarise, verdict
from tests.demo.made_up import result, solved, where_right

PLAN = Plan(problems=40)


def test_rows_count_and_pair() -> None:
    summary = summarise(
        "sums", where_right({"greedy": 10, "vote": 12, "best-of-n": 30, "particle-filter": 31}, 40), {"vote": 2.5}, PLAN
    )
    assert [row.right for row in summary.rows] == [10, 12, 30, 31]
    row = summary.row("particle-filter")
    against = {a.baseline: a for a in row.against}
    assert against["greedy"].difference == pytest.approx(21 / 40)
    assert against["greedy"].shown
    assert against["vote"].shown
    assert not against["best-of-n"].shown
    assert 0.0 in against["best-of-n"].interval
    assert summary.row("vote").seconds == 2.5
    assert (summary.constant.answer, summary.constant.right) == (42, 40)


def test_differences_are_paired() -> None:
    """Equal accuracies on different problems and on the same problems have different intervals."""
    same = summarise("sums", where_right({"greedy": 10, "vote": 10}, 20), {}, PLAN)
    crossed = summarise("sums", [solved(i, ["greedy"] if i < 10 else ["vote"]) for i in range(20)], {}, PLAN)
    first, second = same.row("vote").against[0], crossed.row("vote").against[0]
    assert first.difference == second.difference == 0
    assert second.interval.width > 2 * first.interval.width


def test_each_method_is_compared_with_the_simpler_ones_only() -> None:
    summary = summarise("sums", where_right({}, 4), {}, PLAN)
    assert [[a.baseline for a in row.against] for row in summary.rows] == [
        [],
        ["greedy"],
        ["greedy", "vote"],
        ["greedy", "vote", "best-of-n"],
    ]


def test_a_method_that_broke_or_found_nothing_is_not_right_and_is_counted() -> None:
    broken = solved(0, [m.name for m in METHODS], vote=Failure("EngineError", "gone"), greedy=result(None))
    summary = summarise("sums", [broken, solved(1, ["vote"])], {}, PLAN)
    assert broken.said("vote") is None
    assert (summary.row("vote").right, summary.row("vote").failed) == (1, 1)
    assert (summary.row("greedy").right, summary.row("greedy").failed) == (0, 0)


def test_a_passed_cap_is_seen() -> None:
    cap = PLAN.budget.tokens
    assert cap is not None
    held = summarise("sums", [solved(0, [], vote=result("1", tokens=cap))], {}, PLAN)
    assert held.held
    assert held.row("vote").most == cap
    assert not summarise("sums", [solved(0, [], vote=result("1", tokens=cap + 1))], {}, PLAN).held
    assert not summarise("sums", [solved(0, [], vote=result("1", overshoot={"tokens": 1.0}))], {}, PLAN).held


def test_the_verdict_claims_no_more_than_the_intervals() -> None:
    clear = summarise(
        "sums", where_right({"particle-filter": 30, "best-of-n": 29, "vote": 5, "greedy": 30}, 40), {}, PLAN
    )
    assert verdict(clear) == (
        "The particle filter solved 30 of 40: more than majority vote of 16 (5); "
        "no difference shown to greedy, one answer (30) and best of 16 (29)."
    )
    worse = summarise(
        "sums", where_right({"particle-filter": 3, "best-of-n": 30, "vote": 3, "greedy": 3}, 40), {}, PLAN
    )
    assert "fewer than best of 16 (30)" in verdict(worse)
    assert "more than" not in verdict(worse)
