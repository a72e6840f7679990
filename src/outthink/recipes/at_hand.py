"""The store that a Python call names: a path, a URL, an open store, or "default"; and taking up one of its runs.

A store that is named is opened for the call and closed after it, off the event loop; an open one is left open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import SettingsError, explain
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.recipes.engines import Engines
from outthink.recipes.plan import Plan
from outthink.recipes.stored import resume_stored
from outthink.store.store import Store

StoreLike = str | Path | Store | None

DEFAULT = "default"
"""The name of the command line's own store; a file of this name is "./default"."""


@asynccontextmanager
async def at_hand(where: StoreLike) -> AsyncIterator[Store]:
    """The store, open. Raises `StoreError` when it cannot be opened, `SettingsError` for what names none."""
    if isinstance(where, Store):
        yield where
        return
    if not isinstance(where, (str, Path)) or not str(where):
        raise SettingsError(
            explain(
                "A store cannot be that.",
                got=where,
                expected='a path, a URL such as postgresql://..., an open Store, or "default"',
                remedy='Give store="runs.sqlite".',
            )
        )
    store = await asyncio.to_thread(Store.open, None if where == DEFAULT else where)
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


async def resume_from(
    where: StoreLike,
    name: str,
    plan: Plan | None,
    prompt: object,
    budget: Budget | None,
    seed: int | None,
    sinks: Sequence[Sink],
    cut: Cut | None,
    engines: Engines,
) -> Result:
    """A stored run, taken up; what it has already cannot be said again. `plan`: its parts, where the store does not hold them all."""
    if prompt is not None:
        raise SettingsError(
            explain(
                "A resumed run has its question already.",
                got=prompt,
                expected="no prompt",
                remedy="Leave it out, or leave out resume for a new run.",
            )
        )
    if where is None:
        raise SettingsError(
            explain(
                "There is no store to resume from.",
                got=f"resume={name!r} without a store",
                expected="the store that holds the run",
                remedy='Give store=..., or store="default" for a run of the command line.',
            )
        )
    async with at_hand(where) as store:
        stored = (await asyncio.to_thread(store.run, name)).line.seed
        if seed is not None and seed != stored:
            raise SettingsError(
                explain(
                    "A resumed run goes on with its own seed.",
                    got=f"seed={seed}",
                    expected=f"{stored}, or none",
                    remedy="Leave it out.",
                )
            )
        return await resume_stored(store, name, plan=plan, budget=budget, sinks=sinks, cut=cut, engines=engines)
