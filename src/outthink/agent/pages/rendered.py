"""A page as it was drawn: its size, its visible components with their boxes, its pixels in small.

Components are of Sketch2Code's kinds. They go by element and role alone, where the benchmark also looks at names of classes. A text is
all the words of one block of the page, links and emphasis included, where the benchmark puts texts together by their distance; what a
`<button>` says is a text too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outthink.agent.pages.png import Picture

KINDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "image": (frozenset({"IMG"}), frozenset({"img"})),
    "video": (frozenset({"VIDEO"}), frozenset()),
    "form or table": (frozenset({"FORM", "TABLE"}), frozenset({"form", "table"})),
    "button": (frozenset({"BUTTON"}), frozenset({"button"})),
    "navigation": (frozenset({"NAV"}), frozenset({"navigation"})),
    "divider": (frozenset({"HR"}), frozenset({"separator"})),
}
"""Kinds of components that hold no words themselves: by elements, and by roles."""
PRESSED = frozenset({"button", "submit", "reset"})
"""Types of an input that make it a button."""
TEXT = "text"
STYLES = ("color", "visibility", "opacity", "display")
"""What has to be asked of a snapshot."""
MOST = 100
"""Components of one page that are looked at."""
LONGEST = 200
"""Characters of one text that are looked at."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the page."""
Colour = tuple[int, int, int]

_NUMBER = re.compile(r"[\d.]+")


@dataclass(frozen=True)
class Component:
    """Something visible. `box`: the element's. Of texts also their words, the box of their letters, and their colour."""

    kind: str
    box: Box
    words: str = ""
    letters: Box = (0.0, 0.0, 0.0, 0.0)
    colour: Colour = (0, 0, 0)


@dataclass(frozen=True)
class Rendered:
    """A page that was drawn: its size in pixels, what is to be seen on it in the order of its source, and its pixels in small."""

    width: int
    height: int
    components: tuple[Component, ...]
    picture: Picture

    @property
    def texts(self) -> tuple[Component, ...]:
        """The components with words."""
        return tuple(one for one in self.components if one.kind == TEXT)


def components(snapshot: Mapping[str, Any], width: int, height: int) -> tuple[Component, ...]:
    """The visible components in a snapshot of the protocol (`DOMSnapshot.captureSnapshot` with `STYLES`), in the order of the source."""
    return tuple(_Reading(snapshot, (float(width), float(height))).components()[:MOST])


class _Reading:
    """The tables of a snapshot's first document, by node."""

    def __init__(self, snapshot: Mapping[str, Any], size: tuple[float, float]) -> None:
        document, self._strings = snapshot["documents"][0], snapshot["strings"]
        nodes, layout, lines = document["nodes"], document["layout"], document["textBoxes"]
        self._size = size
        self._parents: Sequence[int] = nodes["parentIndex"]
        self._names: Sequence[int] = nodes["nodeName"]
        self._attributes: Sequence[Sequence[int]] = nodes["attributes"]
        self._layout = layout
        self._place: dict[int, int] = {node: at for at, node in enumerate(layout["nodeIndex"])}
        self._lines: dict[int, list[Box]] = {}
        for at, bounds in zip(lines["layoutIndex"], lines["bounds"], strict=True):
            self._lines.setdefault(layout["nodeIndex"][at], []).append(self._clipped(bounds))

    def components(self) -> list[Component]:
        """Everything that is to be seen, texts behind what holds them."""
        words: dict[int, list[int]] = {}
        for node in sorted(self._lines):
            if self._said(node).strip() and self._visible(node):
                words.setdefault(self._block(node), []).append(node)
        found = []
        for node in sorted(self._place):
            box = self._clipped(self._layout["bounds"][self._place[node]])
            kind = self._kind(node)
            if kind and self._visible(node) and box[2] > box[0] and box[3] > box[1]:
                found.append(Component(kind, box))
            if node in words:
                found.append(self._text(node, box, words[node]))
        return [one for one in found if one.kind != TEXT or one.letters[2] > one.letters[0]]

    def _text(self, block: int, box: Box, inside: Sequence[int]) -> Component:
        lines = [line for node in inside for line in self._lines[node]]
        left, top, right, bottom = zip(*lines, strict=True)
        letters = (min(left), min(top), max(right), max(bottom))
        words = " ".join(" ".join(self._said(node) for node in inside).split())
        # Words that stand in the page itself have no box but their own.
        whole = self._name(block) in ("BODY", "HTML", "#document")
        return Component(TEXT, letters if whole else box, words[:LONGEST], letters, self._colour(inside[0]))

    def _block(self, node: int) -> int:
        """The block of the page that a text belongs to."""
        at = self._parents[node]
        while self._parents[at] >= 0 and self._style(at, "display") in ("inline", "contents", ""):
            at = self._parents[at]
        return at

    def _kind(self, node: int) -> str:
        name, given = self._name(node), self._given(node)
        if name == "INPUT":
            return "button" if given.get("type", "").lower() in PRESSED else ""
        role = given.get("role", "").lower()
        return next((kind for kind, (names, roles) in KINDS.items() if name in names or role in roles), "")

    def _visible(self, node: int) -> bool:
        return self._style(node, "visibility") == "visible" and self._style(node, "opacity") != "0"

    def _colour(self, node: int) -> Colour:
        red, green, blue, *_ = (*(int(float(part)) for part in _NUMBER.findall(self._style(node, "color"))), 0, 0, 0)
        return red, green, blue

    def _style(self, node: int, name: str) -> str:
        """A computed style; "" for what has no box."""
        if node not in self._place:
            return ""
        styles = self._layout["styles"][self._place[node]]
        return self._string(styles[STYLES.index(name)]) if styles else ""

    def _said(self, node: int) -> str:
        return self._string(self._layout["text"][self._place[node]])

    def _name(self, node: int) -> str:
        return self._string(self._names[node])

    def _given(self, node: int) -> dict[str, str]:
        """The element's attributes."""
        pairs = [self._string(one) for one in self._attributes[node]]
        return dict(zip(pairs[::2], pairs[1::2], strict=True))

    def _string(self, index: int) -> str:
        return str(self._strings[index]) if index >= 0 else ""

    def _clipped(self, bounds: Sequence[float]) -> Box:
        """As a box, as far as it lies on the page."""
        left, top, wide, high = bounds
        across, down = self._size
        return (
            min(max(left, 0.0), across),
            min(max(top, 0.0), down),
            min(max(left + wide, 0.0), across),
            min(max(top + high, 0.0), down),
        )
