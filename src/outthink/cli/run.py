"""`outthink run`: solve one question, or a file of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from outthink.cli.questions import Asked, read
from outthink.cli.storage import store_option
from outthink.core.cost import Budget

if TYPE_CHECKING:
    from outthink.recipes.most import Most
    from outthink.recipes.plan import Plan

REFUSED = 1


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
@click.option("--recipe", metavar="PATH", help="A recipe to start from; --method then replaces its method alone.")
@click.option(
    "--n", type=int, metavar="N", help="The method's own size, such as members: short for --set algorithm.n=N."
)
@click.option("--verifier", metavar="NAME", help="Who judges; none for nobody.")
@click.option("--answer", metavar="NAME", help="How answers are found and compared; none for whole texts.")
@click.option(
    "--model", metavar="ENGINE[:MODEL]", help="What generates, such as local, laboratory or local:path/to/model.gguf."
)
@click.option(
    "--budget", metavar="LIMITS", help="The most to spend, such as tokens=4000,seconds=30. For all tasks together."
)
@click.option(
    "--allocate",
    type=click.Choice(["even", "marginal"]),
    default="even",
    show_default=True,
    help="How many tasks share the budget: the same for each, or by what a further step is predicted to bring.",
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
@click.option(
    "--resume", metavar="RUN", help="Take up a stored run that was killed, interrupted, or stopped by its budget."
)
@click.option("--take-over", is_flag=True, help="With --resume: even if its process may still live.")
@click.option("--record", metavar="PATH", help="Keep every reply in a file, to replay the run without its model.")
@store_option
@click.option("--no-store", is_flag=True, help="Do not store the run.")
@click.pass_context
def run(
    context: click.Context,
    question: str | None,
    file: str | None,
    jsonl: bool,
    method: str | None,
    recipe: str | None,
    n: int | None,
    verifier: str | None,
    answer: str | None,
    model: str | None,
    budget: str | None,
    allocate: str,
    changes: tuple[str, ...],
    seed: int,
    as_json: bool,
    dry_run: bool,
    resume: str | None,
    take_over: bool,
    record: str | None,
    where: str | None,
    no_store: bool,
) -> None:
    """Search for the best answer to QUESTION under a budget.

    The question is the argument, a file or standard input. The answer goes to standard output, the bill to standard error. Ctrl-C ends
    the search and prints the best answer so far. The run is stored; `outthink inspect` shows it.

    Exit status: 0 answered; 1 refused or failed, also in part of a file; 2 misused options; 3 the budget ended before there was any answer;
    130 Ctrl-C.
    """
    from outthink.recipes.plan import plan

    limits = None if budget is None else Budget.parse(budget)
    if resume is not None:
        from outthink.cli.one import resume_one

        refuse_all_but(context, {"resume", "take_over", "budget", "as_json", "where"})
        sys.exit(resume_one(resume, budget=limits, as_json=as_json, where=where, take_over=take_over))
    if take_over:
        raise click.UsageError("--take-over goes with --resume RUN.")
    made = plan(
        recipe=recipe,
        method=method,
        model=model,
        verifier=verifier,
        answer=answer,
        budget=limits,
        n=n,
        changes=changes,
    )
    asked = read(question, file, jsonl=jsonl)
    for message in asked.bad:
        click.echo(f"outthink: {message}", err=True)
    if dry_run:
        _rehearse(made, asked, as_json)
        sys.exit(REFUSED if asked.bad else 0)
    if asked.many:
        from outthink.cli.many import solve_lines

        if record is not None:
            raise click.UsageError("--record keeps one question's run; a file of tasks has many.")
        sys.exit(solve_lines(made, asked, seed, where=where, keep=not no_store, allocate=allocate))
    if allocate != "even":
        raise click.UsageError("--allocate shares one budget among many tasks: give a file of them.")
    from outthink.cli.one import solve_one

    sys.exit(solve_one(made, asked.tasks[0], seed, as_json=as_json, where=where, keep=not no_store, record=record))


def refuse_all_but(context: click.Context, allowed: set[str]) -> None:
    """A resumed run has its question, method and seed already: name what cannot be said again."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in allowed and source is not click.core.ParameterSource.DEFAULT:
            said = parameter.human_readable_name if isinstance(parameter, click.Argument) else parameter.opts[0]
            raise click.UsageError(f"{said} cannot be changed on --resume; only --budget can.")


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
    for number, layer in enumerate(found.layers, 1):
        again = f", {layer.most} with all retries" if layer.most > layer.calls else ""
        lines.append(f"layer {number}, {layer.stage}: {layer.calls} calls{again}; leaves {layer.candidates} at most")
    for name, value in found.bounds.items():
        if value:
            by = "  (the budget)" if name in found.limited else ""
            lines.append(f"{name} at most: {'no bound' if math.isinf(value) else _number(value)}{by}")
    return lines


def _number(value: float) -> Any:
    return int(value) if value == int(value) else value
