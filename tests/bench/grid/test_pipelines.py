"""Pipelines in a grid: priced by their layers beforehand, run on questions like any method, on engines of their own."""

from __future__ import annotations

from pathlib import Path

from outthink.bench.grid import Folder, opened, pose, read_grid
from outthink.bench.grid.estimating import estimate

GRID = """
sizes = [2]
seeds = 1
cap = { tokens = 50_000_000 }
style = "left-out"
[engine]
type = "scripted"
otherwise = "Monday, 15:00 - 15:30"
cached = false
[process]
type = "text"
max_tokens = 64
[[tasks]]
type = "planning"
limit = 2
[[recipes]]
recipe = "pipeline"
size_setting = "layers.0.samples"
[[recipes]]
recipe = "pipeline"
name = "two-engines"
size_setting = "layers.0.samples"
changes = ['layers.2.engine = { type = "scripted", otherwise = "Tuesday, 9:00 - 9:30" }']
[[recipes]]
recipe = "plangen"
size_setting = ""
sizes = [1]
changes = ["layers.0.rounds=1", "layers.0.best_of=2"]
"""


async def test_a_pipeline_is_priced_and_run(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID)
    grid = read_grid(str(tmp_path / "grid.toml"))
    async with opened(Folder.made(tmp_path / "run", grid), pose(grid)) as running:
        said = await estimate(running)
        await running.run()
        rows = {(row.method, row.question): row for row in running.outcomes.rows}
    spent = {
        method: sum((row.generated + row.judged).calls for (name, _), row in rows.items() if name == method)
        for method, _ in rows
    }
    assert spent["pipeline"] == 2 * (2 + 2 + 1)  # the order cannot be read, and is asked for again
    assert sum(spent.values()) <= said.columns["calls"]
    assert rows["two-engines", "calendar/1"].answer == "tuesday, 9:00 - 9:30"
    assert rows["pipeline", "calendar/1"].answer == "monday, 15:00 - 15:30"
