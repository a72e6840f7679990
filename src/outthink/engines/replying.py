"""Asking for many slots at once: who may be asked for, and what came back, booked slot by slot.

    granted = claimed(slots, engine, [(0, request), (1, other)], allowance, least=1)
    for slot, generation in (await replies(slots, engine, granted.requests, allowance.cut)).items():
        ...                                              # whoever is missing has failed or waits, and is in the books

Shared by every process that sends one request a slot, so that all of them bill, fail and wait alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outthink.core.cost import ZERO
from outthink.core.cut import Cut
from outthink.core.errors import Failure, OutthinkError
from outthink.core.ledger import Allowance
from outthink.core.slots import Slots
from outthink.engines.claims import Granted, grant
from outthink.engines.engine import Engine, Generation, Request
from outthink.engines.paid_failure import PaidFailure, Ungiven, unpaid


def claimed(
    slots: Slots[Any], engine: Engine, wanted: Sequence[tuple[int, Request]], allowance: Allowance, least: int
) -> Granted:
    """Claim for each (slot, request) in order; who cannot be served has failed, and who does not fit waits.

    Args:
        least: the shortest reply of use, tokens.
    """
    granted = grant(engine, wanted, allowance, least)
    slots.failures.update(granted.refused)
    slots.untouched.update(slot for slot, _ in wanted if slot not in granted.requests and slot not in granted.refused)
    return granted


async def replies(
    slots: Slots[Any], engine: Engine, requests: Mapping[int, Request], cut: Cut | None
) -> dict[int, Generation]:
    """Send the requests and charge what comes back; the generations, by slot.

    Raises what the engine raises as long as the call has cost nothing. After that an engine that breaks has failed these slots, so that
    what was paid for before stays on the bill.
    """
    if not requests:
        return {}
    try:
        found = await engine.generate(list(requests.values()), cut=cut)
    except OutthinkError as error:
        if slots.cost == ZERO and slots.uncertain == ZERO:
            raise
        slots.failures.update(dict.fromkeys(requests, Failure.of(error)))
        return {}
    generations: dict[int, Generation] = {}
    for slot, reply in zip(requests, found, strict=True):
        if isinstance(reply, Generation | PaidFailure):
            slots.charge(reply.cost, reply.uncertain)
        if isinstance(reply, Generation):
            generations[slot] = reply
        elif isinstance(reply, Ungiven):
            # Nothing is claimed for a request of its own yet: the run comes back with the slot.
            slots.untouched.add(slot)
        else:
            slots.failures[slot] = unpaid(reply)
    return generations
