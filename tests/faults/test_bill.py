"""The bill is true: every method, against a server that counts."""

from __future__ import annotations

from typing import Literal

import pytest

from outthink.engines.openai.abilities import Abilities
from outthink.testing.openai_server import Fault, Personality, every
from outthink.testing.openai_server.personality import FaultKind
from outthink.text import Tokens
from tests.faults.searching import METHODS, search, talkative

Usage = Literal["missing", "wrong"]


@pytest.mark.parametrize("name", METHODS)
def test_what_is_reported_is_what_was_counted(name: str) -> None:
    done = search(METHODS[name], seed=1)
    assert done.failed is None
    assert done.counters.calls > 0
    assert done.exact()


@pytest.mark.parametrize("name", METHODS)
def test_refused_attempts_cost_nothing(name: str) -> None:
    done = search(METHODS[name], Personality(faults=every(2, Fault("status", status=500))), seed=1, retries=8)
    assert done.failed is None
    assert done.counters.requests > done.counters.calls > 0
    assert done.exact()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["cut-stream", "drop", "empty-choices", "not-json"])
def test_broken_replies_are_an_interval_that_holds_the_truth(name: str, kind: FaultKind) -> None:
    done = search(METHODS[name], Personality(faults=every(3, Fault(kind, after=3))), seed=2)
    assert done.counters.faults[kind] > 0
    assert done.inside(), (done.low, done.more, done.counters)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("usage", ["missing", "wrong"])
def test_without_a_usage_the_truth_lies_in_the_interval(name: str, usage: Usage) -> None:
    done = search(METHODS[name], Personality(usage=usage), seed=3, assume=Abilities(usage="no"))
    assert done.failed is None
    assert done.inside(), (done.low, done.more, done.counters)


LONG = {"script": talkative, "max_tokens": 240, "stepper": Tokens(n=40)}


@pytest.mark.parametrize("name", METHODS)
def test_a_search_that_is_cut_off_knows_its_bill_within_a_tenth(name: str) -> None:
    slow = Personality(first_seconds=0.05, token_seconds=0.01)
    whole = search(METHODS[name], slow, seed=4, **LONG)
    moment = 0.8 * whole.seconds
    done = search(METHODS[name], slow, seed=4, cut_at=moment, **LONG)
    assert done.counters.aborts > 0
    assert done.seconds <= moment + 0.01
    assert done.inside(), (done.low, done.more, done.counters)
    assert done.width() <= 0.1, (done.low, done.more, done.counters)


@pytest.mark.parametrize("name", METHODS)
def test_streams_that_break_cost_what_is_known_within_a_tenth(name: str) -> None:
    """One stream of eight is cut by the server; the usage that came along until there leaves little open."""
    done = search(METHODS[name], Personality(faults=every(8, Fault("cut-stream", after=20))), seed=5, **LONG)
    assert done.inside(), (done.low, done.more, done.counters)
    assert done.width() <= 0.1, (done.low, done.more, done.counters)
