"""Two words read by the embedded engine: the scores against the engine asked directly, the bill against its counters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from outthink.core import Candidate, Cost, Failure, Incompatible, Parts, ScoreKind, SettingsError, Task
from outthink.engines.engine import TokenPrompt
from outthink.testing.contracts import VerifierContract
from outthink.verify import EmbeddedRewardModel, RewardFormat
from outthink.verify.embedded_reward_model import EmbeddedRewards
from tests.needs import need

TASK = Task(prompt="3 5 7 -> 22")
TEXTS = ("5*3=15", "3+5=8", "5*3=15\n15+7=22")
CANDIDATES = [Candidate(content=text, final=False) for text in TEXTS]
SETTINGS = EmbeddedRewardModel(
    model="laboratory", format="laboratory-value", split="\n", memory=30.0, candidate_tokens=64
)


@pytest.fixture(scope="module")
def rewards() -> Iterator[EmbeddedRewards]:
    need("llama-cpp")
    opened = SETTINGS.build(Parts())
    yield opened
    asyncio.run(opened.close())


async def test_the_score_is_the_chance_of_the_good_word_among_the_two(rewards: EmbeddedRewards) -> None:
    got = await rewards.score(CANDIDATES, TASK)
    engine, tokenizer = rewards.engine, rewards.engine.tokenizer
    for text, value in zip(TEXTS, got.values, strict=True):
        prompt = TokenPrompt((*tokenizer.opening, *tokenizer.encode(f"{TASK.question}\n{text}\n")))
        replies = await engine.log_probs([(prompt, tokenizer.encode(word)) for word in "+-"])
        good, bad = (one.log_probs[0] for one in replies if not isinstance(one, Failure))
        assert value == pytest.approx(np.exp(good) / (np.exp(good) + np.exp(bad)), abs=1e-3)


async def test_only_the_new_line_is_paid_for(rewards: EmbeddedRewards) -> None:
    question = Task(prompt="12+7*3-5")
    lines = ["7*3=21", "12+21=33", "33-5=28"]
    paid = []
    for k in range(3):
        cost = (await rewards.score([Candidate(content="\n".join(lines[: k + 1]), final=k == 2)], question)).cost
        paid.append(cost.tokens)
    assert paid[0] >= len("12+7*3-5\n7*3=21\n")
    # A line with its end, the mark before it once more, and a token for the second word.
    assert all(tokens <= len(line) + 3 for tokens, line in zip(paid[1:], lines[1:], strict=True))


async def test_the_bill_is_the_engines(rewards: EmbeddedRewards) -> None:
    before = rewards.engine.counters()
    scores = await rewards.score([*CANDIDATES, CANDIDATES[0]], TASK)
    assert rewards.engine.counters() - before == scores.cost - Cost(verifier_calls=4)


async def test_a_long_candidate_fails_by_itself(rewards: EmbeddedRewards) -> None:
    got = await rewards.score([CANDIDATES[0], Candidate(content="1" * 80), Candidate(content="")], TASK)
    assert set(got.failures) == {1}
    assert "candidate_tokens" in got.failures[1].message
    assert got.notes[2] == "nothing to rate"


def test_it_rates_prefixes(rewards: EmbeddedRewards) -> None:
    assert rewards.spec.kind is ScoreKind.PREFIX_VALUE
    assert rewards.spec.partial
    assert not rewards.spec.wants, "the text is split here, so that nothing need be shown"


def test_what_cannot_be_read_so_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(SettingsError, match="two words"):
        EmbeddedRewardModel(model="laboratory", format="qwen-prm")
    with pytest.raises(SettingsError, match="Aggregated"):
        EmbeddedRewardModel(model="laboratory", format="laboratory-value", aggregation="min")


def test_words_of_several_tokens_are_refused(rewards: EmbeddedRewards) -> None:
    words = RewardFormat(head="words", layout="plain", mark="\n", good="good", bad="bad")
    with pytest.raises(Incompatible, match="single tokens"):
        EmbeddedRewardModel(model="laboratory", format=words, memory=30.0).build(Parts())


class TestContract(VerifierContract):
    tolerance = 1e-3

    @pytest.fixture
    def verifier(self, rewards: EmbeddedRewards) -> EmbeddedRewards:
        return rewards

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return CANDIDATES

    @pytest.fixture
    def task(self) -> Task:
        return TASK
