"""Engines: those that the gateway has open, where there is one, and what each did in the runs of the store."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from outthink.core.markup import Markup, tag
from outthink.dash.page import Page, Place, empty, facts, panel
from outthink.dash.readers import Readers
from outthink.dash.wording import ago, brief, count
from outthink.store import Store
from outthink.store.tables import runs

MOST = 100


@dataclass(frozen=True)
class Used:
    """What one engine did: runs, tokens in all, tokens a second of searching, and when last; "" is one that was not named."""

    name: str
    runs: int
    tokens: int
    rate: float
    last: float


def used_engines(connection: sa.Connection) -> list[Used]:
    """The engines of all runs, the latest first."""
    last = sa.func.max(runs.c.created)
    found = sa.select(
        runs.c.engine, sa.func.count(), sa.func.sum(runs.c.tokens), sa.func.sum(runs.c.seconds), last
    ).group_by(runs.c.engine)
    rows = connection.execute(found.order_by(last.desc()).limit(MOST))
    return [
        Used(name, int(n), int(tokens), float(tokens) / seconds if seconds else 0.0, float(latest))
        for name, n, tokens, seconds, latest in rows
    ]


def engines_page(store: Store, readers: Readers, place: Place) -> Page:
    """The page."""
    used = store.read(used_engines)
    open_now = readers.engines() if readers.engines is not None else ()
    parts: list[Markup] = []
    if open_now:
        cards = [
            tag(
                "li",
                tag("h3", one.name),
                tag("span", one.state, class_=f"state {_tone(one.state)}"),
                facts(one.about),
                class_="card",
            )
            for one in open_now
        ]
        parts.append(panel("Open now", tag("ul", *cards, class_="cards")))
    if used:
        heads = ("Engine", "Runs", "Tokens", "Tokens a second", "Last run")
        rows = [
            tag(
                "tr",
                tag("td", one.name or "not named", class_="mono"),
                *(
                    tag("td", text, class_="n")
                    for text in (count(one.runs), brief(one.tokens), brief(one.rate), ago(one.last))
                ),
            )
            for one in used
        ]
        head = tag("tr", *(tag("th", name, scope="col", class_="n" if i else None) for i, name in enumerate(heads)))
        table = tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")
        parts.append(
            panel(
                "In the runs of this store",
                table,
                note="Tokens a second are those of whole searches, verifiers and waiting included.",
            )
        )
    if not parts:
        parts.append(
            empty("No engine yet", "Engines stand here once a run has used one, or when a gateway has them open.")
        )
    return Page("Engines", "engines", (tag("h1", "Engines"), *parts))


def _tone(state: str) -> str:
    return {"ready": "good", "failed": "bad"}.get(state, "cut")
