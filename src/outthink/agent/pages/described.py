"""Generated pages with their descriptions: the words ask for one page, and that page is known.

    task = described_page(seed=3)         # task.prompt describes, task.reference is the page

Sections, words, colours and sizes are drawn from the seed, so tasks are without end and none has been published. A description names
what is to be seen, in order, with its words, colours and sizes in pixels; how it is built is left open but for what has a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.key import Key
from outthink.core.task import Task

Draw = np.random.Generator

COLOURS = {"navy": "#1f2a44", "dark green": "#1e4d2b", "wine red": "#6b1f2a", "slate grey": "#46505a"}
TRADES = {
    "bakery": ("bread", "Fresh bread every morning", "We bake with flour from the mill next door."),
    "bicycle shop": ("bicycles", "Two wheels are enough", "We mend what we sell, and what others sold."),
    "library": ("books", "Open until late", "Borrow up to ten books for four weeks."),
    "garden": ("plants", "Green all year", "Every plant here was grown from seed."),
}
NAMES = ("Nord", "Linden", "Harbour", "Atlas", "Maple", "Juno")
LINKS = ("Home", "About", "Prices", "News", "Contact", "Team")
FIELDS = ("Name", "Email", "Town", "Phone")
ORDERS = ("Send", "Subscribe", "Order")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@dataclass(frozen=True)
class _Section:
    words: str
    source: str


def described_page(seed: int) -> Task:
    """One task: a page of a heading and three to five sections."""
    rng = Key(seed).child("page").rng()
    trade, name, colour = _one(rng, tuple(TRADES)), _one(rng, NAMES), _one(rng, tuple(COLOURS))
    thing, claim, said = TRADES[trade]
    made = [_bar(rng, colour), _Section(f"a heading of the first level: “{claim}”", f"<h1>{claim}</h1>")]
    made.append(_Section(f"a paragraph: “{said}”", f"<p>{said}</p>"))
    kinds = [_KINDS[i] for i in sorted(rng.permutation(len(_KINDS))[: int(rng.integers(2, 5))].tolist())]
    made += [kind(rng, thing) for kind in kinds]
    owner = f"{name} {trade}, since {int(rng.integers(1950, 2020))}"
    made.append(_Section(f"a footer in grey (#666): “{owner}”", f'<footer style="color:#666">{owner}</footer>'))
    asked = "\n".join(f"{number}. {section.words}" for number, section in enumerate(made, 1))
    style = "body{margin:0;font-family:sans-serif}nav{padding:12px}nav a{color:#fff}main{padding:16px}"
    bar, *inside, footer = (section.source for section in made)
    page = "\n".join(
        [
            f"<!doctype html><html><head><title>{name}</title><style>{style}</style></head><body>",
            bar,
            "<main>",
            *inside,
            footer,
            "</main></body></html>",
        ]
    )
    return Task(
        prompt=f"A page for the {trade} {name}, 800 pixels wide, in a sans-serif font. It shows, from top to bottom:\n{asked}",
        id=f"page-{seed}",
        reference=page,
    )


def _bar(rng: Draw, colour: str) -> _Section:
    links = _some(rng, LINKS, int(rng.integers(2, 5)))
    written = " ".join(f'<a href="#">{link}</a>' for link in links)
    return _Section(
        f"a navigation bar across the page in {colour} ({COLOURS[colour]}) with white links: {', '.join(links)}",
        f'<nav style="background:{COLOURS[colour]}">{written}</nav>',
    )


def _picture(rng: Draw, thing: str) -> _Section:
    wide, high = 40 * int(rng.integers(5, 13)), 20 * int(rng.integers(5, 12))
    return _Section(
        f"an image of {thing}, {wide} by {high} pixels",
        f'<img src="https://example.org/{thing}.jpg" alt="{thing}" width="{wide}" height="{high}">',
    )


def _list(rng: Draw, thing: str) -> _Section:
    days = _some(rng, DAYS, int(rng.integers(2, 5)))
    rows = [f"{day} {int(rng.integers(7, 11))} to {int(rng.integers(16, 21))}" for day in days]
    return _Section(
        f"a heading of the second level: “Hours”, and under it a list with dots: {'; '.join(rows)}",
        "<h2>Hours</h2>\n<ul>" + "".join(f"<li>{row}</li>" for row in rows) + "</ul>",
    )


def _table(rng: Draw, thing: str) -> _Section:
    rows = [
        (f"{size} {thing}", f"{int(rng.integers(3, 90))} euros") for size in _some(rng, ("Small", "Plain", "Large"), 2)
    ]
    body = "".join(f"<tr><td>{what}</td><td>{price}</td></tr>" for what, price in rows)
    return _Section(
        f"a table with the heads “What” and “Price” and the rows {'; '.join(', '.join(row) for row in rows)}",
        f"<table><tr><th>What</th><th>Price</th></tr>{body}</table>",
    )


def _form(rng: Draw, thing: str) -> _Section:
    fields, order = _some(rng, FIELDS, 2), _one(rng, ORDERS)
    inside = "".join(f"<p><label>{field} <input></label></p>" for field in fields)
    return _Section(
        f"a form with the fields {' and '.join(fields)}, one below the other, each with its name before it, and a button “{order}”",
        f"<form>{inside}<button>{order}</button></form>",
    )


def _rule(rng: Draw, thing: str) -> _Section:
    return _Section("a horizontal rule", "<hr>")


_KINDS: tuple[Callable[[Draw, str], _Section], ...] = (_picture, _list, _rule, _table, _form)


def _one(rng: Draw, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _some(rng: Draw, words: Sequence[str], n: int) -> list[str]:
    return [words[i] for i in sorted(rng.permutation(len(words))[:n].tolist())]
