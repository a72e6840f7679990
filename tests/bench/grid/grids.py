"""A small grid on an exact engine: sums, each answered in one of four ways, by methods that select and methods that grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from outthink.bench.grid import Folder, Grid, Running, opened, pose
from outthink.bench.grid.executors import LocalExecutor
from outthink.bench.grid.running import Ended, MakeExecutor
from outthink.bench.outcome import Outcome

PAIRS = [(a, b) for a in range(2, 8) for b in range(1, a)]


def sums(folder: Path, n: int = 4) -> Path:
    """A file of n sums."""
    path = folder / "sums.jsonl"
    rows = [{"id": f"{a}-{b}", "question": f"What is {a} + {b}?", "answer": str(a + b)} for a, b in PAIRS[:n]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rules(n: int) -> list[dict[str, Any]]:
    """Of each sum, two right replies and two wrong ones, in two steps."""
    found = []
    for a, b in PAIRS[:n]:
        replies = [f"{a} + {b} = {a + b}\n\nAnswer: {a + b}", f"It is {a + b}\n\nAnswer: {a + b}"]
        replies += [f"{a} + {b} = {a + b + w}\n\nAnswer: {a + b + w}" for w in (1, 2)]
        found.append({"pattern": rf"What is {a} \+ {b}\?", "replies": replies})
    return found


def a_grid(folder: Path, n: int = 4, **changes: Any) -> Grid:
    """Greedy, vote, best-of-n, adaptive, beam and a particle filter on n sums, at 2 and 4 samples, two seeds."""
    settings: dict[str, Any] = {
        "tasks": [{"type": "jsonl", "path": str(sums(folder, n)), "called": "sums"}],
        "recipes": [
            {
                "recipe": "vote",
                "name": "greedy",
                "changes": ["process.sampling.temperature=0"],
                "sizes": [1],
                "seeds": [0],
            },
            {"recipe": "vote"},
            {"recipe": "best-of-n"},
            {"recipe": "adaptive"},
            {"recipe": "beam", "changes": ["algorithm.width=2"]},
            {"recipe": "particle-filter"},
        ],
        "sizes": [2, 4],
        "seeds": 2,
        "engine": {"type": "scripted", "rules": rules(n), "cached": False},
        "process": {"type": "text", "max_tokens": 40},
        "answer": {"type": "numeric"},
        "verifier": {"type": "arithmetic"},
        "style": "left-out",
    }
    return Grid(**{**settings, **changes})


async def ran(folder: Path, grid: Grid, executor: MakeExecutor = LocalExecutor) -> tuple[Ended, Running]:
    """Run a grid in a folder; how it ended, and the run (closed)."""
    async with opened(Folder.made(folder, grid), pose(grid), executor=executor) as running:
        return await running.run(), running


def rows(found: list[Outcome]) -> list[Outcome]:
    """Outcomes in one order, without what the clock decides."""
    return sorted((replace_seconds(one) for one in found), key=lambda one: one.cell)


def replace_seconds(one: Outcome) -> Outcome:
    """The same, as if it had taken no time."""
    return msgspec.structs.replace(one, seconds=0.0)
