"""The frame of every page: head, navigation, main part. Text is escaped by `tag`; no page holds a script or a style of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.responses import Response

from outthink.core.markup import Markup, join, tag

NAVIGATION = (
    ("runs", "Runs", ""),
    ("benches", "Benchmarks", "benches"),
    ("engines", "Engines", "engines"),
    ("keys", "Keys", "keys"),
)
MARK = "M3 12h5c4 0 4-7 8-7h5M8 12c4 0 4 7 8 7h5M8 12h13"


@dataclass(frozen=True)
class Place:
    """Where the dashboard stands: `at` is the path before all of its own, `store` what it shows, in words."""

    at: str
    store: str = ""

    def to(self, path: str = "") -> str:
        """The address of something of its own."""
        return f"{self.at}/{path}"


@dataclass(frozen=True)
class Page:
    """One page. `here`: its part of the navigation. `scripts`: names of modules, loaded when the page stands. `data`: for them."""

    title: str
    here: str
    body: tuple[str, ...]
    scripts: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)

    def html(self, place: Place) -> str:
        """The document."""
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{self.title} · outthink"),
            tag("link", rel="icon", href=place.to("static/mark.svg"), type="image/svg+xml"),
            *(
                tag("link", rel="stylesheet", href=place.to(f"static/{name}"))
                for name in ("base.css", "parts.css", "search.css")
            ),
            *(tag("script", type="module", src=place.to(f"static/{name}")) for name in ("keys.js", *self.scripts)),
        )
        links = [
            tag("a", name, href=place.to(path), aria_current="page" if key == self.here else None)
            for key, name, path in NAVIGATION
        ]
        bar = tag(
            "header",
            tag("a", "Skip to content", href="#main", class_="skip"),
            tag("a", glyph(), tag("span", "outthink"), href=place.to(), class_="wordmark"),
            tag("nav", *links, aria_label="Parts of the dashboard"),
            tag("span", place.store.rpartition("/")[2], class_="where", title=place.store),
            class_="bar",
        )
        data = {f"data_{name}": value for name, value in {"at": place.at, **self.data}.items()}
        body = tag("body", bar, tag("main", *self.body, id="main", tabindex="-1"), **data)
        return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"

    def reply(self, place: Place, status: int = 200) -> Response:
        """The document as a reply."""
        text = self.html(place).encode("utf-8", "replace")
        return Response(text, status_code=status, media_type="text/html; charset=utf-8")


def glyph() -> Markup:
    """The sign: a line that forks in three."""
    return tag("svg", tag("path", d=MARK), viewBox="0 0 24 24", width=22, height=22, aria_hidden="true", class_="glyph")


def empty(title: str, *said: str) -> Markup:
    """What stands where there is nothing yet, and what to do about it."""
    return tag("section", glyph(), tag("h2", title), *(tag("p", one) for one in said), class_="empty")


def command(text: str) -> Markup:
    """Something to type."""
    return tag("code", text, class_="command")


def panel(title: str, *parts: str, note: str = "", **attributes: str) -> Markup:
    """A part of a page under a heading."""
    heading = tag("div", tag("h2", title), tag("p", note, class_="note") if note else Markup(""), class_="panel-head")
    return tag("section", heading, *parts, **{"class_": "panel", **attributes})


def facts(rows: dict[str, str]) -> Markup:
    """Terms and what they are; blank ones are left out."""
    pairs = [join(tag("dt", term), tag("dd", value)) for term, value in rows.items() if value]
    return tag("dl", *pairs, class_="facts")


def message(title: str, text: str, here: str = "runs") -> Page:
    """A page that says what is wrong."""
    return Page(title, here, (tag("h1", title), tag("p", text, class_="lead wrong")))
