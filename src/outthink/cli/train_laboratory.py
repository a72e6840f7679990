"""`outthink train laboratory`: the laboratory model, from nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the data and of the first weights."
)
@click.option("--steps", type=click.IntRange(min=1), help="Fewer for a first look.  [default: as the shipped model]")
@click.option(
    "--workers", type=click.IntRange(1, 2), default=2, show_default=True, help="Processes of one thread each."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=Path("laboratory"),
    show_default=True,
    help="Where all goes.",
)
@click.option(
    "--problems", type=click.IntRange(min=2), default=100, show_default=True, help="Of each kind, to measure on."
)
def laboratory(seed: int, steps: int | None, workers: int, out: Path, problems: int) -> None:
    """Train the laboratory model, 1.4 million parameters, on arithmetic chains and Countdown: under 20 minutes on two cores.

    Writes laboratory.gguf, a reward head for it, laboratory-head.safetensors, and their card, laboratory.md. Ctrl-C ends with a
    checkpoint; the same command goes on from there.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from outthink.engines.local.library import load
    from outthink.train.laboratory.settings import Training
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    load()  # the result is measured with it
    from outthink.train.laboratory.making import make
    from outthink.train.laboratory.training import Progress

    settings = (
        Training(seed=seed, workers=workers) if steps is None else Training(seed=seed, workers=workers, steps=steps)
    )
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    smoothed = 0.0
    with Bar(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task("training", total=settings.steps, shown="")

        def report(progress: Progress) -> None:
            nonlocal smoothed
            smoothed = progress.loss if smoothed == 0.0 else 0.98 * smoothed + 0.02 * progress.loss
            rate = f"{progress.tokens:,} tokens, loss {smoothed:.3f}"
            bar.update(line, completed=progress.step, shown=rate)

        made = asyncio.run(make(settings, out, report=report, problems=problems))
    if made is None:
        click.echo(f"outthink: interrupted; the same command goes on from the checkpoint in {out}", err=True)
        sys.exit(130)
    click.echo(str(made))
