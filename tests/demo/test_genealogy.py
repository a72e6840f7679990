"""The family tree equals the trace, and the drawing equals the tree."""

from __future__ import annotations

import re

from outthink.core.events import Advanced, AnyEvent, MemberFailed, Resampled, RunEnded, Scored, Started
from outthink.core.genealogy import Genealogy, genealogy
from outthink.core.task import Candidate
from outthink.demo.family_tree import family_tree, in_words
from outthink.demo.page import family_of
from tests.demo.adder import adder, finished_with

RUN = "sums-01/particle-filter"


def traced() -> tuple[list[AnyEvent], dict[tuple[str, int], object]]:
    """Three members; the first is kept twice, the second dropped, the third lost at the next step."""
    events: list[AnyEvent] = [
        Started(run=RUN, nodes=(0, 1, 2)),
        Advanced(run=RUN, parents=(0, 1, 2), nodes=(3, 4, 5), done=(False, False, False)),
        Advanced(run="another", parents=(0,), nodes=(3,), done=(True,)),
        Scored(run=RUN, nodes=(3, 4, 5), values=(0.99, 0.01, None)),
        Resampled(run=RUN, step=1, ancestors=(3, 3, 5), effective=1.5),
        MemberFailed(run=RUN, node=5, kind="EngineError", message="gone"),
        Advanced(run=RUN, parents=(3, 3), nodes=(6, 7), done=(True, True)),
        Scored(run=RUN, nodes=(6, 7), values=(0.99, 0.01)),
        RunEnded(run=RUN, stop="done", answer=6),
    ]
    texts = {3: "1 + 2 = 3\n", 4: "1 + 2 = 4\n", 6: "1 + 2 = 3\nAnswer: 3", 7: "1 + 2 = 3\nAnswer: <b>"}
    return events, {(RUN, node): Candidate(content=text) for node, text in texts.items()}


def tree() -> Genealogy:
    events, contents = traced()
    return genealogy(RUN, events, contents)


def test_nodes_and_edges_are_those_of_the_trace() -> None:
    family = tree()
    assert set(family.nodes) == set(range(8))
    assert family.edges == {(0, 3), (1, 4), (2, 5), (3, 6), (3, 7)}
    assert family.roots == (0, 1, 2)
    assert [family.nodes[node].level for node in range(8)] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_scores_copies_and_losses() -> None:
    nodes = tree().nodes
    assert [nodes[i].score for i in (3, 4, 5, 6)] == [0.99, 0.01, None, 0.99]
    assert [nodes[i].copies for i in (0, 3, 4, 5, 6)] == [None, 2, 0, 1, None]
    assert [i for i in nodes if nodes[i].failed] == [5]
    assert [i for i in nodes if nodes[i].chosen] == [6]
    assert [i for i in nodes if nodes[i].on_path] == [0, 3, 6]
    (resampling,) = tree().resamplings
    assert (resampling.level, resampling.effective, resampling.kept, resampling.members) == (1, 1.5, 2, 3)


def test_each_node_shows_what_its_step_added() -> None:
    nodes = tree().nodes
    assert nodes[3].text == "1 + 2 = 3"
    assert nodes[6].text == "Answer: 3"
    assert nodes[0].text == ""


def test_a_step_that_only_ends_the_text_adds_nothing() -> None:
    events: list[AnyEvent] = [
        Started(run=RUN, nodes=(0,)),
        Advanced(run=RUN, parents=(0,), nodes=(1,), done=(False,)),
        Advanced(run=RUN, parents=(1,), nodes=(2,), done=(True,)),
    ]
    family = genealogy(
        RUN, events, {(RUN, 1): Candidate(content="Answer: 3\n"), (RUN, 2): Candidate(content="Answer: 3")}
    )
    assert [family.nodes[node].text for node in (1, 2)] == ["Answer: 3", ""]
    assert "ends" in family_tree(family, "a tree")


def test_every_node_and_edge_is_drawn_once() -> None:
    family = tree()
    drawing = family_tree(family, "a tree")
    assert sorted(map(int, re.findall(r'data-node="(\d+)"', drawing))) == sorted(family.nodes)
    edges = re.findall(r'data-edge="(\d+)-(\d+)"', drawing)
    assert len(edges) == len(family.edges)
    assert {(int(a), int(b)) for a, b in edges} == family.edges
    assert "resampled: 2 of 3 kept" in drawing
    assert drawing.count("★") == 1


def test_the_drawing_is_well_formed_and_escaped() -> None:
    from xml.etree import ElementTree

    drawing = family_tree(tree(), "a < b & c")
    ElementTree.fromstring(drawing)
    assert "<b>" not in drawing
    assert "&lt;b&gt;" in drawing


def test_boxes_do_not_overlap() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(family_tree(tree(), "a tree"))
    boxes = [(float(r.get("x", 0)), float(r.get("y", 0))) for r in root.iter("rect")]
    assert len(set(boxes)) == len(boxes) == 5
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert all(0 <= x <= width - 164 and 0 <= y <= height - 20 for x, y in boxes)
    columns: dict[float, list[float]] = {}
    for x, y in boxes:
        columns.setdefault(x, []).append(y)
    assert all(b - a >= 20 for ys in columns.values() for a, b in zip(sorted(ys), sorted(ys)[1:], strict=False))


def test_words_say_what_colour_and_shape_say() -> None:
    nodes = tree().nodes
    assert (
        in_words(nodes[4]) == "member 4: 1 + 2 = 4; score 0.01; dropped at the resampling (effective sample size 1.5)"
    )
    assert "kept 2× at the resampling" in in_words(nodes[3])
    assert in_words(nodes[6]).endswith("the answer")
    assert "failed here" in in_words(nodes[5])


async def test_the_tree_of_a_real_run_is_whole() -> None:
    finished = await finished_with(adder(right=0.5))
    for one in finished.solved["sums"]:
        family = family_of(finished, one)
        result = one.results["particle-filter"]
        run = getattr(result, "run", "")
        moves = [event for event in finished.events if isinstance(event, Advanced) and event.run == run]
        assert family.edges == {edge for move in moves for edge in zip(move.parents, move.nodes, strict=True)}
        assert len(family.roots) == finished.plan.members
        (chosen,) = [node for node in family.nodes.values() if node.chosen]
        assert chosen.on_path
        assert f"Answer: {one.said('particle-filter')}" in [node.text for node in family.nodes.values() if node.on_path]
        for node in family.nodes.values():
            if node.level == 1 and node.copies is not None:
                assert len(node.children) == node.copies
