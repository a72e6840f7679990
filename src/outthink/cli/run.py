"""`outthink run`: solve one question, or a file of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from outthink.cli.lazy import INTERRUPTED
from outthink.cli.questions import Asked, read
from outthink.core.cost import Budget

if TYPE_CHECKING:
    from outthink.recipes.most import Most
    from outthink.recipes.plan import Plan

REFUSED, NO_ANSWER = 1, 3


@click.command()
@click.argument("question", required=False)
@click.option(
    "--file",
    metavar="PATH",
    help="Read the question from a file; - is standard input. A .jsonl file holds one task a line.",
)
@click.option(
    "--jsonl", is_flag=True, help="The file, or standard input, holds one task a line: results go out one a line."
)
@click.option("--method", metavar="NAME", help="A method, a preset, or the path of a recipe.  [default: best-of-n]")
@click.option(
    "--n", type=int, metavar="N", help="The method's own size, such as members: short for --set algorithm.n=N."
)
@click.option("--verifier", metavar="NAME", help="Who judges; none for nobody.")
@click.option("--answer", metavar="NAME", help="How answers are found and compared; none for whole texts.")
@click.option("--model", metavar="ENGINE[:MODEL]", help="What generates, such as local or local:path/to/model.gguf.")
@click.option(
    "--budget", metavar="LIMITS", help="The most to spend, such as tokens=4000,seconds=30. For all tasks together."
)
@click.option(
    "--set",
    "changes",
    metavar="PATH=VALUE",
    multiple=True,
    help="Any other setting, such as algorithm.twist.strength=2.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed gives the same search."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole result as JSON, and nothing else on standard output."
)
@click.option("--dry-run", is_flag=True, help="Print what would run and the most that it can cost; spend nothing.")
def run(
    question: str | None,
    file: str | None,
    jsonl: bool,
    method: str | None,
    n: int | None,
    verifier: str | None,
    answer: str | None,
    model: str | None,
    budget: str | None,
    changes: tuple[str, ...],
    seed: int,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Search for the best answer to QUESTION under a budget.

    The question is the argument, a file or standard input. The answer goes to standard output, the bill to standard error. Ctrl-C ends
    the search and prints the best answer so far.

    Exit status: 0 answered; 1 refused or failed, also in part of a file; 2 misused options; 3 the budget ended before there was any answer;
    130 Ctrl-C.
    """
    from outthink.recipes.plan import plan

    limits = None if budget is None else Budget.parse(budget)
    made = plan(method=method, model=model, verifier=verifier, answer=answer, budget=limits, n=n, changes=changes)
    asked = read(question, file, jsonl=jsonl)
    for message in asked.bad:
        click.echo(f"outthink: {message}", err=True)
    if dry_run:
        _rehearse(made, asked, as_json)
        sys.exit(REFUSED if asked.bad else 0)
    if asked.many:
        from outthink.cli.many import solve_lines

        sys.exit(solve_lines(made, asked, seed))
    sys.exit(_solve_one(made, asked, seed, as_json))


def _solve_one(made: Plan, asked: Asked, seed: int, as_json: bool) -> int:
    from outthink.cli.progress import Progress
    from outthink.core.cut import Cut
    from outthink.core.result import Result, Stop
    from outthink.recipes.background import BACKGROUND
    from outthink.recipes.solving import solve_task

    with Progress(made.recipe.budget, 1) as progress:

        async def work(cut: Cut) -> Result:
            return await solve_task(made, asked.tasks[0], seed=seed, sinks=[progress], cut=cut)

        result = BACKGROUND.run(work)
    for message in (*progress.said, *result.degraded):
        click.echo(f"outthink: {message}", err=True)
    if as_json:
        click.echo(result.to_json())
    elif result.answer is not None:
        click.echo(result.answer)
    click.echo(result.summary(), err=True)
    if result.answer is None:
        click.echo("outthink: there is no answer: nothing finished within the budget.", err=True)
    if result.stop is Stop.INTERRUPTED:
        return INTERRUPTED
    return 0 if result.answer is not None else NO_ANSWER


def _rehearse(made: Plan, asked: Asked, as_json: bool) -> None:
    from outthink.core.cut import Cut
    from outthink.recipes.background import BACKGROUND
    from outthink.recipes.build import build
    from outthink.recipes.digest import digest
    from outthink.recipes.most import most
    from outthink.recipes.show import to_toml

    async def work(cut: Cut) -> Most:
        async with build(made.recipe, live=made.live) as built:
            return await most(built, asked.tasks)

    found = BACKGROUND.run(work)
    if as_json:
        import msgspec

        document = {
            "tasks": len(asked.tasks),
            "digest": digest(made.recipe),
            "recipe": made.recipe.tables(),
            "most": {name: None if math.isinf(value) else value for name, value in found.bounds.items()},
            "limited_by_budget": found.limited,
            "unbounded": found.unbounded,
        }
        click.echo(msgspec.json.encode(document).decode())
        return
    click.echo(to_toml(made.recipe, comments=False, defaults=False))
    for line in _bounds(found, len(asked.tasks)):
        click.echo(line)


def _bounds(found: Most, tasks: int) -> Sequence[str]:
    lines = [f"tasks: {tasks}", f"steps of members at most: {'no bound' if found.moves is None else found.moves}"]
    for name, value in found.bounds.items():
        if value:
            by = "  (the budget)" if name in found.limited else ""
            lines.append(f"{name} at most: {'no bound' if math.isinf(value) else _number(value)}{by}")
    return lines


def _number(value: float) -> Any:
    return int(value) if value == int(value) else value
