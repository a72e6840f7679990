"""The picture of a search tree: every node once, the root above all, what the search thinks of each, large trees folded."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from outthink.core import LogMap, ScoreKind, Search, Session, Task
from outthink.core.genealogy import Genealogy, genealogy
from outthink.demo.search_tree import MOST_LEAVES, in_words, is_search, root_of, search_tree, told, tops
from outthink.search import BestFirst, ParticleFilter, Tree
from outthink.testing import FunctionOfContent, GaussianChain, TokenChain


async def grown(algorithm: Any, process: Any = None) -> Genealogy:
    session = Session.open(seed=1)
    judge = FunctionOfContent(
        lambda text: (1 + str(text).count("b")) / 8,
        kind=ScoreKind.PREFIX_VALUE,
        low=0.0,
        high=1.0,
        log_map=LogMap.PROBABILITY,
    )
    made = process or TokenChain("abc", length=4, stop=0.1)
    await Search(lambda task: made, algorithm, judge).solve(Task(), session)
    session.close()
    return genealogy("", session.trace.events, session.trace.contents)


def drawn_nodes(drawing: str) -> list[int]:
    return sorted(map(int, re.findall(r'data-node="(\d+)"', drawing)))


async def test_every_node_is_drawn_once_and_all_hang_on_the_root() -> None:
    for algorithm in (Tree(n=24, batch=3), BestFirst(n=24)):
        tree = await grown(algorithm)
        assert is_search(tree)
        drawing = search_tree(tree, "a tree")
        # Fresh members stand for the root, which is one circle.
        assert drawn_nodes(drawing) == sorted(n for n in tree.nodes if tree.nodes[n].parent is not None)
        edges = set(re.findall(r'data-edge="(\w+)-(\d+)"', drawing))
        assert {int(b) for a, b in edges if a == "root"} == set(tops(tree))
        assert {(int(a), int(b)) for a, b in edges if a != "root"} == {
            (n.parent, n.id) for n in tree.nodes.values() if n.parent is not None and n.id not in tops(tree)
        }
        assert drawing.count("★") == 1
        ElementTree.fromstring(drawing)


async def test_fresh_members_that_branch_are_nodes() -> None:
    tree = await grown(Tree(n=30, batch=2, levels=(0, 1)), GaussianChain(length=3))
    starts = [n for n in tops(tree) if tree.nodes[n].parent is None]
    assert len(starts) == len(tops(tree)) > 1
    assert set(starts) <= set(drawn_nodes(search_tree(tree, "a tree")))


async def test_the_root_counts_all_selections_and_its_children_share_them() -> None:
    tree = await grown(Tree(n=24, batch=3))
    root = root_of(tree)
    assert root is not None
    assert root.visits == 24 == sum(tree.nodes[n].visits or 0 for n in tops(tree))
    assert root.value is not None
    assert told(tree.nodes[tops(tree)[0]], keyed=False).count("×") == 1


async def test_keys_and_the_order_of_expansion_are_shown_for_best_first() -> None:
    tree = await grown(BestFirst(n=24))
    assert tree.keyed
    orders = sorted(n.expanded for n in tree.nodes.values() if n.expanded is not None)
    assert orders == list(range(1, len(orders) + 1))
    for node in tree.nodes.values():
        if node.parent is not None and node.value is not None:
            assert told(node, keyed=True).startswith(f"f {node.value:.2f}")
            assert "lower is better" in in_words(node, keyed=True)


async def test_large_trees_are_folded_and_say_so() -> None:
    tree = await grown(Tree(n=400, batch=16), TokenChain("abcdefgh", length=5))
    leaves = [n for n in tree.nodes.values() if n.parent is not None and not n.children]
    assert len(leaves) > MOST_LEAVES
    drawing = search_tree(tree, "a tree")
    shown = drawn_nodes(drawing)
    folded = sum(map(int, re.findall(r"more nodes</title>\+(\d+)<", drawing)))
    nodes = [n for n in tree.nodes.values() if n.parent is not None]
    assert len(shown) + folded == len(nodes)
    assert folded > 0
    ElementTree.fromstring(drawing)
    assert all(n.id in shown for n in nodes if n.on_path)


async def test_a_population_is_no_search_tree() -> None:
    assert not is_search(await grown(ParticleFilter(n=4)))
    assert is_search(await grown(Tree(n=4)))
