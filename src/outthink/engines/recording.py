"""An engine that keeps every reply in a log, and asks its backend only for what the log does not hold.

    log = Cassette.append("run.jsonl")
    engine = recording(engine, log)            # a real run, recorded once

Requests are written before they are sent, replies when they arrive. What the log holds comes from there: a run that was killed goes on
without paying twice, and a cache (`free`) serves equal requests of later runs for nothing. Failures and replies that were cut are never
served from the log: they are asked for again. The sample's index is part of what is looked up, so equal requests stay several samples.

The wrapper offers the capabilities of the engine inside (tokenizer, ratings of continuations) and no others. Closing it
closes that engine and the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure
from outthink.engines.engine import (
    Engine,
    Generation,
    Request,
    ScoresContinuations,
    StopReason,
    Tokenizing,
)
from outthink.engines.paid_failure import PaidFailure
from outthink.engines.recording_capabilities import RecordsRatings, RecordsTokenizer
from outthink.engines.reply_codec import (
    decode_costs,
    decode_generation,
    encode_costs,
    encode_generation,
)
from outthink.engines.reply_log import ReplyLog
from outthink.engines.request_key import describe, request_key, requests_key
from outthink.engines.wrapping import Wrapper, with_capabilities


@dataclass(frozen=True)
class Place:
    """Where one reply stands in a log."""

    kind: str
    key: str
    index: int
    about: str


@dataclass(frozen=True)
class Asked:
    """One request of a call, its place in the log and in the call."""

    place: Place
    request: Request
    index: int


@dataclass(frozen=True)
class Paid:
    """What earlier attempts at a request cost, and how much more it may have been."""

    cost: Cost = ZERO
    uncertain: Cost = ZERO

    def added_to(self, reply: Generation | Failure) -> Generation | Failure:
        """The reply with that cost in its own."""
        if self.cost == ZERO and self.uncertain == ZERO:
            return reply
        if isinstance(reply, Generation | PaidFailure):
            return replace(reply, cost=reply.cost + self.cost, uncertain=reply.uncertain + self.uncertain)
        return PaidFailure(reply.kind, reply.message, reply.status, reply.retryable, self.cost, self.uncertain)


class RecordingEngine(Wrapper):
    """See the module. Make one with `recording`, which adds the capabilities of the engine inside.

    Attributes:
        served, sent: replies taken from the log, and requests sent to the engine.
    """

    def __init__(self, engine: Engine, log: ReplyLog, *, free: bool = False) -> None:
        super().__init__(engine)
        self.log = log
        self.served = 0
        self.sent = 0
        self._free = free
        self._replayed = ZERO
        if "engine" in log.kinds and log.find("engine", engine.name, 0) is None:
            log.answered("engine", engine.name, 0, describe_engine(engine))

    def counters(self) -> Cost:
        """What the engine inside has counted, and what the replies from the log had cost."""
        return self.engine.counters() + self._replayed

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        if "most" not in self.log.kinds:
            return self.engine.most(requests)
        place = self._place("most", requests_key(self.name, requests), f"price of {len(requests)} requests")
        kept = self.log.find(place.kind, place.key, place.index)
        if kept is not None:
            return decode_costs(kept)
        costs = self.engine.most(requests)
        self.log.answered(place.kind, place.key, place.index, encode_costs(costs))
        return costs

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        asked = [
            Asked(self._place("generate", request_key(self.name, r), describe(r)), r, index)
            for index, r in enumerate(requests)
        ]
        results: dict[int, Generation | Failure] = {}
        before: dict[int, Paid] = {}
        for one in asked:
            data = self.log.find(one.place.kind, one.place.key, one.place.index)
            kept = None if data is None else decode_generation(data)
            if isinstance(kept, Generation) and kept.stop is not StopReason.CANCELLED:
                results[one.index] = self._replay(kept)
            else:
                before[one.index] = self._paid_before(one, kept)
        fresh = [one for one in asked if one.index in before]
        if fresh:
            await self._write_down(fresh)
            for one, reply in zip(fresh, await self._send(fresh, cut), strict=True):
                results[one.index] = before[one.index].added_to(reply)
        return [results[i] for i in range(len(requests))]

    async def close(self) -> None:
        await self.engine.close()
        self.log.close()

    def _place(self, kind: str, key: str, about: str) -> Place:
        return Place(kind, key, self.log.place(kind, key), about)

    def _replay(self, reply: Generation) -> Generation:
        self.served += 1
        if self._free:
            return replace(reply, cost=ZERO, uncertain=ZERO)
        self._replayed = self._replayed + reply.cost
        return reply

    def _paid_before(self, one: Asked, kept: Generation | Failure | None) -> Paid:
        """What an earlier attempt cost that left nothing to serve: a failure, a reply that was cut, or no reply at all."""
        if self._free:
            return Paid()
        if isinstance(kept, Generation | PaidFailure):
            self._replayed = self._replayed + kept.cost
            return Paid(kept.cost, kept.uncertain)
        if kept is None and self.log.lost(one.place.kind, one.place.key, one.place.index):
            most = self.engine.most([one.request])[0]
            # What cannot be served at all was refused in the attempt that was lost as well.
            return Paid() if isinstance(most, Failure) else Paid(ZERO, most)
        return Paid()

    async def _write_down(self, fresh: Sequence[Asked]) -> None:
        """Write the requests; returns once they are written."""
        for one in fresh:
            self.log.asked(one.place.kind, one.place.key, one.place.index, one.place.about)
        await self.log.kept()
        self.sent += len(fresh)

    async def _send(self, fresh: Sequence[Asked], cut: Cut | None) -> list[Generation | Failure]:
        """Send the requests and keep each reply as soon as it is there."""
        if not self._is_apart(fresh):
            return await self._send_together(fresh, cut)
        replies = await gather_until(None, [self._send_together([one], cut) for one in fresh])
        return [reply for part in replies if part is not None for reply in part]

    async def _send_together(self, fresh: Sequence[Asked], cut: Cut | None) -> list[Generation | Failure]:
        replies = await self.engine.generate([one.request for one in fresh], cut=cut)
        for one, reply in zip(fresh, replies, strict=True):
            self.log.answered(one.place.kind, one.place.key, one.place.index, encode_generation(reply))
        await self.log.kept()
        return replies

    def _is_apart(self, fresh: Sequence[Asked]) -> bool:
        """Whether requests cost the same apart as together. Then they are sent apart, so that none waits for the others to be kept."""
        # Without the promises made for them, which say already what the requests share.
        requests = [replace(one.request, max_uncached=None) for one in fresh]
        together = self.engine.most(requests) if len(fresh) > 1 else []
        # Where one of them cannot be served at all, the engine says which.
        served = len(fresh) > 1 and not any(isinstance(most, Failure) for most in together)
        return served and together == [self.engine.most([r])[0] for r in requests]


def recording(engine: Engine, log: ReplyLog, *, free: bool = False) -> RecordingEngine:
    """`engine` with its replies kept in `log`. `free`: what the log served costs nothing, because an earlier run paid for it."""
    make = with_capabilities(RecordingEngine, engine, RecordsTokenizer, RecordsRatings)
    return make(engine, log, free=free)


def describe_engine(engine: Engine) -> bytes:
    """What a replay must know of an engine without having it."""
    return msgspec.json.encode(
        {
            "name": engine.name,
            "capabilities": engine.capabilities,
            "end_tokens": sorted(engine.tokenizer.end_tokens) if isinstance(engine, Tokenizing) else None,
            "rates": isinstance(engine, ScoresContinuations),
            "adaptations": engine.adaptations,
            "opening": engine.tokenizer.opening if isinstance(engine, Tokenizing) else (),
        }
    )
