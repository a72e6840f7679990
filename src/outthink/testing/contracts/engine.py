"""What every engine must keep: true bills, hard limits, stop strings, seeds, order, failures as values, quick cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from outthink.core import ContextOverflow, Cost, Cut, EngineClosed, Failure
from outthink.core.cost import COUNTED, total_of
from outthink.engines import (
    Engine,
    Generation,
    Prompt,
    Request,
    Sampling,
    ScoresContinuations,
    StopReason,
    TextPrompt,
    Tokenizing,
    TokenPrompt,
)


@pytest.mark.asyncio
class EngineContract:
    """Provide the fixture `engine`, a fresh one for each test, and prompts that it takes. The suite closes it."""

    prompts: tuple[Prompt, ...] = (TextPrompt("one"), TextPrompt("one two"), TextPrompt("three"))
    """At least three prompts whose replies are usually longer than a few tokens."""

    max_tokens = 8
    long = 64
    """A reply long enough to be interrupted `cut_after` seconds after it began."""

    cut_after = 0.02
    patience = 5.0
    """Seconds within which a cancelled call must come back."""

    tolerance = 1e-3
    """How far log-probabilities of the same tokens may differ, nats."""

    @pytest.fixture
    def engine(self) -> Any:
        """The engine under test."""
        raise NotImplementedError("Provide the fixture `engine`.")

    def requests(self, **changes: Any) -> list[Request]:
        """One request a prompt, each with its own seed."""
        fields = {"max_tokens": self.max_tokens, **changes}
        return [Request(prompt=prompt, seed=100 + i, **fields) for i, prompt in enumerate(self.prompts)]

    async def replies(self, engine: Engine, requests: Sequence[Request], cut: Cut | None = None) -> list[Generation]:
        """Generations; none may have failed."""
        got = await engine.generate(requests, cut=cut)
        assert len(got) == len(requests)
        assert not [reply for reply in got if isinstance(reply, Failure)]
        return [reply for reply in got if isinstance(reply, Generation)]

    def within(self, cost: Cost, most: Cost) -> bool:
        """Whether a cost keeps a promise, column by column."""
        return all(cost.column(column) <= most.column(column) for column in (*COUNTED[:1], *COUNTED[2:], "tokens"))

    async def test_the_bill_equals_the_counters(self, engine: Engine) -> None:
        paid = Cost()
        for _ in range(2):
            before = engine.counters()
            got = await self.replies(engine, self.requests())
            cost = total_of(reply.cost for reply in got)
            if not any(reply.estimated for reply in got):
                counted = engine.counters() - before
                # Money is a sum of fractions, added up in the order in which replies came.
                assert counted.money == pytest.approx(cost.money)
                assert msgspec.structs.replace(counted, money=cost.money) == cost
            paid = paid + cost
        assert paid.calls == 2 * len(self.prompts)
        assert paid.output_tokens > 0
        await engine.close()

    async def test_most_is_a_bound_and_costs_nothing(self, engine: Engine) -> None:
        for _ in range(2):
            requests, before = self.requests(), engine.counters()
            most = engine.most(requests)
            assert engine.counters() == before
            assert len(most) == len(requests)
            for reply, bound in zip(await self.replies(engine, requests), most, strict=True):
                assert isinstance(bound, Cost)
                assert self.within(reply.cost, bound)
        await engine.close()

    async def test_the_uncached_input_promised_is_all_that_is_billed(self, engine: Engine) -> None:
        await self.replies(engine, self.requests())
        for reply in await self.replies(engine, self.requests(max_uncached=1)):
            assert reply.cost.input_tokens - reply.cost.cached_input_tokens <= 1
        await engine.close()

    async def test_limits_are_hard(self, engine: Engine) -> None:
        if engine.capabilities.honours_limits:
            for limit in (1, 3):
                for reply in await self.replies(engine, self.requests(max_tokens=limit)):
                    assert reply.cost.output_tokens <= limit
                    assert reply.tokens is None or len(reply.tokens) <= limit
                    if reply.stop is StopReason.LENGTH:
                        assert limit <= reply.cost.output_tokens + reply.uncertain.output_tokens
        await engine.close()

    async def test_stop_strings_cut_the_text_before_them(self, engine: Engine) -> None:
        """A stop string taken from the middle of a reply, which need not begin or end with a token."""
        if engine.capabilities.seeds:
            for plain, request in zip(await self.replies(engine, self.requests()), self.requests(), strict=True):
                middle = len(plain.text) // 2
                stop = plain.text[middle - 1 : middle + 1]
                if not stop:
                    continue
                again = Request(
                    prompt=request.prompt, seed=request.seed, max_tokens=self.max_tokens, stop=("§§§", stop)
                )
                (cut,) = await self.replies(engine, [again])
                assert cut.text == plain.text[: plain.text.index(stop)]
                assert cut.stop is StopReason.STOP
                assert cut.stop_text == stop
                assert cut.cost.output_tokens <= plain.cost.output_tokens
        await engine.close()

    async def test_a_seed_decides_the_reply(self, engine: Engine) -> None:
        if engine.capabilities.seeds:
            one = await self.replies(engine, self.requests())
            two = await self.replies(engine, self.requests())
            assert [reply.text for reply in one] == [reply.text for reply in two]
            many = [Request(prompt=self.prompts[0], seed=seed, max_tokens=self.max_tokens) for seed in range(8)]
            assert len({reply.text for reply in await self.replies(engine, many)}) > 1
        await engine.close()

    async def test_replies_come_in_order_and_alone_as_in_company(self, engine: Engine) -> None:
        if engine.capabilities.exact and engine.capabilities.seeds:
            together = await self.replies(engine, self.requests())
            alone = [(await self.replies(engine, [request]))[0] for request in reversed(self.requests())]
            assert [reply.text for reply in together] == [reply.text for reply in reversed(alone)]
        assert await engine.generate([]) == []
        await engine.close()

    async def test_greedy_needs_no_seed(self, engine: Engine) -> None:
        greedy = Sampling(temperature=0.0)
        several = [
            Request(prompt=self.prompts[0], seed=seed, max_tokens=self.max_tokens, sampling=greedy) for seed in range(3)
        ]
        if engine.capabilities.exact:
            assert len({reply.text for reply in await self.replies(engine, several)}) == 1
        await engine.close()

    async def test_log_probs_when_wanted(self, engine: Engine) -> None:
        if engine.capabilities.log_probs:
            for reply in await self.replies(engine, self.requests(wants=frozenset({"log_probs"}))):
                assert reply.log_probs is not None
                assert reply.tokens is None or len(reply.log_probs) == len(reply.tokens)
                assert max(reply.log_probs) <= 1e-6
        for reply in await self.replies(engine, self.requests()):
            assert reply.log_probs is None
            assert reply.hidden is None
        await engine.close()

    async def test_a_prompt_too_long_fails_alone_and_costs_nothing(self, engine: Engine) -> None:
        context = engine.capabilities.context
        if context is not None:
            bad = Request(prompt=TextPrompt("word " * (4 * context)), seed=1, max_tokens=4)
            good = self.requests()[0]
            with pytest.raises(ContextOverflow):
                engine.price(bad)
            quote, bound = engine.most([bad, good])
            assert isinstance(quote, Failure)
            assert quote.kind == "ContextOverflow"
            assert bound == engine.price(good), "one that cannot be served changes the price of another"
            before = engine.counters()
            failure, reply = await engine.generate([bad, good])
            assert isinstance(failure, Failure)
            assert failure.kind == "ContextOverflow"
            assert isinstance(reply, Generation)
            assert engine.counters() - before == reply.cost
        await engine.close()

    async def test_a_cut_before_the_call(self, engine: Engine) -> None:
        cut, before = Cut(), engine.counters()
        cut.fire("interrupt")
        got = await self.replies(engine, self.requests(), cut)
        assert {reply.stop for reply in got} == {StopReason.CANCELLED}
        assert engine.counters() - before == total_of(reply.cost for reply in got)
        assert sum(reply.cost.output_tokens for reply in got) == 0
        await engine.close()

    async def test_a_cut_within_the_call(self, engine: Engine) -> None:
        cut, before = Cut(), engine.counters()
        asyncio.get_running_loop().call_later(self.cut_after, cut.fire, "interrupt")
        requests = self.requests(max_tokens=self.long)
        got = await asyncio.wait_for(self.replies(engine, requests, cut), self.patience)
        assert all(reply.cost.output_tokens <= self.long for reply in got)
        if not any(reply.estimated for reply in got):
            assert engine.counters() - before == total_of(reply.cost for reply in got)
        full = dict(zip(map(id, requests), await self.replies(engine, requests), strict=True))
        if engine.capabilities.exact and engine.capabilities.seeds:
            for request, reply in zip(requests, got, strict=True):
                assert full[id(request)].text.startswith(reply.text), "what was generated before the cut was changed"
        await engine.close()

    async def test_closing(self, engine: Engine) -> None:
        await engine.close()
        await engine.close()
        with pytest.raises(EngineClosed):
            await engine.generate(self.requests())

    async def test_text_survives_the_tokenizer(self, engine: Engine) -> None:
        if isinstance(engine, Tokenizing):
            for text in ("a plain text", "naïve – 数学 🙂", " spaces  and\n\nlines\n", ""):
                assert engine.tokenizer.decode(engine.tokenizer.encode(text)) == text
            assert engine.tokenizer.end_tokens
            assert engine.tokenizer.decode(sorted(engine.tokenizer.end_tokens)) == ""
        await engine.close()

    async def test_continuations_are_rated_as_they_were_generated(self, engine: Engine) -> None:
        if isinstance(engine, Tokenizing) and isinstance(engine, ScoresContinuations):
            prompt = TokenPrompt(engine.tokenizer.encode("one two"))
            request = Request(prompt=prompt, seed=5, max_tokens=self.max_tokens, wants=frozenset({"log_probs"}))
            (reply,) = await self.replies(engine, [request])
            assert reply.tokens
            before = engine.counters()
            rated, nothing = await engine.log_probs([(prompt, reply.tokens), (prompt, ())])
            assert not isinstance(rated, Failure)
            assert not isinstance(nothing, Failure)
            assert np.allclose(rated.log_probs, reply.log_probs or (), rtol=0, atol=self.tolerance)
            assert nothing.log_probs == ()
            assert engine.counters() - before == rated.cost + nothing.cost
        await engine.close()
