"""A table of the page: it scrolls sideways where the screen is narrow, and the names of its rows stay in sight."""

from __future__ import annotations

from collections.abc import Sequence

from outthink.bench.report.cells import Cell, Sheet
from outthink.bench.report.questions import anchor
from outthink.core.markup import Markup, join, tag


def drawn(sheet: Sheet) -> Markup:
    """The whole table."""
    heads = [tag("th", head, scope="col", class_=_side(sheet, i)) for i, head in enumerate(sheet.heads)]
    rows = [_row(sheet, at, cells) for at, cells in enumerate(sheet.rows)]
    whole = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return tag("div", whole, class_="scroll")


def _row(sheet: Sheet, at: int, cells: Sequence[Cell]) -> Markup:
    first = tag("th", _content(cells[0]), scope="row", class_="nowrap")
    rest = [tag("td", _content(cell), class_=_side(sheet, i)) for i, cell in enumerate(cells[1:], 1)]
    kind = "aside" if at in sheet.aside else "first" if at in sheet.begins else None
    return tag("tr", first, *rest, class_=kind)


def _content(cell: Cell) -> str:
    if cell.question:
        return tag("a", cell.text, href=f"#{anchor(cell.question)}")
    text = tag("span", cell.text, class_=cell.kind) if cell.kind else cell.text
    return join(text, tag("small", cell.detail)) if cell.detail else text


def _side(sheet: Sheet, column: int) -> str | None:
    return "n" if column in sheet.numbers else None
