"""`outthink train laboratory-sql`: the laboratory's second language model, for text to SQL, from nothing."""

from __future__ import annotations

from pathlib import Path

import click

from outthink.cli.training_options import STEPS, WORKERS, out_option, seed_option


@click.command("laboratory-sql")
@seed_option(21)
@STEPS
@WORKERS
@out_option("laboratory-sql")
@click.option("--questions", type=click.IntRange(min=2), default=200, show_default=True, help="To measure on.")
def laboratory_sql(seed: int, steps: int | None, workers: int, out: Path, questions: int) -> None:
    """Train the laboratory's SQL model, 1.4 million parameters, on questions and rounds of refinement: about ten minutes on one core.

    Writes laboratory-sql.gguf and its card, laboratory-sql.md. Ctrl-C ends with a checkpoint; the same command goes on from there.
    """
    import asyncio

    from outthink.cli.training_bar import tell, training_bar
    from outthink.core.settings import replace
    from outthink.engines.local.library import load
    from outthink.train.laboratory.settings import SqlTraining
    from outthink.verify.extras import require

    require("torch", extra="train", needed_by="trainings")
    load()  # the result is measured with it
    from outthink.train.laboratory.sql_making import make_sql

    settings = SqlTraining(seed=seed, workers=workers)
    if steps is not None:
        settings = replace(settings, steps=steps)
    with training_bar(settings.steps) as bar:
        made = asyncio.run(make_sql(settings, out, report=bar.report, said=bar.said, questions=questions))
    tell(made, out)
