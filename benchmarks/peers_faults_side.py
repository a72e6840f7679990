"""What the sides of `peers_faults.py` share. It needs nothing but Python: a peer's side runs in that peer's own virtual environment."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any


async def side_by_side(asked: dict[str, Any], requests: list[Coroutine[Any, Any, dict[str, Any]]]) -> dict[str, Any]:
    """All requests at once: what each came to, the seconds, and the most threads beyond those at the start.

    With `cancel` in what was asked they are cancelled when a line comes in: the benchmark says when, as soon as the backend has all calls.
    """
    threads = [threading.active_count()]

    async def watch() -> None:
        while True:
            threads.append(threading.active_count())
            await asyncio.sleep(0.02)

    watching = asyncio.ensure_future(watch())
    began = time.perf_counter()
    work = asyncio.gather(*requests)
    results: list[dict[str, Any]] = []
    if asked.get("cancel"):
        await asyncio.to_thread(sys.stdin.readline)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        print("cancelled", flush=True)
        await asyncio.sleep(2.0)
    else:
        results = list(await work)
    seconds = time.perf_counter() - began
    watching.cancel()
    return {"results": results, "seconds": seconds, "threads": max(threads) - threads[0]}
