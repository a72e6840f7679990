"""`outthink runs`: the stored runs, in a list, for other programs, and gone."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from outthink.cli.lazy import Group
from outthink.cli.storage import open_store, short, store_option

if TYPE_CHECKING:
    from outthink.store import RunLine

DAY_SECONDS = 86400


@click.group(
    cls=Group,
    members={
        "list": "outthink.cli.runs:list_",
        "export": "outthink.cli.runs:export",
        "remove": "outthink.cli.runs:remove",
    },
)
def runs() -> None:
    """List, export and remove stored runs."""


@click.command("list")
@store_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="The most to show."
)
@click.option("--all", "every", is_flag=True, help="Show all of them.")
@click.option("--status", type=click.Choice(["running", "killed", "ended", "failed"]), help="Only runs in this state.")
@click.option("--method", metavar="NAME", help="Only runs of this method.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(where: str | None, limit: int, every: bool, status: str | None, method: str | None, as_json: bool) -> None:
    """Stored runs, the latest first."""
    import msgspec

    with open_store(where) as store:
        found = store.runs(limit=None if every else limit, status=status, method=method)
        name = store.name
    for line in found:
        click.echo(msgspec.json.encode(line).decode() if as_json else _row(line))
    if not as_json:
        click.echo(f"{len(found)} runs in {name}", err=True)


@click.command()
@click.argument("runs", nargs=-1)
@store_option
@click.option("--all", "every", is_flag=True, help="Export all runs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="One run a line with all in it, or one candidate a row.",
)
@click.option("--events", is_flag=True, help="With the whole record of what happened (jsonl).")
@click.option("--out", metavar="PATH", help="Where to write; standard output where it is not given (jsonl).")
def export(runs: tuple[str, ...], where: str | None, every: bool, form: str, events: bool, out: str | None) -> None:
    """Write the stored RUNS for other programs."""
    from outthink.store.export import export_jsonl, export_parquet

    if bool(runs) == every:
        raise click.UsageError("Name the runs to export, or say --all.")
    if form == "parquet" and (out is None or events):
        raise click.UsageError("--format parquet needs --out PATH, and has no events.")
    with open_store(where) as store:
        chosen = [line.id for line in store.runs(limit=None)] if every else list(runs)
        if form == "parquet":
            count, things = export_parquet(store, chosen, out or ""), "candidates"
        elif out is None:
            count, things = export_jsonl(store, chosen, sys.stdout.buffer, events=events), "runs"
        else:
            with click.open_file(out, "wb") as file:
                count, things = export_jsonl(store, chosen, file, events=events), "runs"
    click.echo(f"outthink: exported {count} {things}", err=True)


@click.command()
@click.argument("runs", nargs=-1)
@store_option
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Remove all but the newest N.")
@click.option(
    "--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Remove runs begun longer ago than so many days."
)
def remove(runs: tuple[str, ...], where: str | None, keep: int | None, older_than: float | None) -> None:
    """Delete the stored RUNS, or those that --keep and --older-than name. Runs at work stay."""
    if bool(runs) == (keep is not None or older_than is not None):
        raise click.UsageError("Name the runs to remove, or say --keep N or --older-than DAYS.")
    with open_store(where) as store:
        if runs:
            removed = store.remove(*runs)
        else:
            seconds = None if older_than is None else older_than * DAY_SECONDS
            removed = store.prune(keep=keep, older_than=seconds)
    click.echo(f"outthink: removed {removed.runs} runs, and {removed.contents} contents that only they held", err=True)


def _row(line: RunLine) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(line.created))
    state = line.stop or line.status
    answer = "-" if line.answer is None else short(line.answer, 24)
    asked = short(line.question, 40)
    return f"{line.id}  {began}  {line.method:<16} {state:<11} {line.tokens:>8} tok  {answer:<24}  {asked}"
