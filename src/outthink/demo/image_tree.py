"""The family tree of a run of images as one SVG: thumbnails from noise on the left to finished images on the right.

A member of which a picture was kept is drawn with it, a place where the search forked without one as a dot; members between are passed
over. Below a picture stands its score, the answer's line is drawn heavy, and every node has a title that says the same in words. Large
runs are cut to the lines of the best finished images, and say so.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from outthink.core.genealogy import Genealogy, Node
from outthink.core.markup import Markup, tag
from outthink.core.task import Candidate
from outthink.demo.drawing import drawing
from outthink.demo.family_tree import in_words

SIDE, GAP, DOT = 56.0, 16.0, 3.0
ROW, COLUMN = SIDE + 22.0, SIDE + 44.0
LEFT, TOP = 16.0, 40.0
MOST_ROWS = 48
PNG = b"\x89PNG\r\n\x1a\n"
"""How the bytes of a PNG file begin."""

STYLE = """
.images text { font-size: 11px; font-family: system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--soft); }
.images .heading { font-size: 14px; font-weight: 600; fill: var(--ink); }
.images image { image-rendering: pixelated; }
.images .edge { fill: none; stroke: var(--soft); stroke-width: 1.2; opacity: .5; }
.images .edge.path { stroke: var(--chosen); stroke-width: 3; opacity: 1; }
.images .frame { fill: none; stroke: var(--line); stroke-width: 1; }
.images .path .frame { stroke: var(--chosen); stroke-width: 3; }
.images .fork { fill: var(--soft); }
.images .chosen text { fill: var(--chosen); font-weight: 700; }
.images .dropped { opacity: .45; }
"""


def picture_in(candidate: Candidate | None) -> bytes | None:
    """The PNG file that a stored candidate is; None for anything else."""
    content = candidate.content if candidate is not None else None
    return content if isinstance(content, bytes) and content.startswith(PNG) else None


def has_pictures(candidates: Mapping[int, Candidate]) -> bool:
    """Whether these are a run of images."""
    return any(picture_in(one) is not None for one in candidates.values())


def image_tree(tree: Genealogy, candidates: Mapping[int, Candidate], title: str) -> Markup:
    """The drawing; its width grows with the levels of which pictures were kept, its height with the lines that end in it."""
    shape = _shape(tree, candidates)
    columns = {level: i for i, level in enumerate(sorted({tree.nodes[node].level for node in shape.parents}))}
    heights = _heights(shape)
    width = LEFT * 2 + COLUMN * max(1, len(columns)) - GAP
    height = TOP + ROW * max(1, len(shape.leaves)) + 8
    order = sorted(shape.parents, key=lambda node: tree.nodes[node].on_path)
    places = {node: (LEFT + COLUMN * columns[tree.nodes[node].level], heights[node]) for node in order}
    shown = {node: picture_in(candidates.get(node)) for node in order}
    ends = {node: _ends(places[node], shown[node]) for node in order}
    edges = [_edge(tree.nodes[n], ends[p][1], ends[n][0]) for n in order if (p := shape.parents[n]) is not None]
    drawn = [_node(tree.nodes[node], shown[node], places[node]) for node in order]
    left_out = f"  ({shape.left_out} more lines are not drawn)" if shape.left_out else ""
    return drawing(
        title,
        tag("style", Markup(STYLE)),
        tag("text", title + left_out, x=LEFT, y=20.0, class_="heading"),
        tag("g", *edges),
        tag("g", *drawn),
        width=width,
        height=height,
        class_="images",
    )


@dataclass(frozen=True)
class _Shape:
    """What is drawn: each node's nearest drawn ancestor (None for none), the leaves from top to bottom, and how many lines are left out."""

    parents: dict[int, int | None]
    leaves: list[int]
    left_out: int


def _shape(tree: Genealogy, candidates: Mapping[int, Candidate]) -> _Shape:
    shown = {
        node.id
        for node in tree.nodes.values()
        if picture_in(candidates.get(node.id)) is not None or (len(node.children) > 1 and node.parent is not None)
    }
    # Nodes are numbered in the order in which they were made, so a parent comes before its children.
    above: dict[int, int | None] = {}
    ends: dict[int, int | None] = {}
    for node in sorted(tree.nodes):
        parent = tree.nodes[node].parent
        nearest = None if parent is None else parent if parent in shown else ends[parent]
        ends[node] = nearest
        if node in shown:
            above[node] = nearest
    inner = {parent for parent in above.values() if parent is not None}
    leaves = [node for node in above if node not in inner and picture_in(candidates.get(node)) is not None]
    best = sorted(leaves, key=lambda node: _worth(tree.nodes[node]))[:MOST_ROWS]
    kept: dict[int, int | None] = {}
    for leaf in best:
        at: int | None = leaf
        while at is not None and at not in kept:
            kept[at] = above[at]
            at = above[at]
    return _Shape(kept, _in_order(kept, best), len(leaves) - len(best))


def _worth(node: Node) -> tuple[bool, bool, float]:
    return (not node.chosen, not node.done, float("inf") if node.score is None else -node.score)


def _in_order(parents: Mapping[int, int | None], leaves: list[int]) -> list[int]:
    """Leaves from top to bottom, so that no line crosses another: as a walk through the trees meets them."""
    below: dict[int | None, list[int]] = {}
    for node, parent in sorted(parents.items()):
        below.setdefault(parent, []).append(node)
    found, waiting, ends = [], list(reversed(below.get(None, []))), set(leaves)
    while waiting:
        node = waiting.pop()
        if node in ends:
            found.append(node)
        waiting.extend(reversed(below.get(node, [])))
    return found


def _heights(shape: _Shape) -> dict[int, float]:
    """Top of each node: leaves below each other, parents in the middle of their children."""
    heights = {leaf: TOP + ROW * row for row, leaf in enumerate(shape.leaves)}
    children: dict[int, list[int]] = {}
    for node in sorted(shape.parents, reverse=True):
        if node not in heights:
            heights[node] = (min(heights[c] for c in children[node]) + max(heights[c] for c in children[node])) / 2
        if (parent := shape.parents[node]) is not None:
            children.setdefault(parent, []).append(node)
    return heights


def _ends(place: tuple[float, float], png: bytes | None) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where lines come in and go out: at the sides of a picture, and of the dot that stands where there is none."""
    half = SIDE / 2 if png is not None else DOT
    x, y = place[0] + SIDE / 2, place[1] + SIDE / 2
    return (x - half, y), (x + half, y)


def _edge(node: Node, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    middle = (x1 + x2) / 2
    curve = f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    return tag("path", d=curve, class_="edge path" if node.on_path else "edge")


def _node(node: Node, png: bytes | None, place: tuple[float, float]) -> Markup:
    x, y = place
    if png is None:
        return tag("circle", tag("title", in_words(node)), cx=x + SIDE / 2, cy=y + SIDE / 2, r=DOT, class_="fork")
    score = "" if node.score is None else f"{node.score:.3g}"
    classes = ["image", *(["path"] if node.on_path else []), *(["chosen"] if node.chosen else [])]
    if node.copies == 0:
        classes.append("dropped")
    data = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return tag(
        "g",
        tag("title", in_words(node)),
        tag("image", href=data, x=x, y=y, width=SIDE, height=SIDE),
        tag("rect", x=x, y=y, width=SIDE, height=SIDE, class_="frame"),
        tag("text", ("★ " if node.chosen else "") + score, x=x + SIDE / 2, y=y + SIDE + 12, text_anchor="middle"),
        class_=" ".join(classes),
        data_node=node.id,
    )
