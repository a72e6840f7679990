"""A grid run from the command line: an estimate first, progress with spend and time to go, and how to resume when it is stopped."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable

import click

from outthink.bench.grid import Estimate, Folder, Posed, Running, estimate, opened, pose
from outthink.bench.grid.estimating import pilot as pilot_units
from outthink.bench.grid.executors import LocalExecutor
from outthink.bench.grid.folder import Ended
from outthink.bench.grid.running import MakeExecutor
from outthink.cli.lazy import INTERRUPTED
from outthink.core.cut import Cut
from outthink.core.result import describe
from outthink.recipes.background import BACKGROUND

CAPPED = 3
LINE_SECONDS = 30.0
"""How often a line is printed where standard error is no terminal."""
KEPT_SECONDS = 10.0
"""How often run.json is brought up to date."""
STATUS = {"done": 0, "cap": CAPPED, "interrupted": INTERRUPTED, "running": 0}


def run_folder(folder: Folder, *, executor: str, workers: int | None) -> int:
    """Run what the folder lacks, and return the exit status."""
    posed = _posed(folder)
    make = _executor(executor, workers, folder)

    async def work(cut: Cut) -> Ended:
        async with opened(folder, posed, cut=cut, executor=make) as running:
            with Told(running) as told:
                first = pilot_units(running)
                if not running.pools and not running.cells and len(first) < len(running.pool_units()):
                    told.say(f"{len(first)} units first, for an estimate")
                    await running.do(first, told)
                said = await estimate(running)
                running.estimate = said.text()
                told.estimated(said)
                ended = await running.run(told)
            _end(running, ended)
            return ended

    return STATUS[BACKGROUND.run(work)]


def estimate_folder(folder: Folder, *, pilot: bool) -> int:
    """Print what the folder still lacks will cost; with `pilot`, after the first few units."""
    posed = _posed(folder)

    async def work(cut: Cut) -> None:
        async with opened(folder, posed, cut=cut) as running:
            if pilot:
                with Told(running) as told:
                    await running.do(pilot_units(running), told)
            said = await estimate(running)
            running.estimate = said.text()
            running.keep("interrupted")
            click.echo(said.text())

    BACKGROUND.run(work)
    return 0


def _posed(folder: Folder) -> Posed:
    posed = pose(folder.grid)
    for row in posed.problems[:5]:
        click.echo(f"outthink: {row}", err=True)
    if posed.problems:
        count = "1 bad row" if len(posed.problems) == 1 else f"{len(posed.problems)} bad rows"
        click.echo(f"outthink: {count} in all; see {folder.path / 'problems.jsonl'}", err=True)
    for one in posed.not_run:
        click.echo(f"outthink: not run here: {one.what}: {one.why}", err=True)
    return posed


def _executor(name: str, workers: int | None, folder: Folder) -> MakeExecutor:
    if name == "local":
        return LocalExecutor
    from outthink.bench.grid.ray_executor import ray_executor

    return ray_executor(workers, folder=folder.path.absolute())


def _end(running: Running, ended: Ended) -> None:
    spent = describe(running.ledger.total)
    click.echo(
        f"{len(running.cells):,} of {running.total:,} outcomes in {running.folder.path}; spent {spent}", err=True
    )
    if ended == "cap":
        click.echo("outthink: the cap was reached.", err=True)
    if ended != "done":
        folder = shlex.quote(str(running.folder.path))
        raised = " --cap LIMITS" if ended == "cap" else ""
        click.echo(f"outthink: go on with: outthink bench resume {folder}{raised}", err=True)


class Told:
    """How far a grid is: bars on a terminal, else a line now and then."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._bars = _Bars() if sys.stderr.isatty() else None
        self._line_at = self._kept_at = time.monotonic()
        self._began: float | None = None
        self._tokens_before = 0
        self._to_go: float | None = None

    def __enter__(self) -> Told:
        if self._bars is not None:
            self._bars.start(self._running.total, len(self._running.cells))
        return self

    def __exit__(self, *error: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """One line."""
        click.echo(f"outthink: {text}", err=True)

    def estimated(self, said: Estimate) -> None:
        """The estimate, from which the time to go is told."""
        self.say(said.text())
        self._began, self._to_go = time.monotonic(), said.tokens
        self._tokens_before = self._running.ledger.total.tokens

    def told(self, running: Running) -> None:
        """Something more is finished."""
        at = time.monotonic()
        if at - self._kept_at > KEPT_SECONDS:
            running.keep()
            self._kept_at = at
        if self._bars is not None:
            self._bars.show(len(running.cells), len(running.pools), self.line(at))
        elif at - self._line_at > LINE_SECONDS:
            self._line_at = at
            self.say(
                f"{len(running.cells):,} of {running.total:,} outcomes, {len(running.pools):,} pools; {self.line(at)}"
            )

    def line(self, at: float) -> str:
        """What was spent, of which cap, and how long it will take."""
        total, limits = self._running.ledger.total, self._running.ledger.budget.limits()
        spent = [f"{total.tokens:,} tokens"] + ([f"{total.money:.4g} in money"] if total.money > 0 else [])
        spent += [
            f"{total.column(name) / limit:.0%} of the cap's {name}"
            for name, limit in limits.items()
            if name != "seconds"
        ]
        if self._to_go is not None and self._began is not None:
            done = total.tokens - self._tokens_before
            if done and at > self._began:
                left = max(0.0, self._to_go - done) * (at - self._began) / done
                spent.append(f"about {left / 60:.0f} minutes to go")
        return ", ".join(spent)


class _Bars:
    """A bar of rich's, imported only where it is seen."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("outcomes"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True, highlight=False),
        )
        self._show: Callable[..., None] | None = None

    def start(self, total: int, done: int) -> None:
        bar = self._progress.add_task("Ctrl-C ends cleanly", total=total, completed=done)
        self._show = lambda completed, text: self._progress.update(bar, completed=completed, description=text)
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def show(self, done: int, pools: int, text: str) -> None:
        if self._show is not None:
            self._show(done, f"{pools:,} pools; {text}")
