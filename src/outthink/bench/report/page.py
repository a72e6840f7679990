"""The report as one HTML file that loads nothing from elsewhere: light or dark as the reader's system is, readable on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from outthink.bench.report import plot, said, sheets, wording
from outthink.bench.report.made import facts
from outthink.bench.report.questions import Traced
from outthink.bench.report.study import SetStudy, Study
from outthink.bench.report.tables import drawn
from outthink.bench.report.traces import traces
from outthink.core.markup import Markup, join, tag, whole_page

STYLES = ("plot.css", "report.css")


def page(study: Study) -> str:
    """The whole document."""
    title = f"Benchmark {study.stored.name}"
    anchors = {one.name: f"set-{i}" for i, one in enumerate(study.sets)}
    links = [tag("li", tag("a", name, href=f"#{place}")) for name, place in anchors.items()]
    body = [
        tag("h1", title),
        _lead(study),
        tag("nav", tag("ul", *links)) if len(links) > 1 else "",
        *(part for one in study.sets for part in _set(one, anchors[one.name])),
        *traces(study),
        *_made(study),
    ]
    return whole_page(title, "".join(style(name) for name in STYLES), *body)


def style(name: str) -> str:
    """The text of one of the style sheets beside this file."""
    return resources.files("outthink.bench.report").joinpath(name).read_text("utf-8")


def _lead(study: Study) -> Markup:
    state = said.unfinished(study)
    return join(tag("p", said.lead(study), class_="lead"), tag("p", state, class_="worse") if state else "")


def _set(study: SetStudy, place: str) -> list[Markup]:
    parts = [tag("h2", f"{study.name}: {wording.counted(len(study.questions), 'question')}", id=place)]
    if study.warnings:
        parts.append(tag("ul", *(tag("li", one) for one in study.warnings), class_="warnings"))
    if study.unfinished:
        parts.append(tag("p", "Not whole yet and not shown: " + ", ".join(study.unfinished) + ".", class_="soft"))
    figures = [
        tag("figure", picture, tag("figcaption", caption)) for picture, caption in plot.pictures(study) if picture
    ]
    if figures:
        parts += [tag("div", *figures, class_="plots"), plot.legend(study)]
    if study.rows:
        parts += [drawn(sheets.accuracy(study)), tag("p", wording.LEGEND, class_="soft")]
        parts += [tag("h3", "The bill, a question"), drawn(sheets.bill(study)), tag("p", said.BILL, class_="soft")]
    parts.append(tag("p", wording.constant_line(study.constant)))
    if study.choices:
        lines = [tag("li", sentence) for one in study.choices for sentence in said.of_choices(one)]
        parts += [tag("h3", "What choosing loses"), drawn(sheets.choices(study.choices))]
        parts += [tag("p", said.GAP, class_="soft"), tag("ul", *lines)]
    parts += _looked_at("Hardest questions", study.hardest)
    parts += _looked_at("Most improved questions", study.improved)
    return parts


def _looked_at(title: str, traced: Sequence[Traced]) -> list[Markup]:
    return [tag("h3", title), drawn(sheets.looked_at(traced))] if traced else []


def _made(study: Study) -> list[Markup]:
    pairs = [item for term, value in facts(study).items() for item in (tag("dt", term), tag("dd", value))]
    parts = [tag("h2", "How it was made"), tag("dl", *pairs)]
    problems = study.stored.problems
    if problems:
        shown = tag("ul", *(tag("li", tag("code", str(one))) for one in problems[:100]))
        summary = tag("summary", f"{wording.counted(len(problems), 'bad row')}, by file and line")
        parts.append(tag("details", summary, shown))
    record = study.stored.record
    if record is not None and record.not_run:
        items = [tag("li", f"{one.get('what', '')}: {one.get('why', '')}") for one in record.not_run]
        parts += [tag("h3", "Not run here"), tag("ul", *items)]
    return parts
