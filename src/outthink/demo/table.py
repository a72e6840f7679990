"""The result in the terminal: who solved how much, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outthink.demo import wording
from outthink.demo.plan import BASELINES
from outthink.demo.running import Finished
from outthink.demo.scoring import Row, Summary, verdict


def tables(summary: Summary, finished: Finished) -> RenderableType:
    """Both tables of one kind of problems, the budget below them and the verdict last."""
    lines = [
        wording.constant_line(summary),
        wording.budget_line(summary),
        wording.shared_line(finished, summary.kind),
    ]
    return Group(
        accuracy_table(summary),
        bill_table(summary),
        *(Text(line) for line in lines),
        Text(verdict(summary), style="bold"),
        Text(),
    )


def accuracy_table(summary: Summary) -> Table:
    """Accuracy with its interval, and the paired differences to each baseline."""
    table = Table(
        title=f"{wording.heading(summary)}: accuracy", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("method", min_width=18, max_width=28)
    table.add_column("solved", justify="right")
    table.add_column("95%", justify="right", no_wrap=True)
    for name in BASELINES:
        table.add_column(f"against {name}", max_width=11)
    for row in summary.rows:
        cells = {
            a.baseline: Text(f"{wording.difference(a)}\n{wording.points(a)}", "" if a.shown else "dim")
            for a in row.against
        }
        table.add_row(
            _titled(row),
            f"{row.right}\n{wording.percent(row.accuracy)}",
            wording.span(row.interval).replace(" to ", "-"),
            *(cells.get(name, Text("")) for name in BASELINES),
        )
    constant = summary.constant
    table.add_row(
        Text(f"always {constant.answer}", style="dim"),
        Text(f"{constant.right}\n{wording.percent(constant.right / summary.n)}", style="dim"),
    )
    return table


def bill_table(summary: Summary) -> Table:
    """Tokens by role, calls of the checker, the dearest problem, seconds."""
    table = Table(title="bill, all problems together", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", max_width=24)
    for name in ("generated", "prompt", "checked"):
        table.add_column(name, justify="right")
    table.add_column(f"most in one (cap {summary.cap})", justify="right", max_width=14)
    table.add_column("seconds", justify="right")
    for row in summary.rows:
        generate = row.by_role.get("generate")
        table.add_row(
            Text(row.title),
            str(generate.output_tokens if generate else 0),
            str(wording.prompt_tokens(generate) if generate else 0),
            str(row.cost.verifier_calls),
            str(row.most),
            f"{row.seconds:.1f}",
        )
    return table


def closing(finished: Finished, engine: str, where: str) -> RenderableType:
    """What stands under all tables: notes, the ledger, the report and where to look next."""
    notes = Text("\n".join(f"- {note}" for note in wording.method_notes(finished.plan)), style="dim")
    ended = (
        ["Ended by Ctrl-C: only problems that every method has finished are counted."] if finished.interrupted else []
    )
    lines = [*ended, wording.ledger_line(finished), wording.seconds_line(finished, engine)]
    return Group(notes, *(Text(line) for line in lines), Text(f"\nReport: {where}", style="bold"), Text(next_line()))


def next_line() -> str:
    """Where to go from here."""
    return 'Next: outthink run "What is 17 + 25?" --method vote, docs/tutorial/first-search.md, make demo-more'


def _titled(row: Row) -> Text:
    title = Text(row.title)
    if row.method.judged:
        title.append(f"\n{wording.judged(row)}", style="dim")
    if row.failed:
        title.append(f"\nfailed on {row.failed}", style="red")
    return title


def every_kind(summaries: Sequence[Summary], finished: Finished) -> RenderableType:
    """All kinds, one after the other."""
    return Group(*(tables(summary, finished) for summary in summaries))
