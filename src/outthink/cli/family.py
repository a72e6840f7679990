"""The genealogy of a stored run, or its search tree: for the terminal, and as a picture.

In the terminal a line of members without forks is one branch; what a branch wrote stands beside it, and in a search tree what the search
thinks of it and how often it came through.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from outthink.cli.storage import short
from outthink.core.genealogy import Genealogy, Node, genealogy
from outthink.core.markup import Markup, tag
from outthink.demo.family_tree import family_tree
from outthink.demo.image_tree import has_pictures, image_tree
from outthink.demo.search_tree import is_search, root_of, search_tree, told, tops

if TYPE_CHECKING:
    from rich.tree import Tree

    from outthink.store import StoredRun

MOST_BRANCHES = 400


def family_of(found: StoredRun) -> Genealogy:
    """The members of a stored run, by node."""
    return genealogy("", found.events, {("", node): candidate for node, candidate in found.candidates.items()})


def picture_of(found: StoredRun, tree: Genealogy) -> str:
    """The family tree as an SVG document that stands by itself."""
    if has_pictures(found.candidates):
        drawing = image_tree(tree, found.candidates, f"{found.line.method}: {short(found.task.question, 100)}")
    elif is_search(tree):
        drawing = search_tree(tree, f"{found.line.method}: {short(found.task.question, 100)}")
    else:
        drawing = family_tree(tree, f"Run {found.line.id}")
    style = (resources.files("outthink.demo") / "report.css").read_text(encoding="utf-8")
    styled = tag("style", Markup(style + "svg { background: var(--paper); }"))
    head, inside, rest = drawing.partition(">")
    return head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1) + inside + styled + rest


def drawn(tree: Genealogy) -> Tree:
    """The family tree for the terminal; the answer's branches are bold. Very large ones are cut, and say so."""
    from rich.text import Text
    from rich.tree import Tree

    searched = is_search(tree)
    top = Tree(_headline(tree) if searched else "Genealogy  (node: score, what it wrote)", guide_style="dim")
    waiting = [(root, top) for root in reversed(tops(tree) if searched else tree.roots)]
    branches = 0
    while waiting and branches < MOST_BRANCHES:
        first, above = waiting.pop()
        line = [tree.nodes[first]]
        while len(line[-1].children) == 1:
            line.append(tree.nodes[line[-1].children[0]])
        branch = above.add(
            Text(_thought(line, tree.keyed) if searched else _said(line), style="bold" if line[-1].on_path else "")
        )
        waiting += [(child, branch) for child in reversed(line[-1].children)]
        branches += 1
    if waiting:
        top.add(f"… and {len(waiting)} more branches: --json or --picture has them all")
    return top


def _headline(tree: Genealogy) -> str:
    root = root_of(tree)
    if tree.keyed:
        return "Search tree  (what was written; f: key, lower goes first; #: order of expansion)"
    stats = f", {told(root, keyed=False)}" if root is not None else ""
    return f"Search tree  (what was written; value; ×: visits{stats} at the root)"


def _thought(line: list[Node], keyed: bool) -> str:
    """A line of a search tree: what it wrote, what its first node is worth, and how it ended."""
    written = short(" ⏎ ".join(node.text for node in line if node.text)) or "·"
    last = line[-1]
    score = f"score {last.score:.4g}" if last.score is not None and not last.children else ""
    state = _state(last) if last.chosen or last.failed else ""
    if not state and not last.done and not last.children:
        # A key that is not known: nobody judged it, because it is what a sibling is.
        state = "[as a sibling]" if keyed and last.visits is not None and last.value is None else "[open]"
    return "  ".join(part for part in (written, told(line[0], keyed), score, state) if part)


def _said(line: list[Node]) -> str:
    last = line[-1]
    name = str(last.id) if len(line) == 1 else f"{line[0].id}…{last.id}"
    written = " ".join(node.text for node in line if node.text)
    parts = [f"{name}:", "-" if last.score is None else f"{last.score:.4g}"]
    if len(line) > 1:
        parts.append(f"({len(line) - 1} steps)")
    parts.append(short(written))
    return " ".join(part for part in (*parts, _state(last)) if part)


def _state(node: Node) -> str:
    if node.chosen:
        return "[the answer]"
    if node.failed:
        return "[failed]"
    if node.children:
        return f"[forked: {len(node.children)}]"
    return "[finished]" if node.done else "[dropped]"
