"""A failure costs what it costs and nothing else: survivors answer, the result says so, and a quorum says when that is too few."""

from __future__ import annotations

import pytest

from outthink.core import AllFailed, BelowQuorum
from outthink.core.events import Warned
from outthink.testing.openai_server import Fault, Personality, every
from tests.faults.searching import METHODS, search

REFUSED = Fault("status", status=400, text="Not this one.")
SEEDS = range(5)


@pytest.mark.parametrize("name", ["best-of-n with a judge", "vote", "refinement", "best-of-n with two judgements"])
def test_every_second_call_failing_is_answered_by_the_survivors(name: str) -> None:
    finished = kept = 0
    for seed in SEEDS:
        done = search(METHODS[name], Personality(faults=every(2, REFUSED)), seed=seed)
        assert done.result is not None, done.failed
        assert done.result.answer is not None
        assert done.result.degraded
        assert done.exact()
        warned = " ".join(one.message for one in done.session.trace.events if isinstance(one, Warned))
        for candidate, score in zip(done.result.candidates, done.result.scores, strict=True):
            if not candidate.final:
                continue
            finished += 1
            kept += score is not None or name == "vote" or f"node {candidate.id}" in warned
        for failure in done.result.failures:
            assert (failure.status, "Not this one." in failure.message) == (400, True)
    assert kept >= 0.95 * finished > 0


@pytest.mark.parametrize("name", METHODS)
def test_one_call_of_nine_failing_for_good_leaves_an_answer(name: str) -> None:
    """Every method, also those that need many calls for each member, so that half of them failing would leave nobody."""
    for seed in range(3):
        done = search(METHODS[name], Personality(faults=every(9, REFUSED)), seed=seed)
        assert done.result is not None, done.failed
        assert done.result.answer is not None
        assert done.exact()
        lost = done.counters.faults["status"]
        told = [one for one in done.session.trace.events if isinstance(one, Warned) and "Not this one." in one.message]
        assert bool(done.result.failures or done.result.degraded or told) == bool(lost)
        assert all((one.status, "Not this one." in one.message) == (400, True) for one in done.result.failures)


@pytest.mark.parametrize("name", METHODS)
def test_calls_that_fail_once_are_tried_again(name: str) -> None:
    """Every second call answers 500: with retries nobody is lost."""
    done = search(METHODS[name], Personality(faults=every(2, Fault("status", status=500))), seed=3, retries=8)
    assert done.result is not None
    assert done.result.degraded == () or "unfinished" in done.result.degraded[0]
    assert done.result.failures == ()


def test_below_the_quorum_there_is_an_error_with_the_cause() -> None:
    method, faults = METHODS["vote"], Personality(faults=every(2, REFUSED))
    assert search(method, faults, quorum=0.5).result is not None
    failed = search(method, faults, quorum=0.6).failed
    assert isinstance(failed, BelowQuorum)
    assert "Not this one." in str(failed)
    assert "'3 of 6'" in str(failed)
    assert [cause.status for cause in failed.failures] == [400] * 3


def test_judgements_have_the_same_quorum() -> None:
    def judgements(index: int, body: dict[str, object]) -> Fault | None:
        return REFUSED if "Score:" in str(body) and index % 3 else None

    method = METHODS["best-of-n with a judge"]
    assert search(method, Personality(faults=judgements), quorum=0.1).result is not None
    failed = search(method, Personality(faults=judgements), quorum=0.9).failed
    assert isinstance(failed, BelowQuorum)
    assert "judgements" in str(failed)


def test_without_any_survivor_all_causes_are_told() -> None:
    failed = search(METHODS["vote"], Personality(faults=every(1, REFUSED))).failed
    assert isinstance(failed, AllFailed)
    assert {cause.status for cause in failed.failures} == {400}
