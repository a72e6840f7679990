"""`outthink demo`: the main job, as `make demo` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--quick", is_flag=True, help="Fewer problems, for a first look.")
@click.option("--more", is_flag=True, help="Further kinds of problems: greatest common divisors and products.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, other problems.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the report goes.")
def demo(quick: bool, more: bool, seed: int, out: Path | None) -> None:
    """Solve real problems with the embedded model: greedy, vote, best-of-n and a particle filter, side by side.

    Prints a table with accuracy, paired differences and cost, and writes an HTML report with the genealogy of the particles.
    """
    from outthink.demo.main import run_demo

    sys.exit(run_demo(quick=quick, more=more, seed=seed, out=out))
