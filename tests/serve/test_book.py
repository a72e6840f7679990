"""Quotas and named requests in the store, on both databases: two gateways' books are one account."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest

from outthink.core import Cost
from outthink.core.ledger import Bill
from outthink.serve.book import LOST_SECONDS, MINUTE, Answered, Book, Entered, Underway
from outthink.serve.desk import charged
from outthink.serve.quotas import Quota
from outthink.serve.refusal import Refusal
from outthink.store import Store


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0 * 86_400

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(url: str, clock: Clock) -> Iterator[tuple[Book, Book]]:
    """The books of two gateways on one store, each with connections of its own."""
    with Store.open(url) as one, Store.open(url) as other:
        yield Book(one, clock=clock), Book(other, clock=clock)


async def enter(book: Book, request: str, quota: Quota, **more: object) -> object:
    return await book.enter(request, "ada", quota, model="m", **more)  # type: ignore[arg-type]


async def test_requests_a_minute_hold_over_both(books: tuple[Book, Book], clock: Clock) -> None:
    quota = Quota(requests_per_minute=5)
    entering = [enter(books[i % 2], f"r{i}", quota) for i in range(12)]
    found = await asyncio.gather(*entering, return_exceptions=True)
    refused = [one for one in found if isinstance(one, Refusal)]
    assert sum(isinstance(one, Entered) for one in found) == 5
    assert len(refused) == 7
    assert {(one.status, one.headers["retry-after"]) for one in refused} == {(429, "60")}
    clock.now += MINUTE / 2
    with pytest.raises(Refusal, match="5 requests"):
        await enter(books[0], "late", quota)
    clock.now += MINUTE / 2 + 1
    assert isinstance(await enter(books[1], "later", quota), Entered)
    # Another holder has a quota of its own.
    assert isinstance(await books[0].enter("other", "bob", quota, model="m"), Entered)


async def test_searches_at_once_hold_over_both_and_die_with_their_gateway(
    books: tuple[Book, Book], clock: Clock
) -> None:
    one, other = books
    quota = Quota(searches=2)
    await enter(one, "a", quota)
    await enter(other, "b", quota)
    for book in books:
        with pytest.raises(Refusal, match="2 searches"):
            await enter(book, "c", quota)
    await one.leave("a", "ada", tokens=1, money=0.0, status="done")
    await enter(one, "c", quota)
    clock.now += one.lease_seconds - 1
    await one.renew()
    clock.now += 2
    # The other gateway has not renewed: its search is not counted any more.
    await enter(one, "d", quota)
    with pytest.raises(Refusal):
        await enter(one, "e", quota)


async def test_tokens_are_set_aside_before_they_are_used(books: tuple[Book, Book], clock: Clock) -> None:
    one, other = books
    quota = Quota(tokens_per_minute=1000)
    for book, name in ((one, "a"), (other, "b"), (one, "c")):
        await enter(book, name, quota)
    await one.reserve("a", "ada", quota, tokens=600, money=0.0)
    with pytest.raises(Refusal, match="1000 tokens"):
        await other.reserve("b", "ada", quota, tokens=500, money=0.0)
    await other.reserve("b", "ada", quota, tokens=400, money=0.0)
    with pytest.raises(Refusal):
        await enter(one, "d", quota)
    clock.now += 200
    await one.renew()
    await other.renew()
    await one.leave("a", "ada", tokens=100, money=0.0, status="done")
    assert one.used("ada", clock.now)["tokens_per_minute"] == 500
    # What a search has used counts for a minute from its end.
    await one.reserve("c", "ada", quota, tokens=500, money=0.0)
    clock.now += MINUTE - 1
    await one.renew()
    with pytest.raises(Refusal):
        await other.reserve("b", "ada", quota, tokens=450, money=0.0)
    clock.now += 2
    await other.reserve("b", "ada", quota, tokens=450, money=0.0)


async def test_money_is_counted_by_the_day(books: tuple[Book, Book], clock: Clock) -> None:
    one, other = books
    quota = Quota(money_per_day=1.0)
    await enter(one, "a", quota)
    await one.reserve("a", "ada", quota, tokens=10, money=0.8)
    await enter(other, "b", quota)
    with pytest.raises(Refusal, match="a day"):
        await other.reserve("b", "ada", quota, tokens=10, money=0.3)
    await one.leave("a", "ada", tokens=10, money=0.5, status="done")
    await other.reserve("b", "ada", quota, tokens=10, money=0.5)
    await other.leave("b", "ada", tokens=10, money=0.5, status="failed")
    with pytest.raises(Refusal) as refused:
        await enter(one, "c", quota)
    assert refused.value.headers["retry-after"] == "86400"
    clock.now += 86_400
    await enter(one, "c", quota)


async def test_a_named_request_is_answered_once(books: tuple[Book, Book], clock: Clock) -> None:
    one, other = books
    free = Quota()
    assert await enter(one, "a", free, name="k", digest=b"1") == Entered("a")
    assert isinstance(await enter(other, "b", free, name="k", digest=b"1"), Underway)
    with pytest.raises(Refusal) as used:
        await enter(other, "b", free, name="k", digest=b"2")
    assert (used.value.status, used.value.code) == (400, "idempotency_key_reused")
    assert await other.enter("z", "bob", free, model="m", name="k", digest=b"2") == Entered("z")
    await one.leave("a", "ada", tokens=7, money=0.0, status="done", reply=b"answer")
    assert await enter(other, "b", free, name="k", digest=b"1") == Answered(b"answer")
    assert await enter(one, "f", free, name="failing", digest=b"1") == Entered("f")
    await one.leave("f", "ada", tokens=7, money=0.0, status="failed")
    assert await enter(other, "g", free, name="failing", digest=b"1") == Entered("g")


async def test_a_request_whose_gateway_is_gone_is_taken_over(books: tuple[Book, Book], clock: Clock) -> None:
    one, other = books
    free = Quota()
    await enter(one, "a", free, name="k", digest=b"1")
    await one.began("a", "20261123-run")
    clock.now += one.lease_seconds + 1
    assert await enter(other, "b", free, name="k", digest=b"1") == Entered("a", "20261123-run")
    assert isinstance(await enter(other, "c", free, name="k", digest=b"1"), Underway)
    # The first one, should it wake up, no longer has a say, and nothing is charged twice.
    await one.leave("a", "ada", tokens=5, money=0.0, status="done", reply=b"late")
    await other.leave("a", "ada", tokens=7, money=0.0, status="done", reply=b"answer")
    assert await enter(one, "d", free, name="k", digest=b"1") == Answered(b"answer")
    assert one.used("ada", clock.now)["tokens_per_minute"] == 7


async def test_what_a_lost_gateway_set_aside_is_charged(books: tuple[Book, Book], clock: Clock) -> None:
    one, other = books
    quota = Quota(money_per_day=1.0)
    await enter(one, "a", quota)
    await one.reserve("a", "ada", quota, tokens=10, money=0.9)
    clock.now += LOST_SECONDS + one.lease_seconds + 1
    await other.renew()
    await enter(other, "b", quota)
    with pytest.raises(Refusal):
        await other.reserve("b", "ada", quota, tokens=10, money=0.2)
    # Answers are kept for a day.
    await other.leave("b", "ada", tokens=0, money=0.0, status="done")
    clock.now += 2 * 86_400
    await other.renew()
    assert isinstance(await enter(one, "b", quota), Entered)


def test_an_account_is_charged_with_what_may_have_been_spent_too() -> None:
    cut_off = Bill({"generate": Cost(output_tokens=5, money=0.25)}, uncertain=Cost(output_tokens=3, money=0.5))
    unpriced = Bill({"generate": Cost(input_tokens=2, money=math.nan)})
    assert charged([]) == (0, 0.0)
    assert charged([cut_off]) == (8, 0.75)
    assert charged([cut_off, unpriced]) == (10, 0.0)
