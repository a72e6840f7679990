"""Several pieces of paid work at a time, and fewer where what they may cost at most does not fit a budget together.

What a call may cost at most is promised before it is made, and a budget that cannot keep all promises at once may well pay for all the
calls one after the other. So what did not fit is asked again among fewer, until it does not fit by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

R = TypeVar("R")


async def in_rounds(
    names: Sequence[str], one: Callable[[str], Awaitable[R | None]], *, at_once: int, ended: Callable[[], bool]
) -> dict[str, R]:
    """What `one` makes of each name, as far as the budget goes, in the order of the names.

    one: None where the budget, or what is promised to others, was in the way. ended: whether nothing new is to begin.
    """
    found: dict[str, R] = {}
    left = list(names)
    while left and not ended():
        found |= await _round(left, one, at_once, ended)
        if at_once == 1:
            break
        left = [name for name in left if name not in found]
        at_once //= 2
    return {name: found[name] for name in names if name in found}


async def _round(
    names: Sequence[str], one: Callable[[str], Awaitable[R | None]], at_once: int, ended: Callable[[], bool]
) -> dict[str, R]:
    gate, found, full = asyncio.Semaphore(at_once), dict[str, R](), False

    async def gated(name: str) -> None:
        nonlocal full
        async with gate:
            # Where one did not fit by itself, a cheaper one after it must not get its chance: answers would be those of easy questions.
            if ended() or (full and at_once == 1):
                return
            got = await one(name)
        if got is None:
            full = True
        else:
            found[name] = got

    await asyncio.gather(*(gated(name) for name in names))
    return found
