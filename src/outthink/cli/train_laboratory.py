"""`outthink train laboratory`: the laboratory model, from nothing."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.training_options import STEPS, WORKERS, out_option, seed_option


@click.command()
@seed_option(1)
@STEPS
@WORKERS
@out_option("laboratory")
@click.option(
    "--problems", type=click.IntRange(min=2), default=100, show_default=True, help="Of each kind, to measure on."
)
def laboratory(seed: int, steps: int | None, workers: int, out: Path, problems: int) -> None:
    """Train the laboratory model, 1.4 million parameters, on arithmetic chains and Countdown: under 20 minutes on two cores.

    Writes laboratory.gguf, a reward head for it, laboratory-head.safetensors, and their card, laboratory.md. Ctrl-C ends with a
    checkpoint; the same command goes on from there.
    """
    import asyncio

    from outthink.cli.training_bar import tell, training_bar
    from outthink.engines.local.library import load
    from outthink.train.laboratory.settings import Training
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    load()  # the result is measured with it
    from outthink.train.laboratory.making import make

    settings = (
        Training(seed=seed, workers=workers) if steps is None else Training(seed=seed, workers=workers, steps=steps)
    )
    with training_bar(settings.steps) as bar:
        made = asyncio.run(make(settings, out, report=bar.report, problems=problems))
    tell(made, out)
