"""`/v1/outthink/runs/NAME`: a stored run as its owner may watch it from any gateway on the same store, while it goes on and afterwards.

`?after=K` leaves out the first K events, so that a client that asks again is told only what is new. A key sees the runs that were begun
with it; an unknown run and somebody else's are the same to it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request

from outthink.serve.refusal import Refusal, refused
from outthink.store.errors import NoSuchRun
from outthink.store.store import Store


async def followed(request: Request, store: Store | None, holder: str) -> dict[str, Any]:
    """The run. Raises `Refusal`."""
    name, after = str(request.path_params["name"]), request.query_params.get("after", "0")
    if not after.isascii() or not after.isdigit() or len(after) > 9:
        raise refused("after", "A number of events.")
    missing = Refusal(404, "There is no such run.", param="run", code="run_not_found")
    if store is None or len(name) > 64:
        raise missing
    try:
        found = await asyncio.to_thread(store.run, name)
    except NoSuchRun:
        raise missing from None
    about = found.task.data.get("gateway", {})
    if found.line.id != name or about.get("key", "") != holder:
        raise missing
    events = found.events[int(after) :]
    return {
        "object": "outthink.run",
        "id": name,
        "status": found.line.status,
        "method": found.line.method,
        "steps": found.line.steps,
        "tokens": found.line.tokens,
        "calls": found.line.calls,
        "seconds": found.line.seconds,
        "stop": found.line.stop or None,
        "user": about.get("user"),
        "metadata": about.get("metadata", {}),
        "events": [msgspec.to_builtins(event) for event in events],
        "next": int(after) + len(events),
    }
