"""`outthink tune`: the recipe that is worth most for a task and a budget, found by measuring, judged on questions it was not found on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outthink.cli.lazy import INTERRUPTED

if TYPE_CHECKING:
    from outthink.tune import Strategy

STRATEGIES = ("gaussian-process", "random", "optuna-tpe", "optuna-gp", "optuna-cma-es")
NOTHING_FOUND = 3


@click.command()
@click.argument("problem", metavar="PROBLEM")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where measurements, pictures and the report go.  [default: build/tune/NAME]",
)
@click.option(
    "--tokens",
    type=click.FloatRange(min=0, min_open=True),
    help="The most that measurements may cost together, instead of what PROBLEM says.",
)
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="gaussian-process",
    show_default=True,
    help="Who chooses what to measure next.",
)
def tune(problem: str, folder: Path | None, tokens: float | None, strategy: str) -> None:
    """Find a better recipe for a task and a budget.

    PROBLEM is a TOML file that says what may change, or the name of one that comes with the package: countdown. Every measurement is kept
    in FOLDER before the next one begins; the same command goes on where it was stopped. The chosen recipe is judged on questions that it
    was not tuned on.
    """
    from outthink.core.settings import replace
    from outthink.recipes.background import BACKGROUND
    from outthink.tune import Ground, presets, read_problem, study_of, write
    from outthink.tune.writing import report

    posed = read_problem(problem)
    if tokens is not None:
        posed = replace(posed, tokens=tokens)
    where = folder or Path("build/tune") / (problem if problem in presets() else Path(problem).stem)

    def say(text: str) -> None:
        click.echo(f"outthink: {text}", err=True)

    def told(ground: Ground) -> None:
        last = ground.trials[-1]
        best = (
            ""
            if last.best is None or last.deviation is None
            else (f"; best believed {100 * last.best:.1f}% (deviation {100 * last.deviation:.1f})")
        )
        say(f"{len(ground.trials)} measurements, {ground.spent:,.0f} of {posed.tokens:,.0f} tokens{best}")

    study = BACKGROUND.run(
        lambda cut: study_of(posed, where, cut=cut, strategy=_strategy(strategy), told=told, say=say)
    )
    paths = write(study, where)
    click.echo(report(study))
    click.echo("files: " + ", ".join(str(path) for path in paths))
    if study.tuned.stop == "interrupt":
        say("stopped; the same command goes on from here")
        sys.exit(INTERRUPTED)
    if study.tuned.best is None:
        say("nothing could be measured, so nothing is chosen")
        sys.exit(NOTHING_FOUND)


def _strategy(name: str) -> Strategy:
    from outthink.tune import gaussian_process, random_search

    if name.startswith("optuna-"):
        from outthink.tune.with_optuna import SAMPLERS, OptunaStrategy

        return OptunaStrategy(SAMPLERS[name.removeprefix("optuna-")])
    return gaussian_process if name == "gaussian-process" else random_search
