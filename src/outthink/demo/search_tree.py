"""A search tree as one SVG: steps from left to right, what each step wrote, what the search thinks of it, how often it came through.

The fuller a box, the better its value; the heavier an edge, the more visits; the answer's line is drawn over all others. Every node has a
title that says the same in words. Very large trees are folded where the search seldom went: `+12` at a box stands for twelve nodes below it
that are not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from outthink.core.genealogy import Genealogy, Node
from outthink.core.markup import Markup, tag
from outthink.demo.drawing import drawing

ROW, COLUMN = 28.0, 262.0
LEFT, TOP = 66.0, 64.0
BOX_WIDTH, BOX_HEIGHT = 216.0, 22.0
LONGEST = 20
MOST_LEAVES = 120

STYLE = """
.search text { font-size: 11.5px; font-family: ui-monospace, "SFMono-Regular", Consolas, monospace; }
.search .heading { font-size: 14px; font-weight: 600; font-family: system-ui, -apple-system, "Segoe UI", sans-serif; }
.search .step, .search .note { fill: var(--soft); font-size: 11px; font-family: system-ui, -apple-system, "Segoe UI", sans-serif; }
.search .edge { fill: none; stroke: var(--soft); opacity: .45; stroke-linecap: round; }
.search .edge.path { stroke: var(--chosen); opacity: 1; }
.search .paper { fill: var(--paper); }
.search .frame { fill: none; stroke: var(--unsure); stroke-width: 1; }
.search .fill { fill: var(--accent); }
.search .done .frame { stroke: var(--ink); stroke-width: 1.6; }
.search .open .frame { stroke-dasharray: 3 3; }
.search .failed .frame { stroke: var(--bad); }
.search .path .frame { stroke: var(--chosen); stroke-width: 2.6; }
.search .path .fill { fill: var(--good); }
.search .chosen text { font-weight: 700; }
.search .told { fill: var(--soft); font-size: 10.5px; }
.search .folded { fill: var(--accent); font-size: 10.5px; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.search .root { fill: var(--chosen); }
"""


@dataclass(frozen=True)
class Shape:
    """What is drawn: the nodes below each node and at the top, and how many of those that stand below each, or at the root, are not."""

    below: dict[int, list[int]]
    folded: dict[int, int]
    top: list[int]
    folded_at_root: int


def is_search(tree: Genealogy) -> bool:
    """Whether a search told what it thinks of its nodes, so that this is a search tree and not a population's genealogy."""
    return any(node.visits is not None for node in tree.nodes.values())


def tops(tree: Genealogy) -> list[int]:
    """The nodes right below the root. Fresh members stand for the root themselves, unless a search counts them as nodes of their own."""
    found: list[int] = []
    for root in tree.roots:
        node = tree.nodes[root]
        found += [root] if node.visits is not None and node.children else node.children
    return found


def root_of(tree: Genealogy) -> Node | None:
    """The node that stands for the root in the search's own count; None where there is none."""
    return next(
        (tree.nodes[r] for r in tree.roots if tree.nodes[r].visits is not None and not tree.nodes[r].children), None
    )


def told(node: Node, keyed: bool) -> str:
    """What the search thinks of a node, in short: its value or key, and its visits."""
    parts = []
    if node.value is not None:
        parts.append(f"f {node.value:.2f}" if keyed else f"{node.value:.2f}")
    elif node.score is not None:
        parts.append(f"{node.score:.2f}")
    if node.visits and not keyed:
        parts.append(f"×{node.visits}")
    if keyed and node.expanded is not None:
        parts.append(f"#{node.expanded}")
    return " ".join(parts)


def in_words(node: Node, keyed: bool) -> str:
    """The same, in whole words."""
    said = [f"node {node.id}: {node.text or 'nothing more written'}"]
    if node.score is not None:
        said.append(f"score {node.score:.4g}")
    if node.value is not None:
        said.append(f"key {node.value:.4g}, lower is better" if keyed else f"value {node.value:.4g}")
    if keyed and node.expanded is not None:
        said.append(f"expanded as number {node.expanded}")
    if node.visits and not keyed:
        said.append(f"{node.visits} visits")
    if node.failed:
        said.append("failed below")
    said.append("the answer" if node.chosen else "finished" if node.done else "unfinished" if not node.children else "")
    return "; ".join(part for part in said if part)


def search_tree(tree: Genealogy, title: str) -> Markup:
    """The drawing; its width grows with the steps and its height with the leaves that are drawn."""
    shape = _shape(tree)
    columns = _columns(shape)
    heights = _heights(shape)
    shades = _shades(tree)
    deepest = max(columns.values(), default=1)
    width, height = (
        LEFT + COLUMN * deepest + 12,
        TOP + ROW * max(1, sum(not below for below in shape.below.values())) + 10,
    )
    order = sorted(columns, key=lambda n: tree.nodes[n].on_path)
    middle = sum(heights[n] for n in shape.top) / max(1, len(shape.top))
    root = root_of(tree)
    most = max((tree.nodes[n].visits or 0 for n in columns), default=0)
    above = {child: parent for parent, below in shape.below.items() for child in below}
    heads = [tag("text", f"step {c}", x=_left(c), y=TOP - 12, class_="step") for c in range(1, deepest + 1)]
    edges = []
    for n in order:
        parent = above.get(n)
        start = (LEFT - 34.0, middle) if parent is None else (_left(columns[parent]) + BOX_WIDTH, heights[parent])
        edges.append(_edge(tree.nodes[n], start, (_left(columns[n]), heights[n]), most, parent))
    boxes = [
        _box(tree.nodes[n], columns[n], heights[n], shades.get(n, 0.0), shape.folded[n], tree.keyed) for n in order
    ]
    return drawing(
        title,
        tag("style", Markup(STYLE)),
        tag("text", title, x=12.0, y=22.0, class_="heading"),
        tag("text", _legend(tree, root), x=12.0, y=39.0, class_="note"),
        *heads,
        tag("g", *edges),
        tag("circle", tag("title", "the root"), cx=LEFT - 34.0, cy=middle, r=6.0, class_="root"),
        *_folded(shape.folded_at_root, LEFT - 60.0, middle + 20.0),
        tag("g", *boxes),
        width=width,
        height=height,
        class_="search",
    )


def _legend(tree: Genealogy, root: Node | None) -> str:
    judged = sum(node.score is not None for node in tree.nodes.values())
    drawn = sum(node.parent is not None for node in tree.nodes.values())
    if tree.keyed:
        expanded = sum(node.expanded is not None for node in tree.nodes.values())
        counts = f"{expanded} nodes expanded besides the root, {drawn} children drawn, {judged} judged"
        return f"{counts}; f: key, lower goes first; #: order of expansion; fullness: score"
    stats = (
        f"root: value {root.value:.3g}, {root.visits} selections; "
        if root is not None and root.value is not None
        else ""
    )
    return f"{stats}{drawn} nodes, {judged} judged; number and fullness: value; ×: visits, also the weight of the edge"


def _shape(tree: Genealogy) -> Shape:
    """Which nodes are drawn: all, or the most visited leaves with what leads to them."""
    top = tops(tree)
    below = {n: list(tree.nodes[n].children) for n in _walk(tree, top)}
    leaves = [n for n, children in below.items() if not children]
    kept = set(below)
    if len(leaves) > MOST_LEAVES:
        above = {child: parent for parent, children in below.items() for child in children}
        ranked = sorted(leaves, key=lambda n: (not tree.nodes[n].on_path, -_worth(tree.nodes[n], tree.keyed), n))
        kept = set()
        for leaf in ranked[:MOST_LEAVES]:
            at: int | None = leaf
            while at is not None and at not in kept:
                kept.add(at)
                at = above.get(at)
    sizes: dict[int, int] = {}
    for n in reversed(list(below)):
        sizes[n] = 1 + sum(sizes[child] for child in below[n])
    folded = {n: sum(sizes[child] for child in below[n] if child not in kept) for n in kept}
    return Shape(
        {n: [child for child in below[n] if child in kept] for n in below if n in kept},
        folded,
        [n for n in top if n in kept],
        sum(sizes[n] for n in top if n not in kept),
    )


def _walk(tree: Genealogy, top: list[int]) -> list[int]:
    """Every node below, parents before children."""
    found, waiting = [], list(reversed(top))
    while waiting:
        n = waiting.pop()
        found.append(n)
        waiting += reversed(tree.nodes[n].children)
    return found


def _worth(node: Node, keyed: bool) -> float:
    """What is kept first when not all can be drawn."""
    best = node.score if keyed or node.value is None else node.value
    return -math.inf if best is None else best


def _columns(shape: Shape) -> dict[int, int]:
    columns = dict.fromkeys(shape.top, 1)
    waiting = list(shape.top)
    while waiting:
        n = waiting.pop()
        columns |= dict.fromkeys(shape.below[n], columns[n] + 1)
        waiting += shape.below[n]
    return columns


def _heights(shape: Shape) -> dict[int, float]:
    """Leaves one below the other, parents in the middle of their children."""
    heights: dict[int, float] = {}
    row = 0
    for top in shape.top:
        waiting = [(top, False)]
        while waiting:
            n, ready = waiting.pop()
            below = shape.below[n]
            if not below:
                heights[n] = TOP + ROW * (row + 0.5)
                row += 1
            elif ready:
                heights[n] = (heights[below[0]] + heights[below[-1]]) / 2
            else:
                waiting.append((n, True))
                waiting.extend((child, False) for child in reversed(below))
    return heights


def _shades(tree: Genealogy) -> dict[int, float]:
    """How full each box is, 0 to 1: its value between the least and the greatest of all."""
    seen = {n: _worth(node, tree.keyed) for n, node in tree.nodes.items() if node.parent is not None or node.children}
    seen = {n: value for n, value in seen.items() if math.isfinite(value)}
    low, high = min(seen.values(), default=0.0), max(seen.values(), default=0.0)
    return {n: (value - low) / (high - low) if high > low else 1.0 for n, value in seen.items()}


def _left(column: int) -> float:
    return LEFT + COLUMN * (column - 1)


def _edge(node: Node, start: tuple[float, float], end: tuple[float, float], most: int, parent: int | None) -> Markup:
    (x1, y1), (x2, y2) = start, end
    middle = (x1 + x2) / 2
    weight = 1.0 + 6.0 * math.sqrt((node.visits or 0) / most) if most else 1.2
    return tag(
        "path",
        d=f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}",
        class_="edge path" if node.on_path else "edge",
        stroke_width=max(weight, 2.6) if node.on_path else weight,
        data_edge=f"{'root' if parent is None else parent}-{node.id}",
    )


def _box(node: Node, column: int, y: float, shade: float, folded: int, keyed: bool) -> Markup:
    x, top = _left(column), y - BOX_HEIGHT / 2
    shown = ("★ " if node.chosen else "! " if node.failed else "") + (
        node.text.replace("\n", " ⏎ ") or ("ends" if node.done else "·")
    )
    shown = shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
    classes = ["node"] + [name for name, holds in _states(node) if holds]
    return tag(
        "g",
        tag("title", in_words(node, keyed)),
        tag("rect", x=x, y=top, width=BOX_WIDTH, height=BOX_HEIGHT, rx=5, class_="paper"),
        tag("rect", x=x, y=top, width=BOX_WIDTH, height=BOX_HEIGHT, rx=5, class_="fill", opacity=0.04 + 0.34 * shade),
        tag("rect", x=x, y=top, width=BOX_WIDTH, height=BOX_HEIGHT, rx=5, class_="frame"),
        tag("text", shown, x=x + 7, y=y + 4),
        tag("text", told(node, keyed), x=x + BOX_WIDTH - 7, y=y + 4, class_="told", text_anchor="end"),
        *_folded(folded, x + BOX_WIDTH + 4, y + 4),
        class_=" ".join(classes),
        data_node=node.id,
    )


def _folded(n: int, x: float, y: float) -> list[Markup]:
    """The number of nodes that are not drawn, where there are any."""
    return [tag("text", tag("title", f"{n} more nodes"), f"+{n}", x=x, y=y, class_="folded")] if n else []


def _states(node: Node) -> list[tuple[str, bool]]:
    return [
        ("done", node.done),
        ("open", not node.done and not node.children),
        ("failed", node.failed),
        ("path", node.on_path),
        ("chosen", node.chosen),
    ]
