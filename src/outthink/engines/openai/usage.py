"""Tokens used: what the backend reported, or the interval in which they must lie.

A token of a byte-level vocabulary stands for at least one byte, so a text has at most as many tokens as bytes. It has hardly ever fewer
than one for sixteen bytes once runs of white space are counted as one. Reports outside what is possible are not believed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outthink.core.cost import Cost
from outthink.core.settings import NonNegativeFloat, Settings

_SPACE = re.compile(r"\s+")
BYTES_PER_TOKEN = 16


class Prices(Settings):
    """Money for a million tokens. `cached_input` is None where cached input costs the same as any."""

    input: NonNegativeFloat
    output: NonNegativeFloat
    cached_input: NonNegativeFloat | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the backend counted them. `cached` is part of `input`, `reasoning` of `output`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


def read_usage(block: Any) -> Usage | None:
    """The usage block of any of the interfaces; None when there is none or it is not made of counts."""
    if not isinstance(block, Mapping):
        return None
    used, made = _count(block, "prompt_tokens", "input_tokens"), _count(block, "completion_tokens", "output_tokens")
    if used is None or made is None:
        return None
    cached = _count(_part(block, "prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    if cached is None:
        cached = _count(block, "prompt_cache_hit_tokens")
    reasoning = _count(_part(block, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    return Usage(used, made, min(cached or 0, used), min(reasoning or 0, made))


def _part(block: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((part for name in names if isinstance(part := block.get(name), Mapping)), {})


def _count(block: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = block.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
            return value
    return None


def most_tokens(text: str) -> int:
    """The most tokens that a text can have."""
    return len(text.encode("utf-8", "surrogatepass"))


def least_tokens(text: str) -> int:
    """The fewest tokens that a text is expected to have; 0 for no text."""
    return math.ceil(len(_SPACE.sub(" ", text).encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def cost_of(usage: Usage, prices: Prices | None, *, calls: int = 1) -> Cost:
    """The cost of so many tokens; money is nan without prices."""
    return Cost(
        input_tokens=usage.input,
        cached_input_tokens=usage.cached,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        calls=calls,
        money=money_of(usage, prices),
    )


def money_of(usage: Usage, prices: Prices | None) -> float:
    """What so many tokens cost, in the currency of the prices; nan without prices."""
    if prices is None:
        return math.nan
    cached = prices.input if prices.cached_input is None else prices.cached_input
    return ((usage.input - usage.cached) * prices.input + usage.cached * cached + usage.output * prices.output) / 1e6


def shares(total: int, weights: list[int]) -> list[int]:
    """`total` split in proportion to the weights, whole numbers that add up to it; the largest remainders get what is left."""
    if not weights:
        return []
    whole = sum(weights)
    exact = [total * w / whole if whole else total / len(weights) for w in weights]
    given = [math.floor(e) for e in exact]
    order = sorted(range(len(weights)), key=lambda i: (given[i] - exact[i], i))
    for i in order[: total - sum(given)]:
        given[i] += 1
    return given
