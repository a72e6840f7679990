"""The run: what it pays, whom it serves, what it keeps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Batch,
    Budget,
    BudgetExhausted,
    Cost,
    Incompatible,
    Key,
    LogMap,
    Process,
    Run,
    Session,
    Verifier,
    VerifierError,
)
from outthink.core.events import Advanced, Charged, MemberFailed, Scored, Warned
from outthink.testing import (
    Flaky,
    FunctionOfAnswer,
    FunctionOfContent,
    GaussianChain,
    Prices,
    Slow,
    TokenChain,
    run_virtual,
)

KEY = Key(11)


def chain(length: int = 4, stop: float = 0.0) -> TokenChain:
    return TokenChain("ab", length=length, stop=stop)


def count_b(text: str) -> float:
    return float(text.count("b"))


def open_run(
    process: Process[Any] | None = None, budget: Budget | None = None, verifier: Verifier | None = None, **more: Any
) -> Run:
    return Run(process or chain(), Session.open(seed=1, budget=budget), verifier=verifier, **more)


def texts(batch: Batch) -> list[str]:
    process: Any = batch.process
    return list(process.texts(batch.states))


async def test_starting_is_free_and_numbers_the_nodes() -> None:
    run = open_run()
    first, second = await run.start(3, KEY), await run.start(2, KEY.child("more"))
    assert first.id.tolist() == [0, 1, 2]
    assert second.id.tolist() == [3, 4]
    assert run.session.ledger.total == Cost()
    assert not first.done.any()


async def test_advancing_pays_numbers_and_records() -> None:
    run = open_run()
    moved = await run.advance(await run.start(3, KEY), KEY)
    assert moved.moved.all()
    assert not moved.short.any()
    assert moved.batch.id.tolist() == [3, 4, 5]
    assert moved.batch.depth.tolist() == [1, 1, 1]
    assert run.session.ledger.total == Cost(calls=3, output_tokens=3)
    assert run.session.ledger.bill().by_role == {"generate": Cost(calls=3, output_tokens=3)}
    event = next(e for e in run.session.trace.events if isinstance(e, Advanced))
    assert (event.parents, event.nodes, event.done) == ((0, 1, 2), (3, 4, 5), (False, False, False))
    charged = [e for e in run.session.trace.events if isinstance(e, Charged)]
    assert [(e.role, e.tokens, e.calls) for e in charged] == [("generate", 3, 3)]


async def test_the_finished_and_the_failed_pass_through() -> None:
    run = open_run()
    batch = (await run.advance(await run.start(4, KEY), KEY, steps=None)).batch
    assert batch.done.all()
    spent = run.session.ledger.total
    again = await run.advance(batch, KEY)
    assert not again.moved.any()
    assert again.batch is batch
    assert run.session.ledger.total == spent


@pytest.mark.parametrize("cap", [*range(1, 14), 16, 100])
@pytest.mark.parametrize("column", ["tokens", "output_tokens", "calls"])
async def test_micro_batches_serve_the_same_members(column: str, cap: int) -> None:
    """Claims are made in slot order and nobody overtakes, so that what fits does not depend on the size of a call."""
    outcomes = []
    for max_batch in (None, 1, 2, 3):
        run = open_run(chain(stop=0.3), Budget(**{column: cap}), max_batch=max_batch)
        moved = await run.advance(await run.start(5, KEY), KEY, steps=None)
        assert run.session.ledger.total.column(column) <= cap
        assert run.session.ledger.claimed == Cost()
        outcome = (texts(moved.batch), moved.moved.tolist(), moved.short.tolist(), moved.batch.id.tolist(), run.limit)
        outcomes.append(outcome)
    assert outcomes == [outcomes[0]] * 4
    if cap >= 20:
        assert outcomes[0][1] == [True] * 5
        assert outcomes[0][4] == ""


async def test_what_others_return_serves_those_who_wait() -> None:
    """Everyone claims four tokens and few use them; with eight in all, more than two members are served."""
    run = open_run(TokenChain("ab", length=4, stop=0.9), Budget(tokens=8))
    moved = await run.advance(await run.start(5, KEY), KEY, steps=None)
    assert moved.moved.sum() > 2
    assert run.session.ledger.total.tokens <= 8


async def test_starved_members_come_back_whole_and_are_told() -> None:
    run = open_run(budget=Budget(tokens=6))
    start = await run.start(3, KEY)
    moved = await run.advance(start, KEY, steps=None)
    assert [len(text) for text in texts(moved.batch)] == [4, 2, 0]
    assert moved.batch.done.tolist() == [True, False, False]
    assert moved.moved.tolist() == [True, True, False]
    assert moved.short.tolist() == [False, True, True]
    assert moved.batch.id[2] == start.id[2]
    assert run.limit == "tokens"
    with pytest.raises(BudgetExhausted, match="tokens") as caught:
        await run.advance(moved.batch, KEY)
    assert caught.value.limit == "tokens"
    assert run.session.ledger.total.tokens == 6


async def test_the_verifiers_share_is_kept_for_those_who_moved() -> None:
    """Only as many members are paid for as can be judged, however the calls are cut."""
    for max_batch in (None, 1, 3, 64):
        verifier = FunctionOfContent(count_b)
        run = open_run(budget=Budget(verifier_calls=10), verifier=verifier, max_batch=max_batch)
        moved = await run.advance(await run.start(64, KEY), KEY)
        assert moved.moved.sum() == 10
        assert run.limit == "verifier_calls"
        score = await run.score(moved.batch)
        assert (~np.isnan(score)).sum() == 10
        assert run.session.ledger.total == Cost(calls=10, output_tokens=10, verifier_calls=10)


async def test_members_that_nobody_will_judge_need_no_share() -> None:
    run = open_run(budget=Budget(verifier_calls=1), verifier=FunctionOfContent(count_b))
    moved = await run.advance(await run.start(5, KEY), KEY, scored=False)
    assert moved.moved.all()


async def test_shares_of_dropped_members_return_at_the_end() -> None:
    run = open_run(budget=Budget(verifier_calls=4), verifier=FunctionOfContent(count_b))
    moved = await run.advance(await run.start(4, KEY), KEY)
    assert run.session.ledger.claimed == Cost(verifier_calls=4)
    await run.score(moved.batch.take([0]))
    assert run.session.ledger.claimed == Cost(verifier_calls=3)
    run.finish()
    assert run.session.ledger.claimed == Cost()


async def test_each_node_is_judged_once() -> None:
    verifier = FunctionOfContent(count_b)
    run = open_run(verifier=verifier)
    moved = await run.advance(await run.start(3, KEY), KEY)
    forks = moved.batch.take([0, 0, 2, 0])
    score = await run.score(forks)
    assert score.tolist() == [count_b(text) for text in texts(forks)]
    assert verifier.rounds == [2]
    assert (await run.score(moved.batch)).tolist() == [count_b(text) for text in texts(moved.batch)]
    assert verifier.rounds == [2, 1]
    await run.score(forks)
    assert verifier.rounds == [2, 1]
    scored = [e for e in run.session.trace.events if isinstance(e, Scored)]
    assert [e.nodes for e in scored] == [(3, 5), (4,)]
    moved = await run.advance(forks, KEY.child("next"))
    await run.score(moved.batch)
    assert verifier.rounds == [2, 1, 4], "forks that moved on are new nodes"


async def test_a_verifier_of_finished_answers_sees_only_those() -> None:
    verifier = FunctionOfContent(count_b, partial=False)
    run = open_run(TokenChain("ab", length=4, stop=0.5), verifier=verifier)
    moved = await run.advance(await run.start(8, KEY), KEY)
    score = await run.score(moved.batch)
    assert np.isnan(score).tolist() == (~moved.batch.done).tolist()
    assert 0 < moved.batch.done.sum() < 8
    assert verifier.rounds == [int(moved.batch.done.sum())]


async def test_scores_left_out_by_the_budget_are_told() -> None:
    run = open_run(budget=Budget(verifier_calls=2), verifier=FunctionOfContent(count_b))
    moved = await run.advance(await run.start(5, KEY), KEY, scored=False)
    score = await run.score(moved.batch)
    assert np.isnan(score).tolist() == [False, False, True, True, True]
    assert run.limit == "verifier_calls"
    assert any("3 members without a score" in e.message for e in run.session.trace.events if isinstance(e, Warned))


@pytest.mark.parametrize(
    ("function", "low", "high", "got"),
    [
        (lambda text: 1.5, 0.0, 1.0, "1.5"),
        (lambda text: -0.1, 0.0, 1.0, "-0.1"),
        (lambda text: math.inf, 0.0, 1.0, "inf"),
    ],
)
async def test_scores_outside_the_range_stop_the_run(
    function: Callable[[str], float], low: float, high: float, got: str
) -> None:
    run = open_run(verifier=FunctionOfContent(function, low=low, high=high, log_map=LogMap.PROBABILITY))
    moved = await run.advance(await run.start(2, KEY), KEY)
    with pytest.raises(VerifierError, match=r"node 2 .*range") as caught:
        await run.score(moved.batch)
    assert got in str(caught.value)
    assert run.session.ledger.total.verifier_calls == 2, "what was judged is paid all the same"


async def test_no_opinion_is_not_a_score_of_nought() -> None:
    verifier = FunctionOfContent(lambda text: math.nan if text == "a" else 1.0)
    run = open_run(verifier=verifier)
    moved = await run.advance(await run.start(6, KEY), KEY)
    score = await run.score(moved.batch)
    assert np.isnan(score).tolist() == [text == "a" for text in texts(moved.batch)]
    assert np.isnan(score).any()
    await run.score(moved.batch)
    assert verifier.rounds == [6], "no opinion is remembered too"


async def test_a_verifier_that_breaks_on_one_candidate_judges_the_others() -> None:
    run = open_run(verifier=FunctionOfContent(count_b, fails=lambda candidate: candidate.id == 4))
    moved = await run.advance(await run.start(3, KEY), KEY)
    score = await run.score(moved.batch)
    assert np.isnan(score).tolist() == [False, True, False]
    assert run.scores is not None
    assert run.scores.failures[4].message == "told to fail"


async def test_the_wrong_number_of_scores_is_refused() -> None:
    class Short(FunctionOfContent):
        async def score(self, candidates: Any, task: Any) -> Any:
            return await super().score(candidates[1:], task)

    run = open_run(verifier=Short(count_b))
    moved = await run.advance(await run.start(3, KEY), KEY)
    with pytest.raises(VerifierError, match="number of scores"):
        await run.score(moved.batch)


async def test_without_a_verifier_nothing_can_be_scored() -> None:
    run = open_run()
    with pytest.raises(Incompatible, match="verifier"):
        await run.score(await run.start(1, KEY))


async def test_failed_members_keep_their_state_and_their_cause() -> None:
    run = open_run(Flaky(chain(), 0.5))
    start = await run.start(8, KEY)
    first = await run.advance(start, KEY)
    failed = first.batch.failed
    assert 0 < failed.sum() < 8
    assert (first.moved == ~failed).all()
    assert first.batch.id[failed].tolist() == start.id[failed].tolist()
    inner: Any = run.process
    assert [text == "" for text in inner.inner.texts(first.batch.states)] == failed.tolist()
    assert {node: failure.message for node, failure in run.failures.items()} == dict.fromkeys(
        start.id[failed].tolist(), "told to fail"
    )
    assert len([e for e in run.session.trace.events if isinstance(e, MemberFailed)]) == failed.sum()
    second = await run.advance(first.batch, KEY.child("next"))
    assert not (second.moved & failed).any(), "the failed are not tried again"
    assert (second.batch.failed >= failed).all()


async def test_failed_members_are_not_judged() -> None:
    verifier = FunctionOfContent(count_b)
    run = open_run(Flaky(chain(), 0.5), verifier=verifier)
    moved = await run.advance(await run.start(8, KEY), KEY)
    score = await run.score(moved.batch)
    assert np.isnan(score).tolist() == moved.batch.failed.tolist()
    assert run.session.ledger.claimed == Cost()


async def test_answers_are_compared_among_the_finished() -> None:
    run = open_run(TokenChain("ab", length=2, stop=0.5), equivalence=FunctionOfAnswer(len))
    batch = (await run.advance(await run.start(6, KEY), KEY)).batch
    keys = await run.answer_keys(batch)
    assert keys == [1 if done else None for done in batch.done]
    plain = open_run(TokenChain("ab", length=2))
    batch = (await plain.advance(await plain.start(3, KEY), KEY, steps=None)).batch
    assert await plain.answer_keys(batch) == texts(batch)


async def test_capabilities_count_levels() -> None:
    run = open_run()
    batch = (await run.advance((await run.advance(await run.start(3, KEY), KEY)).batch, KEY.child("two"))).batch
    assert batch.depth.tolist() == [2, 2, 2]
    back = (await run.rewind(batch, [0, 1, 2], KEY)).batch
    assert back.depth.tolist() == [0, 1, 2]
    assert [len(text) for text in texts(back)] == [0, 1, 2]
    assert (await run.perturb(batch, np.ones(3), KEY)).batch.depth.tolist() == [2, 2, 2]
    ended = await run.complete(batch, KEY)
    assert ended.batch.done.all()
    assert texts(ended.batch) == texts(batch)
    revised = await run.revise(ended.batch, ["0", "1", "1"], KEY)
    assert revised.batch.done.all()
    assert [text[:k] for text, k in zip(texts(revised.batch), (0, 1, 1), strict=True)] == [
        text[:k] for text, k in zip(texts(batch), (0, 1, 1), strict=True)
    ]
    assert run.session.ledger.bill().by_role["refine"].calls == 3


async def test_a_missing_capability_is_refused_before_anything_is_spent() -> None:
    run = open_run(GaussianChain())
    batch = await run.start(2, KEY)
    with pytest.raises(Incompatible, match="Revisable"):
        await run.revise(batch, ["", ""], KEY)
    assert run.session.ledger.total == Cost()


def test_a_cut_keeps_those_who_were_through() -> None:
    async def work() -> None:
        run = open_run(Slow(chain(), 1.0, 3.0))
        start = await run.start(8, KEY)
        asyncio.get_running_loop().call_later(2.0, run.session.cut.fire, "seconds")
        moved = await run.advance(start, KEY, steps=None)
        done = moved.batch.done
        assert 0 < done.sum() < 8
        assert moved.short.tolist() == (~done).tolist()
        assert asyncio.get_running_loop().time() == 2.0
        assert run.limit == "seconds"
        with pytest.raises(BudgetExhausted, match="seconds"):
            await run.advance(moved.batch, KEY)

    run_virtual(work())


def test_a_slow_verifier_is_cut_and_what_it_may_have_cost_is_told() -> None:
    async def work() -> None:
        verifier = FunctionOfContent(count_b, seconds=5.0)
        run = Run(chain(), Session.open(budget=Budget(seconds=2.0)), verifier=verifier)
        moved = await run.advance(await run.start(3, KEY), KEY)
        score = await run.score(moved.batch)
        assert np.isnan(score).all()
        bill = run.session.ledger.bill()
        assert bill.uncertain == Cost(verifier_calls=3)
        assert "verify" not in bill.by_role
        await run.score(moved.batch)
        assert run.session.ledger.bill().uncertain == Cost(verifier_calls=3), "nothing was sent after the cut"
        run.session.close()

    run_virtual(work())


async def test_a_local_verifier_still_judges_after_the_cut() -> None:
    run = open_run(verifier=FunctionOfContent(count_b))
    moved = await run.advance(await run.start(3, KEY), KEY)
    run.session.cut.fire("interrupt")
    assert not np.isnan(await run.score(moved.batch)).any()


async def test_a_process_that_breaks_leaves_no_promise_behind() -> None:
    class Broken(TokenChain):
        async def advance(self, states: Any, seeds: Any, *, steps: int | None = 1, allowance: Any) -> Any:
            allowance.claim_each(len(seeds), fixed=Cost(calls=1))
            raise LookupError("broken")

    run = open_run(Broken(), Budget(calls=100))
    with pytest.raises(LookupError, match="broken"):
        await run.advance(await run.start(3, KEY), KEY)
    ledger = run.session.ledger
    assert ledger.claimed == Cost()
    assert ledger.bill().uncertain == Cost(calls=3), "what it may have spent is not known"


async def test_a_refusal_costs_nothing() -> None:
    class Refusing(TokenChain):
        async def advance(self, states: Any, seeds: Any, *, steps: int | None = 1, allowance: Any) -> Any:
            allowance.claim_each(len(seeds), fixed=Cost(calls=1))
            raise Incompatible("not with this engine")

    run = open_run(Refusing(), Budget(calls=100))
    with pytest.raises(Incompatible):
        await run.advance(await run.start(3, KEY), KEY)
    assert run.session.ledger.claimed == Cost()
    assert run.session.ledger.bill().uncertain == Cost()


async def test_n_64_under_a_thousand_tokens() -> None:
    prices = Prices(call=Cost(calls=1, input_tokens=20), step=Cost(output_tokens=1))
    process = TokenChain("ab", length=30, stop=0.05, prices=prices)
    run = open_run(process, Budget(tokens=1000))
    moved = await run.advance(await run.start(64, KEY), KEY, steps=None)
    assert run.session.ledger.total.tokens <= 1000
    assert run.session.ledger.total == process.counters
    assert moved.moved.sum() > 20
    assert run.session.ledger.total.tokens > 1000 - 50
