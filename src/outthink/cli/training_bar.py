"""What `outthink train laboratory` and its sisters show while they work: a bar with tokens, loss, and the time that is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from outthink.train.laboratory.training import Progress

SMOOTHING = 0.98
"""Share of the loss that is shown which stays from one step to the next."""


class TrainingBar:
    """The bar of one training; `report` is what the training calls after each step, `said` shows a text in its place."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._line = self.bar.add_task("training", total=steps, shown="")
        self._loss = 0.0

    def report(self, progress: Progress) -> None:
        """After a step."""
        self._loss = progress.loss if self._loss == 0.0 else SMOOTHING * self._loss + (1 - SMOOTHING) * progress.loss
        shown = f"{progress.tokens:,} tokens, loss {self._loss:.3f}"
        self.bar.update(self._line, completed=progress.step, shown=shown)

    def said(self, text: str) -> None:
        """Before training and after it."""
        self.bar.update(self._line, shown=text)


@contextmanager
def training_bar(steps: int) -> Iterator[TrainingBar]:
    """A bar that is shown until the block ends."""
    made = TrainingBar(steps)
    with made.bar:
        yield made


def tell(made: Path | None, out: Path) -> None:
    """The path of what was made; an interrupted training ends the program as Ctrl-C does."""
    if made is None:
        click.echo(f"outthink: interrupted; the same command goes on from the checkpoint in {out}", err=True)
        sys.exit(130)
    click.echo(str(made))
