"""A benchmark as a grid: tasks x recipes x sizes x seeds, resumable, capped, with one stored pool for all methods that only select.

    grid = read_grid("bench-laboratory.toml")
    folder = Folder.made(Path("build/bench/laboratory"), grid)
    async with opened(folder, pose(grid)) as running:
        await running.run()                            # what a kill left undone, and nothing twice

`outthink bench run` is this from the command line. If unsure: a preset (`outthink bench list`), and `--quick` first.
"""

from outthink.bench.grid.entrants import not_run as not_run_of
from outthink.bench.grid.estimating import Estimate, estimate
from outthink.bench.grid.executors import Executor, LocalExecutor
from outthink.bench.grid.folder import Folder, RunRecord
from outthink.bench.grid.posing import NotRun, Posed, pose, tasks_not_run
from outthink.bench.grid.reading import digest, grid_from, grid_of, grid_presets, grid_to_toml, over, quick, read_grid
from outthink.bench.grid.running import GridWatcher, Running, opened
from outthink.bench.grid.settings import Axis, Grid, GridRecipe, Variant

__all__ = [
    "Axis",
    "Estimate",
    "Executor",
    "Folder",
    "Grid",
    "GridRecipe",
    "GridWatcher",
    "LocalExecutor",
    "NotRun",
    "Posed",
    "RunRecord",
    "Running",
    "Variant",
    "digest",
    "estimate",
    "grid_from",
    "grid_of",
    "grid_presets",
    "grid_to_toml",
    "not_run_of",
    "opened",
    "over",
    "pose",
    "quick",
    "read_grid",
    "tasks_not_run",
]
