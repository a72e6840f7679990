"""Reports of benchmarks: the folders that were named, and for each what every method got right at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterable

from outthink.core.markup import Markup, tag
from outthink.dash.benches import Bench, Row, folders, read_bench
from outthink.dash.page import Page, Place, command, empty, facts, message, panel
from outthink.dash.readers import Readers
from outthink.dash.wording import brief, count

WIDTH, HEIGHT = 900.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 150.0, 16.0, 34.0


def benches_page(readers: Readers, place: Place) -> Page:
    """The list of folders."""
    title = tag("h1", "Benchmarks")
    found = folders(readers.benches)
    if not found:
        nothing = empty(
            "No benchmark here", "Name folders that `outthink bench run` wrote, or a folder of such folders."
        )
        return Page(
            "Benchmarks",
            "benches",
            (title, nothing, tag("p", command("outthink ui --bench build/bench"), class_="centre")),
        )
    cards = []
    for name, folder in found.items():
        bench = read_bench(name, folder)
        asked = sum(row.asked for row in bench.rows)
        about = {
            "Methods": ", ".join(dict.fromkeys(row.method for row in bench.rows)),
            "Outcomes": count(asked),
            "State": _text(bench, "ended"),
        }
        cards.append(
            tag("li", tag("h2", tag("a", name, href=place.to(f"benches/{name}"))), facts(about), class_="card")
        )
    return Page("Benchmarks", "benches", (title, tag("ul", *cards, class_="cards")))


def bench_page(readers: Readers, name: str, place: Place) -> tuple[Page, int]:
    """One folder, and the reply's status."""
    found = folders(readers.benches)
    if name not in found:
        return message("No such benchmark", "There is no folder of this name.", "benches"), 404
    bench = read_bench(name, found[name])
    crumbs = tag("p", tag("a", "Benchmarks", href=place.to("benches")), tag("span", name), class_="crumbs")
    parts: list[Markup] = [crumbs, tag("h1", _text(bench, "name") or name), facts(_about(bench))]
    for task in dict.fromkeys(row.task for row in bench.rows):
        rows = [row for row in bench.rows if row.task == task]
        parts.append(
            panel(
                task or "All questions",
                _plot(rows),
                _table(rows),
                note="Bars: 95% intervals, as if every outcome were a question of its own.",
            )
        )
    if not bench.rows:
        parts.append(empty("No outcomes yet", "They appear as the benchmark goes on; load the page again."))
    return Page(name, "benches", tuple(parts)), 200


def _about(bench: Bench) -> dict[str, str]:
    done, total = bench.record.get("done"), bench.record.get("total")
    return {
        "State": _text(bench, "ended"),
        "Outcomes": f"{done} of {total}" if isinstance(done, int) and isinstance(total, int) and total else "",
        "Started": _text(bench, "started"),
        "Grid": _text(bench, "digest"),
        "Lines that cannot be read": str(bench.bad) if bench.bad else "",
        "Report": "outthink bench report writes the full one, with paired comparisons",
    }


def _text(bench: Bench, name: str) -> str:
    value = bench.record.get(name, "")
    return value if isinstance(value, str) else ""


def _table(rows: Iterable[Row]) -> Markup:
    names = ("Method", "Size", "Right", "Interval", "Tokens a question", "Outcomes", "Failed")
    head = tag("tr", *(tag("th", name, scope="col", class_="n" if i else None) for i, name in enumerate(names)))
    body = []
    for row in rows:
        between = row.interval
        cells = (
            str(row.size),
            f"{row.right / row.asked:.1%}",
            f"{between.low:.1%} to {between.high:.1%}",
            brief(row.tokens / row.asked),
            count(row.asked),
            str(row.failed or "–"),
        )
        body.append(tag("tr", tag("td", row.method), *(tag("td", text, class_="n") for text in cells)))
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex="0")
    return tag("details", tag("summary", "All figures"), table)


def _plot(rows: list[Row]) -> Markup:
    """Right answers over tokens a question, on a logarithmic scale; a line a method, named at its end."""
    costs = [row.tokens / row.asked for row in rows if row.tokens > 0]
    if not costs:
        return Markup("")
    low, high = min(costs), max(costs)
    steps = max((high / low), 1.0001)

    def across(cost: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(cost / low) / math.log(steps)

    def up(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)

    parts: list[Markup] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = up(share)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", f"{share:.0%}", x=LEFT - 8, y=y + 4, text_anchor="end", class_="tick"))
    for cost, anchor in ((low, "start"), (high, "end")):
        parts.append(
            tag("text", f"{brief(cost)} tokens", x=across(cost), y=HEIGHT - 10, text_anchor=anchor, class_="tick")
        )
    methods = list(dict.fromkeys(row.method for row in rows))
    ends: list[tuple[float, float, int, str]] = []
    for i, method in enumerate(methods):
        own = sorted(
            (row for row in rows if row.method == method and row.tokens > 0), key=lambda row: row.tokens / row.asked
        )
        points = [(across(row.tokens / row.asked), up(row.right / row.asked), row) for row in own]
        style = f"line-{i % 8}"
        parts.append(tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points), class_=style))
        for x, y, row in points:
            between = row.interval
            said = f"{method}, size {row.size}: {row.right / row.asked:.1%} at {brief(row.tokens / row.asked)} tokens"
            parts.append(tag("line", x1=x, x2=x, y1=up(between.low), y2=up(between.high), class_=f"interval {style}"))
            parts.append(tag("circle", tag("title", said), cx=x, cy=y, r=3.5, class_=style))
        if points:
            ends.append((points[-1][1], points[-1][0], i, method))
    parts += _names(ends)
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        class_="plot",
        role="img",
        aria_label="Share of right answers over tokens a question",
    )


def _names(ends: list[tuple[float, float, int, str]]) -> list[Markup]:
    """The methods' names beside the ends of their lines, pushed apart where they would lie over each other."""
    found, below = [], 0.0
    for y, _, i, method in sorted(ends):
        below = max(y + 4, below + 14)
        found.append(tag("text", method, x=WIDTH - RIGHT + 12, y=below, class_=f"name line-{i % 8}"))
    return found
