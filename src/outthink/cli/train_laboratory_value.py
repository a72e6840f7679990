"""`outthink train laboratory-value`: the laboratory's process reward model, from the laboratory model's weights on."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.training_options import STEPS, out_option, seed_option


@click.command("laboratory-value")
@seed_option(11, "Of the rollouts and of their order.")
@STEPS
@click.option(
    "--problems", type=click.IntRange(min=3), help="To sample the model on, of each kind.  [default: as above]"
)
@out_option("laboratory")
def laboratory_value(seed: int, steps: int | None, problems: int | None, out: Path) -> None:
    """Train the laboratory's value model: the laboratory model's own weights, through all layers, on lines with their exact worth.

    Samples the laboratory model, labels every line by enumeration, trains on one core for about a quarter of an hour, and measures on
    held-out problems. Writes laboratory-value.gguf and its card, laboratory-value.md. Ctrl-C ends with a checkpoint; the same command goes
    on from there.
    """
    import asyncio

    from outthink.cli.training_bar import tell, training_bar
    from outthink.core.settings import replace
    from outthink.engines.local.library import load
    from outthink.train.laboratory.settings import ValueTraining
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    load()  # it is sampled and measured with it
    from outthink.train.laboratory.value_making import make_value

    changes = {name: value for name, value in (("steps", steps), ("problems", problems)) if value is not None}
    settings = replace(ValueTraining(seed=seed), **changes)
    with training_bar(settings.steps) as bar:
        made = asyncio.run(make_value(settings, out, report=bar.report, said=bar.said))
    tell(made, out)
