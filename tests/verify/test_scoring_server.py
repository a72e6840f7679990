"""Reward models behind a server: real sockets, scripted heads, and a bill that equals the server's own count."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Cost, Parts, ScoreKind, SettingsError, Task
from outthink.testing.contracts import VerifierContract
from outthink.testing.openai_server import Fault, OpenAIServer, Personality, Scoring, every, first
from outthink.verify import ScoringServer
from outthink.verify.scoring_server import ServerRewards

TASK = Task(prompt="How many?", id="t")
MARK = "<extra_0>"


def candidate(*steps: str) -> Candidate:
    return Candidate(content="".join(steps), features={"steps": steps})


CANDIDATES = [candidate("one\n\n", "good two\n\n", "three"), candidate("good", " good"), candidate("bad")]


def likes_good(text: str) -> list[float]:
    return [0.3 * text.count("bad"), 0.5 * text.count("good")]


def chance(good: int, bad: int = 0) -> float:
    return 1.0 / (1.0 + math.exp(0.3 * bad - 0.5 * good))


@asynccontextmanager
async def opened(server: OpenAIServer, **settings: Any) -> AsyncIterator[ServerRewards]:
    fields = {
        "model": "m",
        "format": "qwen-prm",
        "base_url": server.base_url.removesuffix("/v1"),
        "backoff_seconds": 0.0,
    }
    verifier = ScoringServer(**{**fields, **settings}).build(Parts())
    yield verifier
    await verifier.close()


async def test_rows_at_marks_become_a_value_of_the_prefix() -> None:
    async with (
        OpenAIServer(scoring=Scoring(likes_good, MARK)) as server,
        opened(server, aggregation="product") as verifier,
    ):
        got = await verifier.score(CANDIDATES, TASK)
    assert got.values == pytest.approx([chance(0) * chance(1) ** 2, chance(1) * chance(2), chance(0, 1)])
    assert got.notes[0] == "steps: 0.50 0.62 0.62"
    assert verifier.spec.kind is ScoreKind.PREFIX_VALUE
    assert verifier.spec.wants == {"steps"}
    assert got.cost.input_tokens == server.counters.input_tokens
    assert (got.cost.calls, got.cost.verifier_calls) == (server.counters.calls, 3) == (3, 3)
    body = server.bodies[0]
    assert body["messages"][-1] == {"role": "assistant", "content": f"one{MARK}good two{MARK}three{MARK}"}
    assert body["add_generation_prompt"] is False


async def test_one_number_for_a_whole_answer() -> None:
    async with OpenAIServer(scoring=Scoring(lambda text: [text.count("good") - 2.0])) as server:
        async with opened(server, format="outcome", api="pooling") as raw:
            got = await raw.score(CANDIDATES, TASK)
            assert list(got.values) == [-1.0, 0.0, -2.0]
            assert server.bodies[-1]["use_activation"] is False
            assert (raw.spec.kind, raw.spec.partial, raw.spec.low) == (ScoreKind.OUTCOME, False, -np.inf)
        form = {"head": "sequence", "layout": "plain", "squash": "sigmoid"}
        async with opened(server, format=form, api="classify") as squashed:
            chances = await squashed.score(CANDIDATES, TASK)
            assert chances.values == pytest.approx([1 / (1 + math.e), 0.5, 1 / (1 + math.e**2)])
        async with opened(server, format="outcome", api="score") as pair:
            assert list((await pair.score(CANDIDATES, TASK)).values) == [-1.0, 0.0, -2.0]
            assert server.bodies[-1]["text_1"] == TASK.question


async def test_refusals_are_tried_again_and_a_failure_is_one_candidates_own() -> None:
    async with OpenAIServer(
        scoring=Scoring(likes_good, MARK), personality=Personality(faults=first(2, Fault("status", status=503)))
    ) as server:
        async with opened(server) as verifier:
            got = await verifier.score(CANDIDATES, TASK)
        assert not got.failures
        assert server.counters.requests == 5
    async with OpenAIServer(
        scoring=Scoring(likes_good, MARK), personality=Personality(faults=every(3, Fault("status", status=400)))
    ) as server:
        async with opened(server) as verifier:
            got = await verifier.score(CANDIDATES, TASK)
        assert len(got.failures) == 1
        assert np.isnan(got.values[list(got.failures)]).all()
        assert got.cost.calls == 2


async def test_a_reply_that_does_not_fit_is_a_failure_and_never_a_score() -> None:
    async with OpenAIServer(scoring=Scoring(likes_good)) as server, opened(server) as verifier:
        got = await verifier.score(CANDIDATES[:1], TASK)
        assert "step_tag_id" in got.failures[0].message
    async with OpenAIServer(
        scoring=Scoring(likes_good, MARK), personality=Personality(faults=every(1, Fault("not-json")))
    ) as server:
        async with opened(server) as verifier:
            got = await verifier.score(CANDIDATES[:1], TASK)
        assert set(got.failures) == {0}
        assert got.uncertain.input_tokens > 0
    async with OpenAIServer(scoring=Scoring(lambda text: [7.5], MARK)) as server, opened(server) as verifier:
        got = await verifier.score([candidate(f"a {MARK}", "b"), candidate("c" * 5000)], TASK)
        assert "mark" in got.failures[0].message
        assert "candidate_tokens" in got.failures[1].message
        assert server.counters.requests == 0
        assert got.cost == Cost(verifier_calls=2)


async def test_unknown_usage_is_an_interval() -> None:
    silent = Personality(usage="missing")
    async with (
        OpenAIServer(scoring=Scoring(likes_good, MARK), personality=silent) as server,
        opened(server) as verifier,
    ):
        got = await verifier.score(CANDIDATES, TASK)
        assert got.cost.input_tokens == 0
        # By what was sent, not by the longest that might have been.
        assert server.counters.input_tokens <= got.uncertain.input_tokens < 3 * verifier.most(TASK).input_tokens


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"api": "classify"}, "number for each step"),
        ({"format": "rlhflow-prm"}, "many turns"),
        ({"headers": {"Authorization": "x"}}, "key"),
        ({"format": "qwen-prn"}, "qwen-prm"),
    ],
)
def test_settings_that_cannot_be_asked(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        ScoringServer(**{"model": "m", "base_url": "http://127.0.0.1:1", "format": "qwen-prm", **settings})


class TestContract(VerifierContract):
    @pytest.fixture
    async def verifier(self) -> Any:
        async with (
            OpenAIServer(scoring=Scoring(likes_good, MARK)) as server,
            opened(server, candidate_tokens=100) as verifier,
        ):
            yield verifier

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [*CANDIDATES, candidate("x" * 300)]
