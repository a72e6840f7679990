"""The dashboard's pages over a store of many runs: how long each takes.

    python -m benchmarks.dashboard [--runs 10000]

The baseline is the same page over 100 runs, measured in the same process: what a store of many runs costs more.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx2

from outthink.dash import application
from outthink.search import Vote
from outthink.store import Store
from tests.dash.solved import fill, solved

BASELINE, TIMES = 100, 20


async def measured(store: Store, paths: dict[str, str]) -> dict[str, float]:
    """Median milliseconds of each page."""
    found = {}
    transport = httpx2.ASGITransport(app=application(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for name, path in paths.items():
            seconds = []
            for _ in range(TIMES):
                began = time.perf_counter()
                reply = await client.get(f"/ui/{path}")
                seconds.append(time.perf_counter() - began)
                reply.raise_for_status()
            found[name] = 1000 * statistics.median(seconds)
    return found


async def pages(folder: str, runs: int) -> dict[str, float]:
    """The pages over so many runs."""
    with Store.open(Path(folder) / f"{runs}.sqlite") as store:
        fill(store, runs)
        name = await solved(store, Vote(n=16))
        return await measured(
            store,
            {
                "the list": "",
                "a page in its middle": f"?below={runs // 2}",
                "one method and state": f"?method=tree&status=ended&below={runs // 2}",
                "words that are rare": f"?words=sum+of+{runs // 2}+",
                "words that nobody said": "?words=zebra",
                "one run": f"runs/{name}",
                "its state": f"runs/{name}/state",
                "engines": "engines",
            },
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long the dashboard's pages take.")
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        few = asyncio.run(pages(folder, BASELINE))
        many = asyncio.run(pages(folder, runs))
    print(f"| page, milliseconds | {BASELINE} runs | {runs:,} runs | ratio |\n|---|---|---|---|")
    for name, baseline in few.items():
        print(f"| {name} | {baseline:.1f} | {many[name]:.1f} | {many[name] / baseline:.1f} |")


if __name__ == "__main__":
    main()
