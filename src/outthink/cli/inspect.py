"""`outthink inspect`: one stored run, whole: its answer and why it won, its cost, its candidates, and who came from whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from outthink.cli.storage import open_store, plain, short, store_option
from outthink.core.events import StageEnded
from outthink.core.task import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from outthink.core.genealogy import Genealogy
    from outthink.store import StoredRun


@click.command()
@click.argument("run", default="last")
@store_option
@click.option("--picture", metavar="PATH", help="Draw the family tree of the candidates as an SVG file.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(run: str, where: str | None, picture: str | None, as_json: bool) -> None:
    """Show the stored run RUN: candidates, scores, genealogy, cost by role, why it stopped, why this answer won.

    RUN is the name of a run, its beginning, or "last".
    """
    from pathlib import Path

    from outthink.cli.family import family_of, picture_of

    with open_store(where) as store:
        found = store.run(run)
    tree = family_of(found)
    if picture is not None:
        try:
            Path(picture).write_text(picture_of(found, tree), encoding="utf-8")
        except OSError as error:
            from outthink.core.errors import InputError

            raise InputError(f"The picture cannot be written to {picture!r}: {error.strerror}.") from None
    if as_json:
        _print_json(found, tree)
    else:
        _print(found, tree)
    if picture is not None:
        click.echo(f"outthink: the family tree is in {picture}", err=True)


def _print_json(found: StoredRun, tree: Genealogy) -> None:

    from outthink.core import half_pairs
    from outthink.store.export import document
    from outthink.store.reasons import why_stopped, why_won

    nodes = [
        {"node": node.id, "parent": node.parent, "level": node.level, "score": node.score, "copies": node.copies}
        | {"done": node.done, "failed": node.failed, "chosen": node.chosen}
        | {"visits": node.visits, "value": node.value}
        for node in tree.nodes.values()
    ]
    whole = document(found, events=False) | {"genealogy": nodes, "unanswered": found.unanswered}
    if found.result is not None:
        whole |= {"why_stopped": why_stopped(found.result), "why_won": why_won(found.result)}
    click.echo(half_pairs.as_json(whole, _plain_value).decode())


def _plain_value(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _print(found: StoredRun, tree: Genealogy) -> None:
    from rich.console import Console

    from outthink.cli.family import drawn

    console = Console(highlight=False)
    parts: list[RenderableType] = [_facts(found)]
    if found.result is not None:
        parts += [_bill(found), _candidates(found)]
    if any(isinstance(event, StageEnded) for event in found.events):
        parts.append(_stages(found))
    if tree.nodes:
        parts.append(drawn(tree))
    for part in parts:
        console.print(part)
        console.print()
    if found.unanswered:
        console.print(f"{len(found.unanswered)} requests were sent and not answered:", markup=False)
        for about in found.unanswered:
            console.print(f"  {plain(about)}", markup=False)


def _facts(found: StoredRun) -> Table:
    from rich.table import Table
    from rich.text import Text

    from outthink.store.reasons import why_stopped, why_won

    line, result = found.line, found.result
    began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(line.created))
    facts = [("run", f"{line.id}  ({line.status})"), ("begun", began), ("asked", short(found.task.question, 200))]
    facts.append(("method", f"{line.method}, seed {line.seed}, {line.steps} steps, {line.seconds:.2f} s"))
    if line.engine:
        facts.append(("engine", line.engine))
    if line.digest:
        facts.append(("recipe", line.digest))
    if found.budget:
        facts.append(("budget", ", ".join(f"{name}={value:g}" for name, value in found.budget.items())))
    if result is not None:
        facts.append(("answer", "none" if result.answer is None else short(result.answer, 400)))
        facts += [("why it won", why_won(result)), ("why it stopped", why_stopped(result))]
    if found.error:
        facts.append(("why it failed", found.error))
    unfinished = line.status in ("killed", "failed") or line.stop in ("budget", "interrupted")
    if unfinished and found.recipe:
        facts.append(("to go on", f"outthink run --resume {line.id}"))
    elif unfinished and "steer" in found.task.data:
        facts.append(("to go on", f"outthink steer --resume {line.id}"))
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(name, style="bold"), Text(plain(value)))
    return table


def _bill(found: StoredRun) -> Table:
    from rich.table import Table

    from outthink.core.result import describe

    table = Table("role", "cost", title="Cost by role", title_justify="left", box=None, padding=(0, 2))
    result = found.result
    if result is not None:
        for role, cost in result.by_role.items():
            table.add_row(role, describe(cost))
        table.add_row("in all", describe(result.cost))
        if describe(result.uncertain) != "nothing":
            table.add_row("perhaps more", describe(result.uncertain))
    return table


def _stages(found: StoredRun) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("layer", "stage", "came", "left", "calls", "note", title="Layers", title_justify="left", box=None)
    for event in found.events:
        if isinstance(event, StageEnded):
            left = ", ".join(str(node) for node in event.nodes)
            cells = (str(event.layer), event.stage, str(event.came), left, str(event.calls), event.note)
            table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _candidates(found: StoredRun) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "node", "answer", "score", "weight", "state", title="Candidates", title_justify="left", box=None)
    result = found.result
    if result is not None:
        order = sorted(range(len(result.candidates)), key=lambda i: (i != result.chosen, -result.weights[i], i))
        for i in order:
            one, score = result.candidates[i], result.scores[i]
            shown = one.answer if one.answer is not None else in_words(one.content) or one.content
            table.add_row(
                "*" if i == result.chosen else "",
                str(one.id),
                Text(short(shown)),
                "-" if score is None else f"{score:.4g}",
                f"{result.weights[i]:.3f}",
                "finished" if one.final else "unfinished",
            )
    return table
