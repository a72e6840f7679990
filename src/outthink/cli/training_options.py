"""The options that trainings share, so that they read and refuse alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

STEPS: Option = click.option(
    "--steps", type=click.IntRange(min=1), help="Fewer for a first look.  [default: as the shipped model]"
)
WORKERS: Option = click.option(
    "--workers", type=click.IntRange(1, 2), default=2, show_default=True, help="Processes of one thread each."
)


def seed_option(default: int, of: str = "Of the data and of the first weights.") -> Option:
    """`--seed`."""
    return click.option("--seed", type=click.IntRange(min=0), default=default, show_default=True, help=of)


def out_option(default: str) -> Option:
    """`--out`."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        default=Path(default),
        show_default=True,
        help="Where all goes.",
    )
