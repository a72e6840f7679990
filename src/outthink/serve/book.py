"""The book of a gateway: who asked for what and what it cost, in the store, so that gateways on one store keep one account.

    entered = await book.enter(request_id, holder, quota, model="vote@large", name=None, digest=b"")
    await book.reserve(request_id, holder, quota, tokens=4000, money=0.0)
    await book.leave(request_id, holder, tokens=812, money=0.0, status="done")

Every decision is one transaction that holds the holder's row of the day, so two gateways never grant the last place twice. A request that
the client has named (the header Idempotency-Key) is answered once: asking again gives the answer that is there, waits for the one that is
on its way, or takes over from a gateway that is gone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from outthink.serve.quotas import Quota
from outthink.serve.refusal import Refusal, busy
from outthink.store.database import insert_or_skip
from outthink.store.service import served, spent
from outthink.store.store import Store

MINUTE = 60.0
DAY = 86_400.0
LEASE_SECONDS = 30.0
LOST_SECONDS = 600.0
"""A request whose gateway is gone for so long is counted as having cost what was set aside for it."""
KEPT_SECONDS = DAY
"""How long answers are kept for clients that ask again."""


@dataclass(frozen=True)
class Entered:
    """The request may go on. `run`: the stored run that an earlier gateway had begun for it; "" for none."""

    id: str
    run: str = ""


@dataclass(frozen=True)
class Answered:
    """The request was answered before; `reply` is what was sent."""

    reply: bytes


@dataclass(frozen=True)
class Underway:
    """The same request is at work."""


Found = Entered | Answered | Underway


class Book:
    """The account of one gateway.

    Attributes:
        gateway: this gateway's name in the store, made at random.
        clock: seconds since 1970; None: the database's.
    """

    def __init__(
        self, store: Store, *, lease_seconds: float = LEASE_SECONDS, clock: Callable[[], float] | None = None
    ) -> None:
        self.store = store
        self.gateway = secrets.token_hex(8)
        self.lease_seconds = lease_seconds
        self._clock = clock

    async def enter(
        self, request: str, holder: str, quota: Quota, *, model: str, name: str | None = None, digest: bytes = b""
    ) -> Found:
        """Begin a request. Raises `Refusal` when the holder's quota is used up, or the name stands for another request."""

        def work(connection: sa.Connection) -> Found | Refusal:
            now = self._now(connection)
            today = self._hold(connection, holder, now)
            if name is not None:
                known = sa.select(served).where(served.c.holder == holder, served.c.name == name)
                row = connection.execute(known).mappings().first()
                if row is not None:
                    return self._again(connection, dict(row), digest, now)
            refusal = _over(connection, holder, quota, now, today.money)
            if refusal is not None:
                return refusal
            begun = {"id": request, "holder": holder, "began": now, "model": model, "name": name, "digest": digest}
            connection.execute(served.insert().values(**begun, **self._mine(now)))
            count = spent.update().where(spent.c.holder == holder, spent.c.day == today.day)
            connection.execute(count.values(requests=spent.c.requests + 1))
            return Entered(request)

        found: Found = _granted(await self.store.write(work))
        return found

    async def reserve(self, request: str, holder: str, quota: Quota, *, tokens: int, money: float) -> None:
        """Set aside the most that a search can cost. Raises `Refusal` when the quota has not so much left now."""

        def work(connection: sa.Connection) -> Refusal | None:
            now = self._now(connection)
            today = self._hold(connection, holder, now)
            refusal = _too_dear(connection, request, holder, quota, now, today.money, tokens, money)
            if refusal is None:
                mine = served.update().where(served.c.id == request)
                connection.execute(mine.values(tokens=tokens, money=money))
            return refusal

        _granted(await self.store.write(work))

    async def began(self, request: str, run: str) -> None:
        """Say which stored run is the request's."""
        change = served.update().where(served.c.id == request, served.c.gateway == self.gateway).values(run=run)
        await self.store.write(lambda connection: connection.execute(change))

    async def leave(
        self,
        request: str,
        holder: str,
        *,
        tokens: int,
        money: float,
        status: Literal["done", "failed"],
        reply: bytes | None = None,
    ) -> None:
        """The request's end: what it cost takes the place of what was set aside. One that failed may be asked for again."""

        def work(connection: sa.Connection) -> None:
            now = self._now(connection)
            today = self._hold(connection, holder, now)
            ended = {"status": status, "lease": now, "tokens": tokens, "money": money, "reply": reply}
            change = served.update().where(served.c.id == request, served.c.gateway == self.gateway)
            change = change.values(**ended) if status == "done" else change.values(**ended, name=None)
            if connection.execute(change).rowcount:
                _charge(connection, holder, today.day, tokens, money)

        await self.store.write(work)

    async def renew(self) -> None:
        """Say that this gateway lives, and close the accounts of those that do not."""

        def work(connection: sa.Connection) -> None:
            now = self._now(connection)
            at_work = served.c.status == "working"
            mine = served.update().where(at_work, served.c.gateway == self.gateway)
            connection.execute(mine.values(lease=now + self.lease_seconds))
            gone = sa.select(served).where(at_work, served.c.lease < now - LOST_SECONDS)
            for row in connection.execute(gone.order_by(served.c.holder)).mappings().all():
                today = self._hold(connection, row["holder"], now)
                lost = served.update().where(served.c.id == row["id"], at_work, served.c.lease == row["lease"])
                if connection.execute(lost.values(status="lost", name=None)).rowcount:
                    _charge(connection, row["holder"], today.day, row["tokens"], row["money"])
            connection.execute(served.delete().where(~at_work, served.c.lease < now - KEPT_SECONDS))

        await self.store.write(work)

    def used(self, holder: str, now: float) -> dict[str, float]:
        """What a holder has used of each limit of a `Quota`, by its name, with what is set aside."""

        def look(connection: sa.Connection) -> dict[str, float]:
            recent = sa.select(served).where(served.c.holder == holder, served.c.lease > now - MINUTE)
            rows = connection.execute(recent).all()
            today = sa.select(spent.c.money).where(spent.c.holder == holder, spent.c.day == int(now // DAY))
            at_work = [row for row in rows if row.status == "working" and row.lease >= now]
            return {
                "requests_per_minute": float(sum(row.began > now - MINUTE for row in rows)),
                "tokens_per_minute": float(sum(row.tokens for row in rows)),
                "searches": float(len(at_work)),
                "money_per_day": (connection.execute(today).scalar() or 0.0) + sum(row.money for row in at_work),
            }

        return self.store.read(look)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _now(self, connection: sa.Connection) -> float:
        if self._clock is not None:
            return self._clock()
        if connection.dialect.name == "sqlite":
            return time.time()
        # Gateways on several machines must agree on the time.
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def _mine(self, now: float) -> dict[str, Any]:
        return {"gateway": self.gateway, "lease": now + self.lease_seconds, "status": "working"}

    def _hold(self, connection: sa.Connection, holder: str, now: float) -> Any:
        """The holder's row of today, which nobody else changes before this transaction ends."""
        day = int(now // DAY)
        insert_or_skip(connection, spent, [{"holder": holder, "day": day, "requests": 0, "tokens": 0, "money": 0.0}])
        row = sa.select(spent).where(spent.c.holder == holder, spent.c.day == day)
        return connection.execute(row.with_for_update()).one()

    def _again(self, connection: sa.Connection, row: dict[str, Any], digest: bytes, now: float) -> Found | Refusal:
        if row["digest"] != digest:
            return Refusal(
                400,
                "This Idempotency-Key was used for another request.",
                param="Idempotency-Key",
                code="idempotency_key_reused",
            )
        if row["status"] == "done":
            return Answered(row["reply"] or b"")
        if row["lease"] >= now:
            return Underway()
        connection.execute(served.update().where(served.c.id == row["id"]).values(**self._mine(now)))
        return Entered(row["id"], row["run"])


def _granted(found: Any) -> Any:
    if isinstance(found, Refusal):
        raise found
    return found


def _charge(connection: sa.Connection, holder: str, day: int, tokens: int, money: float) -> None:
    change = spent.update().where(spent.c.holder == holder, spent.c.day == day)
    connection.execute(change.values(tokens=spent.c.tokens + tokens, money=spent.c.money + money))


def _over(connection: sa.Connection, holder: str, quota: Quota, now: float, money: float) -> Refusal | None:
    """Why one more request is too much."""
    if not quota.limits:
        return None
    recent = connection.execute(
        sa.select(served.c.began, served.c.lease, served.c.status, served.c.tokens).where(
            served.c.holder == holder, served.c.lease > now - MINUTE
        )
    ).all()
    begun = sorted(row.began for row in recent if row.began > now - MINUTE)
    if quota.requests_per_minute is not None and len(begun) >= quota.requests_per_minute:
        wait = begun[-quota.requests_per_minute] + MINUTE - now
        return busy(wait, f"This key may send {quota.requests_per_minute} requests a minute.")
    at_work = [row for row in recent if row.status == "working" and row.lease >= now]
    if quota.searches is not None and len(at_work) >= quota.searches:
        return busy(1.0, f"This key may have {quota.searches} searches at work at once.")
    used = sum(row.tokens for row in recent)
    if quota.tokens_per_minute is not None and used >= quota.tokens_per_minute:
        return _out_of_tokens(recent, quota.tokens_per_minute, now)
    if quota.money_per_day is not None and money >= quota.money_per_day:
        return _out_of_money(quota.money_per_day, now)
    return None


def _too_dear(
    connection: sa.Connection,
    request: str,
    holder: str,
    quota: Quota,
    now: float,
    money_today: float,
    tokens: int,
    money: float,
) -> Refusal | None:
    """Why so much cannot be set aside now."""
    others = sa.and_(served.c.holder == holder, served.c.id != request)
    if quota.tokens_per_minute is not None:
        recent = connection.execute(sa.select(served).where(others, served.c.lease > now - MINUTE)).all()
        if sum(row.tokens for row in recent) + tokens > quota.tokens_per_minute:
            return _out_of_tokens(recent, quota.tokens_per_minute, now)
    if quota.money_per_day is not None:
        aside = sa.select(sa.func.coalesce(sa.func.sum(served.c.money), 0.0)).where(
            others, served.c.status == "working"
        )
        if money_today + connection.execute(aside).scalar_one() + money > quota.money_per_day:
            return _out_of_money(quota.money_per_day, now)
    return None


def _out_of_tokens(recent: Any, limit: int, now: float) -> Refusal:
    ended = [row.lease for row in recent if row.status != "working" and row.tokens]
    wait = min(ended) + MINUTE - now if ended else 1.0
    return busy(wait, f"This key may use {limit} tokens a minute, and they are used or set aside.")


def _out_of_money(limit: float, now: float) -> Refusal:
    return busy(DAY - now % DAY, f"This key may spend {limit:g} a day, and it is spent or set aside.")
