"""What is reported equals what the server counted; where it cannot be known, the counter lies inside the stated interval."""

from __future__ import annotations

import math

import pytest

from outthink.core import Cost, Message
from outthink.core.cost import total_of
from outthink.engines import ChatPrompt, Generation, Request, StopReason, TextPrompt
from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.usage import Usage, read_usage, shares
from outthink.engines.paid_failure import PaidFailure
from outthink.testing.openai_server import Counters, Fault, Personality, every
from tests.engines.openai.conftest import Pair, cut_when, pair, until

COUNT = ChatPrompt((Message("user", "Count, please."),))
LETTERS = ChatPrompt((Message("user", "Letters"),))
COLUMNS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "calls")


def requests(n: int = 8, *, max_tokens: int = 12, prompt: ChatPrompt | TextPrompt = LETTERS) -> list[Request]:
    return [Request(prompt, seed=i, max_tokens=max_tokens) for i in range(n)]


def same(cost: Cost, counters: Counters) -> bool:
    return all(getattr(cost, name) == getattr(counters, name) for name in COLUMNS)


def inside(both: Pair) -> bool:
    """Whether the server's counts lie between what the engine counted and that plus what it holds for possible."""
    low, more, counted = both.engine.counters(), both.engine.uncertain(), both.server.counters
    return all(
        getattr(low, name) <= getattr(counted, name) <= getattr(low, name) + getattr(more, name)
        for name in ("input_tokens", "output_tokens", "calls")
    )


@pytest.mark.parametrize("stream", ["always", "never"])
@pytest.mark.parametrize("use_n", ["always", "never"])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_the_bill_is_the_servers(stream: str, use_n: str, api: str) -> None:
    async with pair(Personality(reasoning="let me see"), stream=stream, use_n=use_n, api=api) as both:
        got = await both.engine.generate(requests())
        assert all(isinstance(reply, Generation) and not reply.estimated for reply in got)
        assert same(total_of(reply.cost for reply in got if isinstance(reply, Generation)), both.server.counters)
        assert same(both.engine.counters(), both.server.counters)
        assert both.engine.uncertain() == Cost()
        shared = use_n == "always" and api == "chat"
        assert both.server.counters.calls == (1 if shared else 8)
        assert {reply.reasoning for reply in got if isinstance(reply, Generation)} == {"let me see"}
        assert len({reply.text for reply in got if isinstance(reply, Generation)}) > 1


@pytest.mark.parametrize("usage", ["missing", "wrong", "no-stream"])
@pytest.mark.parametrize("stream", ["always", "never"])
async def test_without_a_usage_the_counter_lies_in_the_interval(usage: str, stream: str) -> None:
    stated = Abilities(usage="no" if usage != "no-stream" else "unknown")
    async with pair(Personality(usage=usage), stream=stream, assume=stated) as both:  # type: ignore[arg-type]
        got = await both.engine.generate([*requests(4), *requests(2, prompt=COUNT, max_tokens=40)])
        exact = usage == "no-stream" and stream == "never"
        assert all(isinstance(reply, Generation) and reply.estimated is not exact for reply in got)
        assert inside(both)


async def test_a_report_that_cannot_be_true_is_not_used() -> None:
    """Half of the tokens of a long reply is fewer than its log-probabilities: believed by nobody, even unprobed."""
    async with pair(Personality(usage="wrong")) as both:
        asked = [Request(LETTERS, seed=1, max_tokens=20, wants=frozenset({"log_probs"}))]
        (reply,) = await both.engine.generate(asked)
        assert isinstance(reply, Generation)
        assert reply.estimated
        assert reply.cost.output_tokens <= 20 <= reply.cost.output_tokens + reply.uncertain.output_tokens


async def test_refused_attempts_cost_nothing_and_broken_replies_are_counted() -> None:
    faulty = Personality(faults=every(2, Fault("status", status=500)))
    async with pair(faulty, retries=5) as both:
        got = await both.engine.generate(requests())
        assert all(isinstance(reply, Generation) for reply in got)
        assert same(both.engine.counters(), both.server.counters)
        assert both.server.counters.requests > 8
    for kind in ("truncated-json", "cut-stream", "empty-choices"):
        for stream in ("always", "never"):
            broken = Personality(faults=every(2, Fault(kind, after=2)))  # type: ignore[arg-type]
            async with pair(broken, stream=stream) as both:
                got = await both.engine.generate(requests())
                failed = [reply for reply in got if not isinstance(reply, Generation)]
                assert all(isinstance(failure, PaidFailure) and failure.retryable for failure in failed)
                harmless = kind == "cut-stream" and stream == "never"
                assert len(failed) == (0 if harmless else 4)
                assert both.server.counters.requests == 8, "what may have been billed is not tried again"
                assert inside(both)


@pytest.mark.parametrize("preset", ["vllm", "generic"])
async def test_a_cut_call_is_an_interval_that_holds_the_counter(preset: str) -> None:
    able = Abilities(stream="yes", stream_usage="yes", usage="yes", limits="yes")
    async with pair(Personality(token_seconds=0.01), preset=preset, assume=able) as both:
        cut = cut_when(lambda: both.server.counters.output_tokens >= 4 * 4)
        got = await both.engine.generate(requests(4, max_tokens=100), cut=cut)
        assert all(isinstance(reply, Generation) and reply.stop is StopReason.CANCELLED for reply in got)
        assert all(isinstance(reply, Generation) and reply.estimated and reply.text for reply in got)
        await until(lambda: both.server.counters.in_flight == 0)
        assert inside(both)
        most = both.engine.uncertain().output_tokens
        assert most <= (4 * 17 if preset == "vllm" else 4 * 100)


async def test_finding_a_stop_string_here_closes_the_stream_and_bills_an_interval() -> None:
    able = Abilities(tells_stop="no")
    async with pair(Personality(token_seconds=0.01, tells_stop=False), assume=able) as both:
        (reply,) = await both.engine.generate([Request(COUNT, seed=1, max_tokens=60, stop=("3",))])
        assert isinstance(reply, Generation)
        assert (reply.text, reply.stop, reply.stop_text) == ("1 2 ", StopReason.STOP, "3")
        await until(lambda: both.server.counters.aborts == 1)
        assert both.server.counters.output_tokens < 17
        assert inside(both)


async def test_a_stop_string_that_never_comes_leaves_the_bill_exact() -> None:
    async with pair(Personality(tells_stop=False), assume=Abilities(tells_stop="no")) as both:
        got = await both.engine.generate([Request(COUNT, seed=1, max_tokens=n, stop=("§",)) for n in (5, 40)])
        assert [r.stop for r in got if isinstance(r, Generation)] == [StopReason.LENGTH, StopReason.END]
        assert same(both.engine.counters(), both.server.counters)
        assert not any(r.estimated for r in got if isinstance(r, Generation))


async def test_what_was_counted_once_is_known_exactly() -> None:
    async with pair() as both:
        asked = requests(1)
        before = both.engine.most(asked)[0].input_tokens
        await both.engine.generate(asked)
        after = both.engine.most(asked)[0].input_tokens
        assert after == both.server.counters.input_tokens < before


async def test_money() -> None:
    async with pair() as both:
        (reply,) = await both.engine.generate(requests(1))
        assert isinstance(reply, Generation)
        c = reply.cost
        uncached = c.input_tokens - c.cached_input_tokens
        assert c.money == pytest.approx((uncached * 1.0 + c.cached_input_tokens * 0.5 + c.output_tokens * 4.0) / 1e6)
    async with pair(prices=None) as both:
        (reply,) = await both.engine.generate(requests(1))
        assert isinstance(reply, Generation)
        assert math.isnan(reply.cost.money)
        assert math.isnan(both.engine.most(requests(1))[0].money)


def test_usage_is_read_in_every_form() -> None:
    assert read_usage({"prompt_tokens": 5, "completion_tokens": 3}) == Usage(5, 3)
    assert read_usage({"input_tokens": 5, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 9}}) == Usage(
        5, 3, 5
    )
    assert read_usage({"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": None}) == Usage(5, 3)
    assert read_usage({"prompt_tokens": 5, "completion_tokens": 3, "prompt_cache_hit_tokens": 2}) == Usage(5, 3, 2)
    for bad in (
        None,
        7,
        {},
        {"prompt_tokens": -1, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 1},
    ):
        assert read_usage(bad) is None


def test_shares_add_up() -> None:
    assert shares(10, [1, 1, 1]) == [4, 3, 3]
    assert shares(0, [3, 1]) == [0, 0]
    assert shares(7, [0, 0]) == [4, 3]
    assert shares(5, []) == []
