"""The report as Markdown, for a file beside the HTML and for a page of the documentation: the same sentences and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outthink.bench.report import said, sheets, wording
from outthink.bench.report.cells import Cell, Sheet
from outthink.bench.report.made import facts
from outthink.bench.report.questions import anchor
from outthink.bench.report.study import SetStudy, Study


@dataclass(frozen=True)
class Around:
    """What a Markdown text stands beside.

    Attributes:
        level: of its highest heading. pictures: by set, with their captions. traces: the HTML file that holds the traces; "" for none,
            and then no questions are named.
    """

    level: int = 1
    pictures: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    traces: str = ""


def markdown(study: Study, around: Around | None = None) -> str:
    """The whole text, without a line break at the end."""
    own = around or Around()
    parts = [f"{'#' * own.level} Benchmark {study.stored.name}", said.lead(study)]
    if state := said.unfinished(study):
        parts.append(f"**{state}**")
    for one in study.sets:
        parts += _set(one, own)
    parts += [f"{'#' * (own.level + 1)} How it was made: {study.stored.name}"]
    parts.append("\n".join(f"- {term}: {_plain(value)}" for term, value in facts(study).items()))
    problems = study.stored.problems
    if problems and own.traces:
        parts.append("\n".join(f"- bad row: `{one}`" for one in problems[:100]))
    if study.stored.record is not None and study.stored.record.not_run:
        not_run = study.stored.record.not_run
        parts.append("\n".join(f"- not run here: {_plain(one['what'])}: {_plain(one['why'])}" for one in not_run))
    return "\n\n".join(part for part in parts if part)


def as_markdown(sheet: Sheet, traces: str = "") -> str:
    """A table. `traces`: the file that the names of questions lead to; "" for none."""
    sides = ["---:" if i in sheet.numbers else "---" for i in range(len(sheet.heads))]
    lines = [_line(sheet.heads), _line(sides)]
    lines += [_line([_cell(cell, traces) for cell in row]) for row in sheet.rows]
    return "\n".join(lines)


def _set(study: SetStudy, around: Around) -> list[str]:
    deeper = "#" * (around.level + 2)
    parts = [
        f"{'#' * (around.level + 1)} {study.name}: {wording.counted(len(study.questions), 'question')}",
        "\n".join(f"- {_plain(one)}" for one in study.warnings),
    ]
    if study.unfinished:
        parts.append("Not whole yet and not shown: " + ", ".join(study.unfinished) + ".")
    parts += [f"![{caption}]({place})" for place, caption in around.pictures.get(study.name, ())]
    if study.rows:
        parts += [as_markdown(sheets.accuracy(study)), wording.LEGEND]
        parts += [f"{deeper} The bill, a question: {study.name}", as_markdown(sheets.bill(study)), said.BILL]
    parts.append(_plain(wording.constant_line(study.constant)))
    if study.choices:
        parts += [f"{deeper} What choosing loses: {study.name}", as_markdown(sheets.choices(study.choices)), said.GAP]
        parts.append("\n".join(f"- {sentence}" for one in study.choices for sentence in said.of_choices(one)))
    for title, traced in (("Hardest questions", study.hardest), ("Most improved questions", study.improved)):
        if traced and around.traces:
            parts += [f"{deeper} {title}: {study.name}", as_markdown(sheets.looked_at(traced), around.traces)]
    return parts


def _cell(cell: Cell, traces: str) -> str:
    text = _plain(f"{cell.text} ({cell.detail})" if cell.detail else cell.text)
    if cell.question and traces:
        return f"[{text}]({traces}#{anchor(cell.question)})"
    return f"**{text}**" if cell.kind.startswith(("better", "worse")) else text


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _plain(text: str) -> str:
    """Text in one line that Markdown shows as it is."""
    line = " ".join(text.split())
    return "".join("\\" + letter if letter in "\\`*_[]<>|#" else letter for letter in line)
