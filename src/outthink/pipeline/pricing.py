"""What a stage's requests cost at most, said before any of them is sent.

    priced(Need(ask, calls=1, more=1024), process)

A `Need` is a request with nothing put into it, and how many tokens will be: an engine prices the bare prompt, and what is put in counts
beside it. It serves the bounds of a whole pipeline, and what a stage keeps room for while it asks something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.core.cost import Cost, total_of
from outthink.core.errors import ContextOverflow
from outthink.pipeline.asking import Ask, AskingProcess

PROBE = "x" * 64


@dataclass(frozen=True)
class Need:
    """Requests of one form that a stage makes.

    Attributes:
        ask: the request with nothing put into it.
        calls: how many, when every reply can be read. `again`: how many more where none can.
        more: tokens that are put into each, at most.
    """

    ask: Ask
    calls: int
    again: int = 0
    more: int = 0


def priced(need: Need, process: AskingProcess) -> Cost:
    """The most that one such request costs, nothing of it cached. Raises what refuses the bare prompt."""
    engine, request = process.engines[need.ask.engine], process.request(need.ask, 0)
    bare = msgspec.structs.replace(engine.price(request), cached_input_tokens=0)
    output = max(bare.output_tokens, need.ask.max_tokens)
    money = bare.money
    if money and need.more:
        longer = engine.price(process.request(_longer(need.ask), 0))
        grown = max(1, longer.input_tokens - bare.input_tokens)
        money += max(0.0, longer.money - bare.money) / grown * need.more
    return msgspec.structs.replace(bare, input_tokens=bare.input_tokens + need.more, output_tokens=output, money=money)


def together(needs: Sequence[Need], process: AskingProcess) -> Cost | None:
    """The most that all of them cost when every reply can be read; None where a prompt is too long for its model's window."""
    try:
        return total_of(priced(need, process).times(need.calls) for need in needs)
    except ContextOverflow:
        return None


def _longer(ask: Ask) -> Ask:
    """The ask with something more in it, to see what a token of the prompt costs."""
    if ask.messages is None:
        return replace(ask, more=PROBE)
    *before, (role, said) = ask.messages
    return replace(ask, messages=(*before, (role, said + PROBE)))
