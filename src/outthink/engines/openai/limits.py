"""Limits per host: requests in flight, requests and tokens a minute. Fair between the runs that share them.

Requests wait in a queue for each owner, and the queues are served in turn, so that a run with a thousand requests does not hold up one
with a single request. The two rates are buckets that hold a minute's allotment: a request takes from them when it is sent and returns
what it did not use.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from outthink.core.settings import Positive, Settings


class HostLimits(Settings):
    """What one host is asked at most. Engines in this process that give one host the same limits share them.

    Attributes:
        in_flight: requests at once.
        requests_per_minute, tokens_per_minute: None for no limit; a request counts as the most it can use until its usage is known.
    """

    in_flight: Positive = 64
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None


@dataclass
class Bucket:
    """A rate with a minute's reserve. Time is given, not read."""

    per_minute: float
    level: float = field(init=False)
    at: float | None = None

    def __post_init__(self) -> None:
        self.level = self.per_minute

    def take(self, amount: float, now: float) -> float:
        """Take an amount; seconds to wait until it is covered. What exceeds a whole minute's allotment counts as one."""
        if self.at is not None:
            self.level = min(self.per_minute, self.level + (now - self.at) * self.per_minute / 60.0)
        self.at = now
        self.level -= min(amount, self.per_minute)
        return max(0.0, -self.level * 60.0 / self.per_minute)

    def give_back(self, amount: float) -> None:
        """Return what was not used."""
        self.level = min(self.per_minute, self.level + amount)


class Gate:
    """The limits of one host on one event loop."""

    def __init__(self, limits: HostLimits) -> None:
        self._free = limits.in_flight
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._requests = Bucket(limits.requests_per_minute) if limits.requests_per_minute else None
        self._tokens = Bucket(limits.tokens_per_minute) if limits.tokens_per_minute else None

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncIterator[None]:
        """One place among those in flight."""
        await self._enter(owner)
        try:
            yield
        finally:
            self._leave()

    async def pace(self, tokens: int) -> None:
        """Wait until the rates allow one request of so many tokens. Call once for each request sent, retries included."""
        now = asyncio.get_running_loop().time()
        waits = [self._requests.take(1, now)] if self._requests else []
        waits += [self._tokens.take(tokens, now)] if self._tokens else []
        try:
            await asyncio.sleep(max(waits, default=0.0))
        except asyncio.CancelledError:
            self.unused(tokens, requests=1)
            raise

    def unused(self, tokens: float, *, requests: int = 0) -> None:
        """Return what a request did not use of what it took."""
        if self._tokens and tokens > 0:
            self._tokens.give_back(tokens)
        if self._requests and requests:
            self._requests.give_back(requests)

    async def _enter(self, owner: str) -> None:
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            else:
                self._forget(owner, turn)
            raise

    def _leave(self) -> None:
        self._free += 1
        while self._free > 0 and self._waiting:
            owner, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[owner] = turns
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def _forget(self, owner: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(owner)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[owner]


_GATES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Gate]] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def gate_of(host: str, limits: HostLimits) -> Gate:
    """The gate of a host on the running loop; made when it is first asked for."""
    loop = asyncio.get_running_loop()
    with _LOCK:
        gates = _GATES.setdefault(loop, {})
        return gates.setdefault((host, repr(limits)), Gate(limits))
