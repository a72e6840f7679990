"""`outthink bench`: methods compared on the same questions at matched cost, as a grid that can be stopped, resumed and capped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outthink.cli.lazy import INTERRUPTED, Group
from outthink.core.cost import Budget
from outthink.core.settings import replace

if TYPE_CHECKING:
    from outthink.bench.grid import Grid

CAPPED = 3
RUNS = Path("bench-runs")


@click.group(
    cls=Group,
    members={
        "run": "outthink.cli.bench:run",
        "estimate": "outthink.cli.bench:estimate",
        "resume": "outthink.cli.bench:resume",
        "list": "outthink.cli.bench:list_",
        "report": "outthink.cli.bench_report:report",
        "tasks": "outthink.cli.bench_tasks:tasks",
    },
)
def bench() -> None:
    """Compare methods on tasks, at matched cost."""


def grid_options(command: Any) -> Any:
    """The options that describe a grid, the same for `run` and `estimate`."""
    for option in reversed(
        (
            click.argument("grid", required=False),
            click.option(
                "--tasks",
                metavar="KIND[:NAME=VALUE,...]",
                multiple=True,
                help="A task, such as gsm8k:limit=20, or a .jsonl file of your own. May be given several times.",
            ),
            click.option("--methods", metavar="NAMES", help="Methods or presets, with commas between."),
            click.option("--sizes", metavar="NUMBERS", help="Budgets in samples, such as 4,8,16."),
            click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="How many seeds."),
            click.option("--model", metavar="ENGINE[:MODEL]", help="What generates, as in run."),
            click.option("--verifier", metavar="NAME", help="Who judges, for methods that have a verifier."),
            click.option("--answer", metavar="NAME", help="How answers are read.  [default: as each task says]"),
            click.option(
                "--set", "changes", metavar="PATH=VALUE", multiple=True, help="Any other setting of all methods."
            ),
            click.option("--pool", type=click.IntRange(min=1), metavar="N", help="Samples in a stored pool."),
            click.option("--cap", metavar="LIMITS", help="The most for the whole run, such as tokens=2000000,money=5."),
            click.option("--in-flight", type=click.IntRange(min=1), metavar="N", help="Pools or searches at once."),
            click.option("--quick", is_flag=True, help="In small: 8 questions a task, two sizes, one seed."),
            click.option(
                "--folder",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="FOLDER",
                help="Where the run lives.  [default: bench-runs/NAME-DIGEST]",
            ),
        )
    ):
        command = option(command)
    return command


executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where the work is done: in this process, or on a Ray cluster.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes of the Ray cluster.  [default: its processors]",
)


@click.command()
@grid_options
@executor_option
@workers_option
def run(executor: str, workers: int | None, **asked: Any) -> None:
    """Run GRID, a TOML file or a preset, or what the options describe.

    A few questions are run first, for an estimate; they are part of the run. The same command goes on with a run that was stopped
    or killed: what is in its folder is not paid again. Ctrl-C finishes cleanly.

    Exit status: 0 whole; 3 the cap was reached; 130 Ctrl-C; 1 refused.
    """
    from outthink.bench.grid import Folder
    from outthink.cli.bench_running import run_folder

    grid, path = _asked(**asked)
    sys.exit(run_folder(Folder.made(path, grid), executor=executor, workers=workers))


@click.command()
@grid_options
@click.option("--pilot", is_flag=True, help="Run the first few questions, as `run` would, and estimate from them.")
def estimate(pilot: bool, **asked: Any) -> None:
    """What GRID, or what the options describe, will cost: tokens, calls, money and minutes, and what that is based on.

    Spends nothing without --pilot. A run that was begun in the folder is what the estimate is based on.
    """
    from outthink.bench.grid import Folder
    from outthink.cli.bench_running import estimate_folder

    grid, path = _asked(**asked)
    sys.exit(estimate_folder(Folder.made(path, grid), pilot=pilot))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--cap", metavar="LIMITS", help="Another cap for the whole run, what was spent included.")
@click.option("--in-flight", type=click.IntRange(min=1), metavar="N", help="Pools or searches at once.")
@executor_option
@workers_option
def resume(folder: Path, cap: str | None, in_flight: int | None, executor: str, workers: int | None) -> None:
    """Go on with the run in FOLDER, wherever it was stopped or killed."""
    from outthink.bench.grid import Folder
    from outthink.cli.bench_running import run_folder

    found = Folder.found(folder)
    grid = _changed(found.grid, cap, in_flight)
    sys.exit(run_folder(Folder.made(folder, grid), executor=executor, workers=workers))


@click.command("list")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=RUNS)
def list_(folder: Path) -> None:
    """Presets, kinds of tasks, and the runs in FOLDER, with how far they are."""
    from outthink.bench.grid import Folder, grid_presets, not_run_of, read_grid, tasks_not_run
    from outthink.bench.tasks import TASKS

    for name in grid_presets():
        grid = read_grid(name)
        click.echo(f"{name}: {grid.description}")
        for what in (*tasks_not_run(grid), *not_run_of(grid)):
            click.echo(f"    not run here: {what.what}: {what.why}")
    click.echo("tasks: " + ", ".join(TASKS))
    for file in sorted(folder.glob("*/run.json")):
        record = Folder.found(file.parent).record()
        click.echo(f"{file.parent}: {record.ended}, {record.done:,} of {record.total:,} outcomes")


def _asked(
    *,
    grid: str | None,
    tasks: tuple[str, ...],
    methods: str | None,
    sizes: str | None,
    seeds: int | None,
    model: str | None,
    verifier: str | None,
    answer: str | None,
    changes: tuple[str, ...],
    pool: int | None,
    cap: str | None,
    in_flight: int | None,
    quick: bool,
    folder: Path | None,
) -> tuple[Grid, Path]:
    """The grid, and the folder of its run."""
    from outthink.bench.grid import digest, grid_of, over, read_grid
    from outthink.bench.grid import quick as in_small

    described: dict[str, object] = {"--tasks": tasks, "--methods": methods, "--verifier": verifier, "--answer": answer}
    described |= {"--set": changes, "--pool": pool}
    if grid is not None:
        given = [name for name, value in described.items() if value]
        if given:
            raise click.UsageError(
                f"{', '.join(given)} describe a grid, and GRID is one: change the file, or leave GRID out."
            )
        found, name = over(read_grid(grid), model, None if sizes is None else _numbers(sizes), seeds), Path(grid).stem
    elif not tasks or not methods:
        raise click.UsageError(
            "Name a GRID, or describe one with --tasks and --methods. `outthink bench list` shows presets."
        )
    else:
        found = grid_of(
            tasks,
            _parts(methods),
            model=model,
            verifier=verifier,
            answer=answer,
            changes=changes,
            sizes=None if sizes is None else _numbers(sizes),
            seeds=seeds,
            pool=pool,
        )
        name = "grid"
    found = _changed(in_small(found) if quick else found, cap, in_flight)
    return found, folder or RUNS / f"{name}{'-quick' if quick else ''}-{digest(found)[:8]}"


def _changed(grid: Grid, cap: str | None, in_flight: int | None) -> Grid:
    if cap is not None:
        grid = replace(grid, cap=Budget.parse(cap))
    return grid if in_flight is None else replace(grid, in_flight=in_flight)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in _parts(text)]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers such as 4,8,16.", param_hint="--sizes") from None


__all__ = ["CAPPED", "INTERRUPTED", "bench"]
