"""Members taken from a store of nodes so that they can be moved on: what best-first and tree search share.

Both keep every node in one `Batch`, and row 0 stands for the root, where everything begins. A stored node is forked; the root is not: each
of its children begins afresh, since a denoising process starts from noise of its own while texts all start alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from outthink.core.batch import Batch
from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.core.run import Moved, Run
from outthink.numerics.types import IntArray

ROOT = 0

FINISHING = 3
"""How often a search of prefixes that has used itself up, and finished nothing, tries to take its best one to its end."""


async def members_at(batch: Batch, places: IntArray, run: Run, key: Key) -> Batch:
    """Members to move on, one a place, [m]: forks of what stands there, and fresh members where the place is the root."""
    fresh = places == ROOT
    if not fresh.any():
        return batch.take(places)
    started = await run.start(int(fresh.sum()), key)
    if fresh.all():
        return started
    index = np.where(fresh, (~fresh).sum() + np.cumsum(fresh) - 1, np.cumsum(~fresh) - 1)
    return batch.take(places[~fresh]).join(started).take(index)


def waive(run: Run, batch: Batch) -> None:
    """Give up the promises to judge these members: they go on, or are not kept, and only what is judged is paid for."""
    if run.scores is not None:
        run.scores.release(batch.id.tolist())


async def ahead_of(moved: Moved, run: Run, look: Callable[[Batch], Awaitable[Moved]]) -> Batch:
    """What each member is judged by, [n]: those that have just moved and go on are looked ahead of, as far as the budget goes."""
    batch = moved.batch
    at = np.flatnonzero(moved.moved & batch.alive)
    if len(at) == 0:
        return batch
    part = batch.take(at)
    waive(run, part)
    try:
        looked = await look(part)
    except BudgetExhausted as error:
        run.limit = error.limit
        return batch
    place = np.arange(len(batch))
    place[at] = len(batch) + np.arange(len(at))
    return batch.join(looked.batch).take(place)
