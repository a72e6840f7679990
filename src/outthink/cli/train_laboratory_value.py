"""`outthink train laboratory-value`: the laboratory's process reward model, from the laboratory model's weights on."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("laboratory-value")
@click.option(
    "--seed", type=click.IntRange(min=0), default=11, show_default=True, help="Of the rollouts and of their order."
)
@click.option("--steps", type=click.IntRange(min=1), help="Fewer for a first look.  [default: as the shipped model]")
@click.option(
    "--problems", type=click.IntRange(min=3), help="To sample the model on, of each kind.  [default: as above]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=Path("laboratory"),
    show_default=True,
    help="Where all goes.",
)
def laboratory_value(seed: int, steps: int | None, problems: int | None, out: Path) -> None:
    """Train the laboratory's value model: the laboratory model's own weights, through all layers, on lines with their exact worth.

    Samples the laboratory model, labels every line by enumeration, trains on one core for about a quarter of an hour, and measures on
    held-out problems. Writes laboratory-value.gguf and its card, laboratory-value.md. Ctrl-C ends with a checkpoint; the same command goes
    on from there.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from outthink.core.settings import replace
    from outthink.engines.local.library import load
    from outthink.train.laboratory.settings import ValueTraining
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    load()  # it is sampled and measured with it
    from outthink.train.laboratory.training import Progress
    from outthink.train.laboratory.value_making import make_value

    changes = {name: value for name, value in (("steps", steps), ("problems", problems)) if value is not None}
    settings = replace(ValueTraining(seed=seed), **changes)
    console, smoothed = Console(stderr=True), 0.0
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        line = bar.add_task("training", total=settings.steps, shown="")

        def report(progress: Progress) -> None:
            nonlocal smoothed
            smoothed = progress.loss if smoothed == 0.0 else 0.98 * smoothed + 0.02 * progress.loss
            bar.update(line, completed=progress.step, shown=f"{progress.tokens:,} tokens, loss {smoothed:.3f}")

        made = asyncio.run(make_value(settings, out, report=report, said=lambda text: bar.update(line, shown=text)))
    if made is None:
        click.echo(f"outthink: interrupted; the same command goes on from the checkpoint in {out}", err=True)
        sys.exit(130)
    click.echo(str(made))
