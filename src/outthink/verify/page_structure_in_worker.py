"""How alike two pages of HTML are in structure, from their source alone, inside a worker process only: reading a page can take for ever.

A page is the tree of its elements, and a tree is the bag of its grams: an element, its parent, and its neighbour before. With bags I and J

    similarity = 2 |I and J| / (|I| + |J|)

so one element more or fewer costs what stands around it and no more. Head, scripts and styles are no structure.

Source: Augsten, Böhlen and Gamper, Approximate Matching of Hierarchical Data Using pq-Grams (2005), with p = 2 and q = 2, as a similarity.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905 - read as words
)
LEFT_OUT = frozenset({"head", "script", "style", "template", "noscript", "title", "link", "meta", "base"})
ROOTS = frozenset({"html", "body"})
CLOSES: dict[str, frozenset[str]] = {
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "tr": frozenset({"tr", "td", "th"}),
    "td": frozenset({"td", "th"}),
    "th": frozenset({"td", "th"}),
    "option": frozenset({"option"}),
}
"""What an element ends that was left open beside it."""
ENDS_PARAGRAPH = frozenset(
    "address article aside blockquote div dl fieldset footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p pre section table ul".split()  # noqa: SIM905
)
DEEPEST = 200
"""Levels of a page; what lies deeper counts as lying there."""
NOTHING = "*"

Gram = tuple[str, str, str]
"""Parent, neighbour before, element."""


@dataclass
class _Element:
    name: str
    children: list[str] = field(default_factory=list)


class _Grams(HTMLParser):
    """Collects the grams of a page while it is read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Counter[Gram] = Counter()
        self._open = [_Element("page")]
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped or tag in LEFT_OUT:
            if tag not in VOID:
                self._skipped.append(tag)
            return
        if tag in ROOTS:
            return
        if tag in ENDS_PARAGRAPH:
            self._close(frozenset({"p"}), {"div", "section", "td", "li", "table"})
        self._close(CLOSES.get(tag, frozenset()), {"ul", "ol", "table", "select", "dl"})
        parent = self._open[-1]
        before = parent.children[-1] if parent.children else NOTHING
        self.found[parent.name, before, tag] += 1
        parent.children.append(tag)
        if tag not in VOID and len(self._open) <= DEEPEST:
            self._open.append(_Element(tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # In HTML the stroke at the end says nothing.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag in self._skipped:
                del self._skipped[len(self._skipped) - 1 - self._skipped[::-1].index(tag) :]
            return
        for at in range(len(self._open) - 1, 0, -1):
            if self._open[at].name == tag:
                self._leave(at)
                return

    def _close(self, names: frozenset[str], borders: set[str]) -> None:
        """End the elements of these names on this side of the innermost border."""
        found = 0
        for at in range(len(self._open) - 1, 0, -1):
            name = self._open[at].name
            if name in borders:
                break
            found = at if name in names else found
        if found:
            self._leave(found)

    def _leave(self, at: int) -> None:
        for element in self._open[at:]:
            self._end(element)
        del self._open[at:]

    def _end(self, element: _Element) -> None:
        if element.children:
            self.found[element.name, element.children[-1], NOTHING] += 1

    def close(self) -> None:
        """Read what is left, and end what is open."""
        super().close()
        self._leave(0)


def grams(page: str) -> Counter[Gram]:
    """The bag of a page's grams; empty where it has no elements."""
    reading = _Grams()
    reading.feed(page)
    reading.close()
    return reading.found


def similarity(page: str, other: str) -> float:
    """How alike two pages are in structure, in [0, 1]; 1 for equal trees, and for two pages without elements."""
    one, two = grams(page), grams(other)
    total = one.total() + two.total()
    return 2.0 * (one & two).total() / total if total else 1.0
