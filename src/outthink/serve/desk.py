"""The way of one request from what it asks to what is sent: its place, its account, its search, its reply.

Everything that can be waited for happens inside one task, `work`, so that a client that leaves ends all of it, and every account that was
opened is closed with what was spent.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from outthink.core.cut import Cut
from outthink.core.errors import OutthinkError
from outthink.core.ledger import Bill
from outthink.core.settings import replace as changed
from outthink.recipes.most import Most
from outthink.recipes.recipe import Recipe
from outthink.serve.admission import Admission
from outthink.serve.asking import Ask
from outthink.serve.book import Answered, Book, Entered
from outthink.serve.catalogue import Catalogue, Entry
from outthink.serve.configuration import Configuration
from outthink.serve.interface import Interface, Reply
from outthink.serve.metrics import Metrics
from outthink.serve.preparing import prepared
from outthink.serve.quotas import Quota
from outthink.serve.refusal import Refusal, busy, of_error, refused
from outthink.serve.searching import About, Outcome, Searcher
from outthink.serve.sending import Progress
from outthink.serve.visit import Visit

AGAIN_SECONDS = 0.2
"""How often a request that waits for the same request elsewhere looks for its answer."""
MOST_NAME = 255


@dataclass(frozen=True)
class Order:
    """One request, read and found to be in order.

    Attributes:
        quota: of its holder. name: the client's name for it (Idempotency-Key). digest: of its body and address.
    """

    visit: Visit
    interface: Interface
    ask: Ask
    entry: Entry
    recipe: Recipe
    quota: Quota
    name: str | None
    digest: bytes
    cut: Cut
    progress: Progress


class Desk:
    """Where requests are taken on. `book` is None where the gateway has no store."""

    def __init__(
        self,
        configuration: Configuration,
        catalogue: Catalogue,
        searcher: Searcher,
        admission: Admission,
        metrics: Metrics,
        book: Book | None,
    ) -> None:
        self._configuration = configuration
        self._catalogue = catalogue
        self._searcher = searcher
        self._admission = admission
        self._metrics = metrics
        self._book = book

    def order(self, visit: Visit, interface: Interface, body: dict[str, Any], quota: Quota, name: str | None) -> Order:
        """The request, checked as far as that goes without waiting. Raises `Refusal`."""
        ask = interface.read(body)
        ceilings = self._configuration.ceilings
        ask.check(ceilings)
        entry = self._catalogue.find(ask.model, ask.options.method)
        visit.model = ask.model
        recipe = prepared(ask, entry, ceilings)
        method = "direct" if entry.direct else recipe.algorithm.name()
        visit.span.named("text_completion" if isinstance(ask.prompt, str) else "chat", ask.model)
        visit.span.asked(ask, method)
        if name is not None:
            if self._book is None:
                raise refused("Idempotency-Key", "This server has no store to remember requests in. Leave it out.")
            if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
                raise refused("Idempotency-Key", f"1 to {MOST_NAME} printable characters.")
        self._admission.check()
        plain = msgspec.json.encode([visit.path, body], order="sorted")
        return Order(
            visit,
            interface,
            ask,
            entry,
            _within(recipe, quota),
            quota,
            name,
            hashlib.blake2b(plain, digest_size=16).digest(),
            Cut(),
            Progress(ask.options.progress if ask.stream else "none"),
        )

    async def work(self, order: Order) -> bytes:
        """The whole reply as it is sent: a document, or the events of a stream. Raises `Refusal`."""
        try:
            sent = await self._work(order)
        except OutthinkError as error:
            raise of_error(error) from error
        order.visit.over(200)
        return sent

    async def _work(self, order: Order) -> bytes:
        book = self._book
        # Who has no key and names no request keeps no account.
        if book is None or not (order.visit.holder or order.name is not None):
            async with self._admission.place():
                return _rendered(order, await self._search(order, order.visit.id, "", None, []))
        entered = await self._entered(order, book)
        if isinstance(entered, Answered):
            return entered.reply
        bills: list[Bill] = []
        try:
            async with self._admission.place():
                sent = _rendered(order, await self._search(order, entered.id, entered.run, book, bills))
        except BaseException:
            await _left(order, book, entered.id, bills, None)
            raise
        await _left(order, book, entered.id, bills, sent)
        return sent

    async def _entered(self, order: Order, book: Book) -> Entered | Answered:
        deadline = time.monotonic() + self._configuration.limits.wait_seconds
        while True:
            found = await book.enter(
                order.visit.id,
                order.visit.holder,
                order.quota,
                model=order.ask.model,
                name=order.name,
                digest=order.digest,
            )
            if isinstance(found, Entered | Answered):
                return found
            if time.monotonic() > deadline:
                raise busy(1.0, "The same request is still at work.")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _search(self, order: Order, request: str, run: str, book: Book | None, bills: list[Bill]) -> Outcome:
        holder, quota = order.visit.holder, order.quota

        async def reserve(bound: Most) -> None:
            if book is not None:
                tokens, money = _bounds(bound, quota)
                await book.reserve(request, holder, quota, tokens=tokens, money=money)

        async def begun(run: str) -> None:
            if book is not None:
                await book.began(request, run)

        def spent(bill: Bill) -> None:
            bills.append(bill)
            self._metrics.spent(order.visit.model, bill)

        about = About(
            request=request,
            holder=holder,
            run=run,
            reserve=reserve if quota.sets_aside else None,
            begun=begun if book is not None else None,
            brief=order.entry.direct and order.name is None,
            spent=spent,
            cut=order.cut,
        )
        return await self._searcher.search(order.ask, order.entry, order.recipe, about, sinks=(order.progress,))


def _within(recipe: Recipe, quota: Quota) -> Recipe:
    """No search may cost more than its key's quota is in all."""
    limits: dict[str, Any] = {}
    for column, most in (("tokens", quota.tokens_per_minute), ("money", quota.money_per_day)):
        own = getattr(recipe.budget, column)
        if most is not None and (own is None or own > most):
            limits[column] = most
    return replace(recipe, budget=changed(recipe.budget, **limits)) if limits else recipe


def _bounds(bound: Most, quota: Quota) -> tuple[int, float]:
    """What to set aside. Raises `Refusal` where money is limited and nobody knows the price."""
    tokens, money = bound.bounds["tokens"], bound.bounds["money"]
    if quota.money_per_day is not None and math.isnan((bound.member + bound.judged).money):
        raise Refusal(
            403, "This key's money is limited, and this model has no price.", param="model", code="price_unknown"
        )
    return (int(tokens) if math.isfinite(tokens) else 0, money if math.isfinite(money) else 0.0)


def _rendered(order: Order, outcome: Outcome) -> bytes:
    name = order.interface.prefix + order.visit.id.removeprefix("req_")
    reply = Reply(name, int(time.time()), order.ask, outcome)
    order.visit.span.answered(reply.id, outcome)
    if order.ask.stream:
        return b"".join(order.interface.events(reply))
    return msgspec.json.encode(order.interface.document(reply))


def charged(bills: Sequence[Bill]) -> tuple[int, float]:
    """Tokens and money that an account is charged: what was spent, and what may have been where a backend could not tell."""
    costs = [cost for bill in bills for cost in (bill.total, bill.uncertain)]
    money = sum(cost.money for cost in costs)
    return sum(cost.tokens for cost in costs), 0.0 if math.isnan(money) else money


async def _left(order: Order, book: Book, request: str, bills: list[Bill], sent: bytes | None) -> None:
    """Close the account."""
    tokens, money = charged(bills)
    await book.leave(
        request,
        order.visit.holder,
        tokens=tokens,
        money=money,
        status="failed" if sent is None else "done",
        reply=sent if order.name is not None else None,
    )
