"""A failure is never an answer: right class, status and words, by the deadline, whatever goes wrong; held for every misbehaviour."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from outthink.bench.promises import examined
from outthink.cli.main import outthink
from outthink.core import AllFailed, Budget, Stop
from outthink.engines.openai import Timeouts
from outthink.testing import run_virtual
from outthink.testing.openai_server import Fault, FaultyBackend, Personality, always, misbehaviours, opinionated_model
from tests.faults.searching import METHODS, search

WORDS = "The dog ate the model."


@pytest.mark.parametrize("name", misbehaviours())
def test_every_promise_against_every_misbehaviour(name: str) -> None:
    async def work() -> tuple[str, ...]:
        async with FaultyBackend([name], script=opinionated_model) as backend:
            return (await examined(backend, name)).broken

    assert run_virtual(work(), wire=0.002) == ()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        (Fault("status", status=400, text=WORDS), "Refusal", 400),
        (Fault("status", status=401, text=WORDS), "Refusal", 401),
        (Fault("status", status=500, text=WORDS), "Refusal", 500),
        (Fault("status", status=429, text=WORDS, retry_after=3600), "Refusal", 429),
        (Fault("error-body", status=503, text=WORDS), "Refusal", 503),
        (Fault("not-json"), "BrokenReply", None),
        (Fault("truncated-json", after=0), "BrokenReply", None),
        (Fault("empty-choices"), "BrokenReply", None),
        (Fault("hang"), "TimedOut", None),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_each_method_tells_what_went_wrong(name: str, fault: Fault, kind: str, status: int | None) -> None:
    done = search(METHODS[name], Personality(faults=always(fault)), timeouts=Timeouts(idle=5.0, whole=9.0))
    assert done.result is None
    assert isinstance(done.failed, AllFailed)
    assert {(cause.kind, cause.status) for cause in done.failed.failures} == {(kind, status)}
    assert all(fault.text in cause.message for cause in done.failed.failures)
    # Each request by itself; the deadline of all together is the budget's.
    assert done.seconds <= 5.0 * done.counters.requests + 0.1
    assert done.inside()


@pytest.mark.parametrize("name", METHODS)
def test_a_hanging_server_is_left_at_the_deadline(name: str) -> None:
    done = search(METHODS[name], Personality(faults=always(Fault("hang"))), budget=Budget(seconds=2.0))
    assert done.result is not None
    assert (done.result.answer, done.result.stop, done.result.limit) == (None, Stop.BUDGET, "seconds")
    assert done.seconds <= 2.01
    assert done.counters.in_flight == 0
    assert done.inside()


def test_the_doctor_prints_what_holds() -> None:
    names = ["--only", "healthy", "--only", "unauthorized"]
    shown = CliRunner().invoke(outthink, ["doctor", "--faulty", *names])
    assert shown.exit_code == 0, shown.output
    assert "error: Refusal 401" in shown.output
    assert "2 of 2 kept" in shown.output
    kept = json.loads(CliRunner().invoke(outthink, ["doctor", "--faulty", "--json", *names]).output)
    assert [(one["name"], one["broken"]) for one in kept] == [("healthy", []), ("unauthorized", [])]


@pytest.mark.parametrize("words", [["--only", "slow"], ["--faulty", "--only", "slwo"], ["--faulty", "--port", "9000"]])
def test_what_the_doctor_does_not_understand_it_refuses(words: list[str]) -> None:
    refused = CliRunner().invoke(outthink, ["doctor", *words])
    assert refused.exit_code == 1
    assert "expected" in refused.output
