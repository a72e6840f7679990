"""Replays on the terminal: a table in which every accuracy is drawn with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from outthink.cli.storage import plain, short

if TYPE_CHECKING:
    from rich.text import Text

    from outthink.replay import Chance, Line, SampleTable

LEAST, MOST, BESIDE = 16, 40, 60
"""Letters of a bar at least and at most, and of all that stands beside it."""
COLOURS = {"single": "white", "vote": "yellow", "oracle": "green", "adaptive": "cyan"}


def of_lines(lines: Sequence[Line], table: SampleTable, as_json: bool, *, in_tokens: bool) -> None:
    """Print the lines, under what they were computed from. `in_tokens`: sizes are budgets."""
    if as_json:
        for line in lines:
            click.echo(msgspec.json.encode(_plain_line(line)).decode())
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    samples, questions = int(table.counts.sum()), len(table.units[0])
    about = f"{samples:,} samples of {questions:,} questions"
    if table.scores:
        about += f", scores: {', '.join(sorted(table.scores))}"
    console.print(about, markup=False)
    wide = min(max(console.width - BESIDE, LEAST), MOST)
    scale = "0%" + "50%".center(wide - 6) + "100%"
    shown = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    shown.add_column("choice", no_wrap=True)
    shown.add_column("tokens" if in_tokens else "samples", justify="right", no_wrap=True)
    shown.add_column(scale, no_wrap=True)
    for head in ("right", "95%", "cost", "judged"):
        shown.add_column(head, justify="right", no_wrap=True)
    before = ""
    for line in lines:
        if before not in ("", line.select):
            shown.add_row()
        before = line.select
        interval = f"{100 * line.interval.low:.1f}–{100 * line.interval.high:.1f}"
        size = f"{line.samples:.1f} of {line.size}" if line.select == "adaptive" else f"{line.size:,}"
        right = f"{100 * line.accuracy:.1f}%"
        shown.add_row(line.select, size, _bar(line, wide), right, interval, _amount(line.tokens), _amount(line.judged))
    console.print(shown)
    console.print(
        "Cost: tokens of one question, judging included. Judged: how many samples a verifier looked at.", markup=False
    )
    left = {line.size: line.questions for line in lines if line.questions < questions}
    for number, count in left.items():
        console.print(f"Only {count:,} questions have {number} samples.", markup=False)
    drawn = sorted({line.how for line in lines} - {"exact"})
    if drawn:
        console.print(f"Exact where all subsets can be tried; else the mean over {', '.join(drawn)}.", markup=False)


def of_chances(chances: Sequence[Chance], question: str, known: bool, as_json: bool) -> None:
    """Print what each choice would have answered. `known`: whether the right answer is."""
    if as_json:
        for one in chances:
            plain_line = _plain_line(one.line) if known else {"select": one.select, "size": one.size}
            click.echo(msgspec.json.encode(plain_line | {"answers": dict(one.answers)}).decode())
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(short(question, 200), markup=False)
    shown = Table("choice", box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    shown.add_column("samples", justify="right")
    shown.add_column("would answer")
    if known:
        shown.add_column("right", justify="right")
    shown.add_column("tokens", justify="right")
    for one in chances:
        said = ", ".join(f"{plain(text)[:40]} ({100 * chance:.0f}%)" for text, chance in one.answers[:4]) or "–"
        right = [f"{100 * one.line.accuracy:.0f}%"] if known else []
        shown.add_row(one.select, str(one.size), said, *right, _amount(one.line.tokens))
    console.print(shown)


def _bar(line: Line, wide: int) -> Text:
    """The interval as a line, the estimate as a dot on it."""
    from rich.text import Text

    low, at, high = (round(share * (wide - 1)) for share in (line.interval.low, line.accuracy, line.interval.high))
    drawn = [" "] * wide
    drawn[low : high + 1] = "─" * (high + 1 - low)
    drawn[low], drawn[high] = "├", "┤"
    drawn[at] = "●"
    return Text("".join(drawn), style=COLOURS.get(line.select, "magenta"))


def _amount(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _plain_line(line: Line) -> dict[str, object]:
    numbers = {"samples": line.samples, "tokens": line.tokens, "judged": line.judged}
    return {
        "select": line.select,
        "size": line.size,
        "score": line.score or None,
        "right": line.accuracy,
        "low": line.interval.low,
        "high": line.interval.high,
        "questions": line.questions,
        **{name: None if math.isnan(value) else value for name, value in numbers.items()},
        "how": line.how,
    }
