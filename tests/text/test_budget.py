"""What a step may spend: claims before the call, replies made shorter, slots that wait, and nothing ever over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from outthink.core import Allowance, Budget, ContextOverflow, Cost, Cut, EngineError, Incompatible, Ledger
from outthink.core.errors import EngineClosed
from outthink.engines.engine import Generation, Request
from outthink.engines.paid_failure import PaidFailure
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_behaviour import Call
from outthink.engines.scripted_tokens import END
from outthink.text import Delimiter, Tokens
from tests.text.scripts import PROMPT, advance, begun, engine_of, key, letters, process_of

PROMPT_TOKENS = len(PROMPT)


def endless(text: str) -> Mapping[str, float]:
    return {"a": 0.5, "b": 0.5}


def short(text: str) -> Mapping[str, float]:
    return {END: 1.0} if text.endswith("b") else {"b": 1.0}


async def test_each_slot_claims_its_prompt_its_call_and_its_whole_reply() -> None:
    process = process_of(engine_of(endless, ()), stepper=Tokens(n=3))
    allowance = Allowance(Ledger(Budget(tokens=1000)))
    await process.advance(await begun(process, 4, 0), key().seeds(4), allowance=allowance)
    # The first pays for the prompt that all share; the last prompt token is computed for each.
    assert allowance.claimed.tokens == PROMPT_TOKENS + 3 + 3 * (1 + 3)
    assert allowance.claimed.calls == 4


async def test_requests_carry_the_limits_that_were_granted() -> None:
    engine = engine_of(endless, ())
    process = process_of(engine, stepper=Tokens(n=3))
    await begun(process, 2, 1)
    assert [request.max_tokens for request in engine.requests] == [3, 3]
    assert [request.max_uncached for request in engine.requests] == [PROMPT_TOKENS, 1]


async def test_a_reply_is_made_shorter_to_fit_and_the_slot_is_short() -> None:
    engine = engine_of(endless, ())
    process = process_of(engine, stepper=Delimiter(text="\n"), max_tokens=50, least_tokens=5)
    got = await advance(process, await begun(process, 3, 0), Budget(tokens=PROMPT_TOKENS + 20))
    assert got.was_short().tolist() == [True, False, False]
    assert got.was_untouched().tolist() == [False, True, True]
    assert got.states[0].length == 20
    assert not got.done.any()
    assert not got.states[0].marks
    assert got.cost.tokens == PROMPT_TOKENS + 20
    assert engine.counters() == got.cost
    ended = await advance(process, got.states[:1])
    assert (ended.states[0].length, ended.states[0].stop) == (50, "length")


async def test_a_shorter_reply_that_ends_by_itself_is_not_short() -> None:
    process = process_of(engine_of(short, ()), max_tokens=50, least_tokens=5)
    got = await advance(process, await begun(process, 1, 0), Budget(tokens=PROMPT_TOKENS + 20))
    assert got.done.all()
    assert not got.was_short().any()


async def test_nothing_useful_fits() -> None:
    engine = engine_of(endless, ())
    process = process_of(engine, max_tokens=50, least_tokens=5)
    got = await advance(process, await begun(process, 3, 0), Budget(tokens=PROMPT_TOKENS + 4))
    assert got.was_untouched().all()
    assert got.cost == engine.counters() == Cost()
    assert engine.requests == []


@pytest.mark.parametrize("column", ["tokens", "output_tokens", "calls", "input_tokens"])
@pytest.mark.parametrize("limit", range(1, 40, 3))
async def test_no_cap_is_passed(column: str, limit: int) -> None:
    engine = engine_of(letters, ())
    process = process_of(engine, stepper=Delimiter(text="\n"), max_tokens=6, least_tokens=1)
    ledger = Ledger(Budget(**{column: limit}))
    states = await begun(process, 5, 0)
    for step in range(6):
        allowance = Allowance(ledger)
        got = await process.advance(states, key().child(step).seeds(5), allowance=allowance)
        assert got.cost.column(column) <= allowance.claimed.column(column)
        ledger.settle(allowance.claimed, got.cost, "generate", got.uncertain)
        assert ledger.total.column(column) <= limit
        states = got.states
        if got.was_untouched().all():
            break
    assert ledger.total == engine.counters()


class Priced(ScriptedEngine):
    """A call costs 0.5 and each token of a reply 0.25, or what nobody knows."""

    token_price = 0.25

    def priced(self, cost: Cost) -> Cost:
        money = 0.5 * cost.calls + self.token_price * cost.output_tokens
        return msgspec.structs.replace(cost, money=money)

    def most(self, requests: Sequence[Request]) -> list[Cost]:
        return [self.priced(cost) for cost in super().most(requests)]

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Any]:
        replies = await super().generate(requests, cut=cut)
        return [replace(r, cost=self.priced(r.cost)) if isinstance(r, Generation) else r for r in replies]


class Unpriced(Priced):
    """Nobody knows what it costs."""

    token_price = float("nan")


async def test_money_is_claimed_by_the_token() -> None:
    process = process_of(engine_of(endless, (), Priced), max_tokens=50, least_tokens=1)
    got = await advance(process, await begun(process, 1, 0), Budget(money=2.0))
    assert got.states[0].length == 6
    assert got.cost.money == pytest.approx(2.0)


async def test_an_unknown_price_cannot_be_limited() -> None:
    engine = engine_of(endless, (), Unpriced)
    process = process_of(engine, max_tokens=50)
    with pytest.raises(Incompatible, match="money"):
        await advance(process, await begun(process, 1, 0), Budget(money=2.0))
    assert engine.requests == []
    got = await advance(process, await begun(process, 1, 0), Budget(tokens=99))
    assert got.done.all()


# -- what goes wrong ------------------------------------------------------------------------------------------------


async def test_one_failed_member_leaves_the_others() -> None:
    def fails(call: Call) -> EngineError | None:
        return EngineError("broken", status=500) if call.index == 1 else None

    process = process_of(engine_of(short, (), fails=fails))
    states = await begun(process, 4, 0)
    got = await advance(process, states)
    assert set(got.failures) == {1}
    assert (got.failures[1].message, got.failures[1].status) == ("broken", 500)
    assert got.done.tolist() == [True, False, True, True]
    assert got.states[1] == states[1]
    assert got.cost == process.engine.counters()


async def test_a_failure_in_a_later_step_holds_the_input_and_keeps_the_bill() -> None:
    def fails(call: Call) -> EngineError | None:
        return EngineError("broken") if call.index == 2 else None

    engine = engine_of(endless, (), fails=fails)
    process = process_of(engine, stepper=Tokens(n=2))
    states = await begun(process, 2, 0)
    got = await advance(process, states, steps=2)
    assert set(got.failures) == {0}
    assert got.states[0] == states[0]
    assert got.states[1].length == 4
    assert got.cost == engine.counters()


async def test_a_prompt_over_the_window_is_refused_before_it_costs_anything() -> None:
    engine = engine_of(endless, (), context=PROMPT_TOKENS)
    process = process_of(engine)
    with pytest.raises(ContextOverflow):
        await advance(process, await begun(process, 3, 0))
    assert engine.requests == []


async def test_one_prompt_over_the_window_fails_alone() -> None:
    engine = engine_of(short, (), context=200)
    process = process_of(engine)
    states = (await advance(process, await begun(process, 2, 0))).states
    seeds, allowance = key().seeds(2), Allowance()
    got = await process.revise(states, ["x" * 400, "ok"], seeds, allowance=allowance)
    assert {row: failure.kind for row, failure in got.failures.items()} == {0: "ContextOverflow"}
    assert got.done.tolist() == [True, True]
    assert got.states[0] == states[0]


async def test_a_cut_keeps_what_was_generated() -> None:
    cut = Cut()

    def script(text: str) -> Mapping[str, float]:
        if text.endswith("aaaaa"):
            cut.fire("interrupt")
        return {END: 1.0} if text.endswith("b") else {"a": 0.9, "b": 0.1}

    engine = engine_of(script, (), token_seconds=0.0001)
    process = process_of(engine, max_tokens=500)
    got = await advance(process, await begun(process, 6, 0), cut=cut)
    short_rows = got.was_short()
    assert short_rows.any()
    assert (got.done | short_rows).all()
    assert not (got.done & short_rows).any()
    for row in np.flatnonzero(short_rows):
        assert got.states[row].text.strip("a") == ""
    assert max(len(state.text) for state in got.states) >= 5
    assert got.cost == engine.counters()
    ended = await advance(process, got.states)
    assert ended.done.all()
    assert all(ended.states[row].text.startswith(got.states[row].text) for row in range(6))


async def test_a_cut_between_two_steps_leaves_the_rest_short() -> None:
    cut = Cut()

    def script(text: str) -> Mapping[str, float]:
        if text.endswith("a"):
            cut.fire("seconds")
        return {"a": 1.0}

    process = process_of(engine_of(script, ()), stepper=Tokens(n=2))
    got = await advance(process, await begun(process, 1, 0), steps=3, cut=cut)
    assert got.was_short().all()
    assert got.states[0].length <= 2


class BreaksOff(ScriptedEngine):
    """The second reply broke off: it was billed, and nobody knows how far it went."""

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Any]:
        replies = await super().generate(requests, cut=cut)
        lost = PaidFailure("EngineError", "broke off", cost=replies[1].cost, uncertain=Cost(output_tokens=7))
        return [replies[0], lost, *replies[2:]]


async def test_a_failure_that_was_billed_is_on_the_bill() -> None:
    engine = engine_of(short, (), BreaksOff)
    got = await advance(process_of(engine), await begun(process_of(engine), 3, 0))
    assert set(got.failures) == {1}
    assert got.cost == engine.counters()
    assert got.uncertain == Cost(output_tokens=7)


class BreaksAfterOne(ScriptedEngine):
    """Serves one call, and is closed after it."""

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Any]:
        replies = await super().generate(requests, cut=cut)
        await self.close()
        return replies


async def test_an_engine_that_breaks_between_two_steps_of_a_call_leaves_the_bill() -> None:
    engine = engine_of(short, (), BreaksAfterOne)
    process = process_of(engine, stepper=Tokens(n=1))
    given = await begun(process, 3, 0)
    got = await advance(process, given, steps=2)
    assert {failure.kind for failure in got.failures.values()} == {"EngineClosed"}
    assert got.states == given
    assert got.cost == engine.counters()
    assert got.cost.output_tokens == 3
    with pytest.raises(EngineClosed):
        await advance(process, given, steps=2)
