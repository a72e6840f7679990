"""What each request may spend, claimed in slot order before anything is sent.

The engine quotes the most that each request can cost, its full reply included; the allowance grants it, grants a shorter reply, or tells
the slot to wait, and all that follow with it. So a quote may assume that the requests before it are sent as well: they pay for a prefix
that all share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.ledger import Allowance
from outthink.engines.engine import Engine, Request


@dataclass
class Granted:
    """Requests as they may be sent, by slot; slots whose prompt cannot be served, and why; all others have to wait.

    Attributes:
        tokens: the reply limit granted to each slot.
    """

    requests: dict[int, Request] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    refused: dict[int, Failure] = field(default_factory=dict)


def grant(engine: Engine, wanted: Sequence[tuple[int, Request]], allowance: Allowance, least: int) -> Granted:
    """Claim for each (slot, request) in order.

    Args:
        least: the shortest reply of use, tokens.
    """
    granted = Granted()
    for (slot, request), quote in zip(wanted, engine.most([request for _, request in wanted]), strict=True):
        if isinstance(quote, Failure):
            granted.refused[slot] = quote
            continue
        most = min(request.max_tokens, quote.output_tokens) if quote.output_tokens > 0 else request.max_tokens
        unit = _unit(engine, request, quote, most)
        tokens = allowance.claim(fixed=quote - unit.times(most), unit=unit, most=most, least=min(least, most))
        if not tokens:
            break
        uncached = quote.input_tokens - quote.cached_input_tokens
        granted.requests[slot] = replace(request, max_tokens=tokens, max_uncached=uncached)
        granted.tokens[slot] = tokens
    return granted


def _unit(engine: Engine, request: Request, quote: Cost, most: int) -> Cost:
    """What one more token of the reply costs at most. Its price is the difference between a long and a short reply's."""
    if quote.money == 0.0 or most <= 1:
        return Cost(output_tokens=1)
    short, full = engine.price(replace(request, max_tokens=1)), engine.price(request)
    return Cost(output_tokens=1, money=(full.money - short.money) / (most - 1))
