"""`outthink bench tasks`: which kinds of tasks there are, what one of them asks, and its tasks as a file."""

from __future__ import annotations

import click

from outthink.cli.lazy import Group

SHOWN_PROBLEMS = 5


@click.group(
    cls=Group,
    members={
        "list": "outthink.cli.bench_tasks:list_",
        "show": "outthink.cli.bench_tasks:show",
        "write": "outthink.cli.bench_tasks:write",
    },
)
def tasks() -> None:
    """The kinds of tasks, and what one of them asks."""


@click.command("list")
def list_() -> None:
    """Every kind of task, with where its questions are from."""
    from rich.console import Console
    from rich.table import Table

    from outthink.bench.tasks import TASKS, FileSource
    from outthink.recipes.describe import summary

    table = Table("kind", "what", "from", box=None)
    for word, kind in TASKS.items():
        home = "made from a seed"
        if issubclass(kind, FileSource):
            home = kind.HOME[0] or "a file of yours"
        table.add_row(word, summary(kind), home)
    Console().print(table)


@click.command()
@click.argument("task", metavar="TASK")
@click.option("--questions", type=click.IntRange(min=0), default=3, show_default=True, help="How many are printed.")
@click.option("--problems", "all_problems", is_flag=True, help="Print every bad row, not the first few.")
def show(task: str, questions: int, all_problems: bool) -> None:
    """A few questions of TASK with their answers, how many there are, bad rows, and the best constant answer.

    TASK is a kind with its settings, such as gsm8k:path=test.jsonl,limit=20, or a .jsonl file of your own.
    """
    from outthink.bench.grid.reading import task_table
    from outthink.bench.tasks import load_tasks

    (found,) = load_tasks([task_table(task)])
    best = found.best_constant()
    click.echo(f"{found.name}: {len(found.questions):,} questions, {len(found.problems):,} bad rows")
    said = "none" if best.answer is None else f"{best.answer!r}, right for {100 * best.share:.1f}%"
    click.echo(f"best constant answer: {said}")
    click.echo("from: " + ", ".join(f"{name} {value}" for name, value in found.origin.items()))
    if found.prompt_style:
        click.echo(f"how to answer: {found.prompt_style}")
    for problem in found.problems[: None if all_problems else SHOWN_PROBLEMS]:
        click.echo(f"bad row: {problem}")
    left = 0 if all_problems else len(found.problems) - SHOWN_PROBLEMS
    if left > 0:
        click.echo(f"bad rows: {left:,} more; --problems prints them")
    for question in found.questions[:questions]:
        click.echo(f"\n--- {question.task.id}\n{question.asked.question}\n--> {question.task.reference}")


@click.command()
@click.argument("task", metavar="TASK")
@click.argument("file", metavar="FILE")
@click.option("--blind", is_flag=True, help="Leave out right answers and hidden tests.")
def write(task: str, file: str, blind: bool) -> None:
    """Write the questions of TASK to FILE, one task a line, as `outthink run --file FILE` reads them; - is standard output.

    With their right answers, which only verifiers that say so may read.
    """
    import msgspec

    from outthink.bench.grid.reading import task_table
    from outthink.bench.tasks import load_tasks

    (found,) = load_tasks([task_table(task)])
    with click.open_file(file, "wb") as opened:
        for question in found.questions:
            opened.write(msgspec.json.encode(question.asked if blind else question.task) + b"\n")
    click.echo(f"{len(found.questions):,} tasks of {found.name}", err=True)
