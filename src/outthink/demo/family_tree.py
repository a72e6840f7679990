"""The family tree of a particle filter as one SVG: steps from left to right, forks at the resamplings, the answer's line drawn heavy.

Every node and every edge of the genealogy is drawn once and carries its number (`data-node`, `data-edge`). A node's title says in words
what its shape and colour say, so that nothing is in the colour alone.
"""

from __future__ import annotations

from outthink.core.genealogy import Genealogy, Node, Resampling
from outthink.core.markup import Markup, tag
from outthink.demo.drawing import drawing

ROW = 25.0
COLUMN = 204.0
LEFT, TOP = 22.0, 44.0
BOX_WIDTH, BOX_HEIGHT = 164.0, 20.0
LONGEST = 18
HIGH, LOW = 0.75, 0.25


def family_tree(tree: Genealogy, title: str) -> Markup:
    """The drawing; its width grows with the steps and its height with the members that leave no child."""
    heights = _heights(tree)
    rows = sum(not node.children for node in tree.nodes.values())
    width = LEFT + COLUMN * max(1, tree.levels) + 10
    height = TOP + ROW * max(1, rows) + 6
    heads = [tag("text", f"step {level}", x=_left(level), y=16.0, class_="step") for level in range(1, tree.levels + 1)]
    lines = [_resampling(made, height - 6) for made in tree.resamplings]
    # The answer's line last, so that it lies above the others.
    order = sorted(tree.nodes.values(), key=lambda node: node.on_path)
    edges = [_edge(tree, node, heights) for node in order if node.parent is not None]
    drawn = [_start(node, heights) if node.level == 0 else _box(node, heights) for node in order]
    return drawing(
        title,
        *heads,
        *lines,
        tag("g", *edges),
        tag("g", *drawn),
        width=width,
        height=height,
        class_="tree",
    )


def in_words(node: Node) -> str:
    """What is known about a node."""
    said = [node.text or ("start" if node.level == 0 else "nothing more written")]
    if node.failed:
        said.append("failed here")
    if node.score is not None:
        said.append(f"score {node.score:g}")
    if node.copies == 0:
        said.append(f"dropped at the resampling (effective sample size {node.effective:.1f})")
    elif node.copies is not None:
        said.append(f"kept {node.copies}× at the resampling (effective sample size {node.effective:.1f})")
    if node.chosen:
        said.append("the answer")
    elif node.done:
        said.append("finished")
    return f"member {node.id}: " + "; ".join(said)


def _heights(tree: Genealogy) -> dict[int, float]:
    """Height of each node: leaves one below the other, parents in the middle of their children."""
    heights: dict[int, float] = {}
    row = 0
    for root in tree.roots:
        waiting = [(root, False)]
        while waiting:
            node, ready = waiting.pop()
            children = tree.nodes[node].children
            if not children:
                heights[node] = TOP + ROW * (row + 0.5)
                row += 1
            elif ready:
                heights[node] = (heights[children[0]] + heights[children[-1]]) / 2
            else:
                waiting.append((node, True))
                waiting.extend((child, False) for child in reversed(children))
    return heights


def _left(level: int) -> float:
    return LEFT + COLUMN * (level - 1) + COLUMN - BOX_WIDTH


def _edge(tree: Genealogy, node: Node, heights: dict[int, float]) -> Markup:
    parent = tree.nodes[node.parent if node.parent is not None else node.id]
    x1 = LEFT - 10 if parent.level == 0 else _left(parent.level) + BOX_WIDTH
    x2, y1, y2 = _left(node.level), heights[parent.id], heights[node.id]
    middle = (x1 + x2) / 2
    return tag(
        "path",
        d=f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}",
        class_="edge path" if node.on_path else "edge",
        data_edge=f"{parent.id}-{node.id}",
    )


def _start(node: Node, heights: dict[int, float]) -> Markup:
    return tag(
        "circle",
        tag("title", in_words(node)),
        cx=LEFT - 12,
        cy=heights[node.id],
        r=4.0 if node.on_path else 3.0,
        class_="start path" if node.on_path else "start",
        data_node=node.id,
    )


def _box(node: Node, heights: dict[int, float]) -> Markup:
    x, y = _left(node.level), heights[node.id]
    shown = node.text.replace("\n", " ⏎ ") or ("ends" if node.done else "·")
    shown = shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
    copies = [tag("text", f"×{node.copies}", x=x + BOX_WIDTH - 6, y=y + 4, class_="copies", text_anchor="end")]
    return tag(
        "g",
        tag("title", in_words(node)),
        tag("rect", x=x, y=y - BOX_HEIGHT / 2, width=BOX_WIDTH, height=BOX_HEIGHT, rx=5),
        tag("text", f"{_sign(node)}{shown}", x=x + 7, y=y + 4),
        *(copies if _forked(node) else []),
        class_=" ".join(_classes(node)),
        data_node=node.id,
    )


def _resampling(made: Resampling, bottom: float) -> Markup:
    """A line after the step that was resampled, and how uneven the weights were."""
    x = _left(made.level) + BOX_WIDTH + 10
    said = f"resampled: {made.kept} of {made.members} kept"
    return tag(
        "g",
        tag("title", f"{said}; effective sample size before it {made.effective:.1f}"),
        tag("line", x1=x, x2=x, y1=TOP - 10, y2=bottom),
        tag("text", said, x=x, y=TOP - 15, text_anchor="middle"),
        class_="resampling",
    )


def _forked(node: Node) -> bool:
    return node.copies is not None and node.copies > 1


def _sign(node: Node) -> str:
    if node.chosen:
        return "★ "
    if node.failed:
        return "! "
    if node.score is None or LOW < node.score < HIGH:
        return ""
    return "✓ " if node.score >= HIGH else "✗ "


def _classes(node: Node) -> list[str]:
    if node.score is None or LOW < node.score < HIGH:
        classes = ["node", "unsure"]
    else:
        classes = ["node", "good" if node.score >= HIGH else "bad"]
    if node.copies == 0:
        classes.append("dropped")
    if node.on_path:
        classes.append("path")
    if node.chosen:
        classes.append("chosen")
    return classes
