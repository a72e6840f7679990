"""`outthink train digits`: the image laboratory's classifier, diffusion and flow model, from nothing."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.training_options import out_option, seed_option


@click.command()
@click.option(
    "--data",
    type=click.Choice(["digits", "mnist"]),
    default="digits",
    show_default=True,
    help="8 x 8 digits, which scikit-learn holds, or 28 x 28 ones from --folder.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Where MNIST's IDX files are: train-* and t10k-*, or either.",
)
@seed_option(1, "Of the split, weights and noise.")
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the steps: less for a first look.",
)
@out_option("digits")
@click.option(
    "--samples",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    help="Of each class, to measure the models on.",
)
def digits(data: str, folder: Path | None, seed: int, share: float, out: Path, samples: int) -> None:
    """Train a classifier, a diffusion and a flow model of handwritten digits: a few minutes for 8 x 8, under 20 for 28 x 28.

    Writes DATA-classifier, DATA-diffusion and DATA-flow: weights (.safetensors), a card (.md), and samples (.png). They are read with
    outthink.diffusion.laboratory.load("DATA-diffusion", folder=FOLDER).
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from outthink.train.digits.settings import Training
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    from outthink.train.digits.making import Progress, make

    settings = Training(seed=seed) if data == "digits" else Training.of_mnist(seed)
    if share < 1.0:
        settings = settings.shortened(share)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    lines: dict[str, TaskID] = {}
    smoothed: dict[str, float] = {}
    with Bar(*columns, console=Console(stderr=True)) as bar:

        def report(progress: Progress) -> None:
            part = progress.part
            if part not in lines:
                lines[part] = bar.add_task(part, total=progress.steps, loss="")
            smoothed[part] = 0.98 * smoothed.get(part, progress.loss) + 0.02 * progress.loss
            bar.update(lines[part], completed=progress.step, loss=f"{smoothed[part]:.3f}")

        made = make(settings, out, folder=folder, report=report, each=samples)
    for path in made:
        click.echo(str(path))
