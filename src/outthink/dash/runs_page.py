"""The list of runs: filters, a page at a time, and the runs at work above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from outthink.core.markup import Markup, join, tag
from outthink.dash.members import ANSWER
from outthink.dash.page import Page, Place, command, empty
from outthink.dash.wording import ago, brief, count, duration, line_of, moment, state, tone
from outthink.store import RunLine, Store
from outthink.store.listing import Census, RunPage, Wanted, at_work, census_of, page_of
from outthink.store.results import is_image

A_PAGE = 50
STATES = ("running", "ended", "failed", "killed")
LONGEST_WORDS = 200


def runs_page(store: Store, query: Mapping[str, str], place: Place) -> Page:
    """The page for this query; fields that are not known are passed over."""
    wanted = wanted_of(query)
    below, above = number_in(query, "below"), number_in(query, "above")

    def read(connection: sa.Connection) -> tuple[RunPage, Census]:
        return page_of(connection, wanted, limit=A_PAGE, below=below, above=above), census_of(connection)

    found, census = store.read(read)
    if not census.runs:
        return Page("Runs", "runs", (_nothing(),), ("runs.js",))
    newest = found.lines[0].number if found.lines and not found.newer else 0
    body = (
        tag("h1", "Runs"),
        tag("p", _summary(census), class_="lead"),
        tag("section", class_="at-work", id="at-work", aria_label="Runs at work", hidden=""),
        _filters(wanted, census, place),
        tag("p", id="news", class_="news", role="status"),
        _list(found, place) if found.lines else _no_match(place),
        _pages(found, wanted, place),
    )
    return Page("Runs", "runs", body, ("runs.js",), {"newest": str(newest)})


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """The filters of a query."""
    status = query.get("status", "")
    return Wanted(
        status=status if status in STATES else "",
        method=query.get("method", "")[:64],
        engine=query.get("engine", "")[:LONGEST_WORDS],
        words=query.get("words", "").strip()[:LONGEST_WORDS],
    )


def number_in(query: Mapping[str, str], name: str) -> int | None:
    """A number of a query that is no larger than a key can be; None for anything else."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def news(store: Store) -> dict[str, Any]:
    """What has changed for those who look at the list: the runs at work, and the newest run."""

    def read(connection: sa.Connection) -> tuple[list[RunLine], RunPage]:
        return at_work(connection), page_of(connection, Wanted(), limit=1)

    working, latest = store.read(read)
    return {
        "newest": latest.lines[0].number if latest.lines else 0,
        "running": [
            {
                "id": line.id,
                "question": line_of(line.question, 120) or line.task or line.id,
                "method": line.method,
                "spent": spent(line),
                "steps": line.steps,
                "took": duration(line.seconds),
            }
            for line in working
        ],
    }


def spent(line: RunLine) -> str:
    """What a run cost, in its main unit."""
    if line.tokens or not line.denoiser_evals:
        return f"{brief(line.tokens)} tokens"
    return f"{brief(line.denoiser_evals)} evals"


def _summary(census: Census) -> str:
    runs = "1 run" if census.runs == 1 else f"{count(census.runs)} runs"
    return f"{runs}, {brief(census.tokens)} tokens, {len(census.method)} methods."


def _nothing() -> Markup:
    return tag(
        "div",
        tag("h1", "Runs"),
        empty("No runs yet", "Every search that is solved with this store appears here, while it runs and afterwards."),
        tag(
            "p", "Try one: ", command('outthink run "4 21 15 22 -> 24" --method laboratory --n 8'), class_="lead centre"
        ),
        tag("p", id="news", class_="news", role="status"),
    )


def _no_match(place: Place) -> Markup:
    clear = tag("p", tag("a", "Show all runs", href=place.to(), class_="button"), class_="centre")
    return tag("div", empty("No run matches", "Loosen a filter, or search for other words."), clear)


def _filters(wanted: Wanted, census: Census, place: Place) -> Markup:
    search = tag(
        "input",
        type="search",
        name="words",
        id="words",
        value=wanted.words,
        placeholder="Search questions and answers",
        aria_label="Search questions and answers",
        autocomplete="off",
    )
    states = {name: census.status.get(name) for name in STATES}
    return tag(
        "form",
        search,
        _choice("status", "State", states, wanted.status),
        _choice("method", "Method", census.method, wanted.method),
        _choice("engine", "Engine", census.engine, wanted.engine),
        tag("button", "Filter", type="submit"),
        tag("a", "Clear", href=place.to(), class_="quiet") if wanted != Wanted() else Markup(""),
        tag("span", tag("kbd", "/"), " search ", tag("kbd", "↑"), tag("kbd", "↓"), " move", class_="hint"),
        method="get",
        action=place.to(),
        class_="filters",
        id="filters",
        role="search",
    )


def _choice(name: str, anything: str, known: Mapping[str, int | None], chosen: str) -> Markup:
    options = [tag("option", anything, value="")]
    for value, number in known.items():
        if value:
            shown = value if number is None else f"{value} ({count(number)})"
            options.append(tag("option", shown, value=value, selected="" if value == chosen else None))
    return tag("select", *options, name=name, aria_label=anything)


def _list(found: RunPage, place: Place) -> Markup:
    return tag("ol", *(_row(line, place) for line in found.lines), class_="runs", id="runs")


def _row(line: RunLine, place: Place) -> Markup:
    question = line_of(line.question, 200) or line.task or "(no text)"
    answer = _answer(line, place) if line.answer else Markup("")
    told = join(
        tag("span", state(line), class_=f"state {tone(line)}"),
        tag("span", line.method, class_="method"),
        tag("span", spent(line), class_="n"),
        tag("span", duration(line.seconds), class_="n"),
        tag("time", ago(line.created), class_="n", datetime=moment(line.created), title=moment(line.created)),
    )
    return tag(
        "li",
        tag(
            "a",
            tag("span", tag("span", question, class_="question"), answer, class_="asked"),
            tag("span", told, class_="told"),
            href=place.to(f"runs/{line.id}"),
        ),
    )


def _answer(line: RunLine, place: Place) -> Markup:
    said = line_of(line.answer or "", 140)
    if not is_image(said):
        return tag("span", said, class_="answer")
    address = place.to(f"runs/{line.id}/pictures/{ANSWER}.png")
    # Beside its size in words, which it adds nothing to for those who hear the page.
    seen = tag("img", src=address, alt="", width=32, height=32, loading="lazy", class_="thumbnail")
    return tag("span", seen, said, class_="answer pictured")


def _pages(found: RunPage, wanted: Wanted, place: Place) -> Markup:
    filters = {name: value for name in ("status", "method", "engine", "words") if (value := getattr(wanted, name))}

    def link(text: str, rel: str, **where: int) -> Markup:
        return tag("a", text, href=f"{place.to()}?{urlencode({**filters, **where})}", rel=rel, class_="button")

    links = []
    if found.newer and found.lines:
        links.append(link("← Newer", "prev", above=found.lines[0].number))
    if found.older and found.lines:
        links.append(link("Older →", "next", below=found.lines[-1].number))
    return tag("nav", *links, class_="pages", aria_label="Pages of runs") if links else Markup("")
