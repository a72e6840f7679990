"""An engine in this process that goes wrong by the seeds of its requests, with prices, and with counters that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from outthink.core import Cost, Cut, Failure
from outthink.core.key import slot_rng
from outthink.engines import Generation, Request
from outthink.engines.paid_failure import PaidFailure
from outthink.engines.scripted import Behaviour, ScriptedEngine
from outthink.testing.openai_server import opinionated_model

Kind = Literal["none", "fails", "breaks", "loses", "over-limit", "silent", "slow"]
KINDS: tuple[Kind, ...] = ("none", "fails", "breaks", "loses", "over-limit", "silent", "slow")
OVER = 5


def priced(cost: Cost) -> Cost:
    """The cost with what it is in money: 1 a million tokens of input, 4 of output, and cached input for half."""
    uncached = cost.input_tokens - cost.cached_input_tokens
    money = (uncached + cost.cached_input_tokens * 0.5 + cost.output_tokens * 4.0) / 1e6
    return msgspec.structs.replace(cost, money=money)


@dataclass(frozen=True)
class Lot:
    """What becomes of the requests."""

    kind: Kind
    share: float = 0.4


class UnreliableEngine(ScriptedEngine):
    """A scripted engine with prices. A share of the requests, by their seeds, has the misfortune that `lot` names.

    "fails": refused, at no cost. "breaks": paid for, and no reply. "loses": the same, and the cost known within an interval only.
    "over-limit": replies go on past the limit. "silent": no usage, so that every reply's cost is an interval. "slow": takes a while.
    """

    def __init__(self, lot: Lot) -> None:
        behaviour = Behaviour(
            over_limit=OVER if lot.kind == "over-limit" else 0,
            call_seconds=1.0 if lot.kind == "slow" else 0.0,
            context=4096,
        )
        super().__init__(opinionated_model, behaviour=behaviour)
        self._lot = lot

    @property
    def true(self) -> Cost:
        """What was spent."""
        return priced(self.counters())

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        return [cost if isinstance(cost, Failure) else priced(cost) for cost in super().most(requests)]

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        struck = [slot_rng(request.seed ^ 0x5EED).random() < self._lot.share for request in requests]
        sent = [i for i in range(len(requests)) if not (struck[i] and self._lot.kind == "fails")]
        replies = dict(zip(sent, await super().generate([requests[i] for i in sent], cut=cut), strict=True))
        refused = Failure("Refusal", "Out of order.", 500)
        return [self._met(replies[i], struck[i]) if i in replies else refused for i in range(len(requests))]

    def _met(self, reply: Generation | Failure, struck: bool) -> Generation | Failure:
        if isinstance(reply, Failure):
            return reply
        cost, kind = priced(reply.cost), self._lot.kind
        if kind == "breaks" and struck:
            return PaidFailure("BrokenReply", "It broke off.", None, True, cost)
        if kind == "loses" and struck:
            return PaidFailure("TimedOut", "It never came.", None, True, Cost(), cost)
        if kind == "silent":
            least = priced(msgspec.structs.replace(cost, output_tokens=cost.output_tokens // 2))
            return replace(reply, cost=least, uncertain=cost - least, estimated=True)
        return replace(reply, cost=cost)
