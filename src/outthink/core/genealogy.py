"""The family tree of one run, read from its events: a population's genealogy, or a search tree.

A node is a member after one step. Its parent is the member that it went on from; a member that was forked at a resampling has several
children, one that was dropped has none. Nothing is taken from inside the algorithm: `Advanced` gives the edges, `Scored` the scores,
`Resampled` who was kept, `Visited` what a tree search thinks of its nodes, `RunEnded` the answer, and the trace's contents what each node
had written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outthink.core.events import (
    Advanced,
    AnyEvent,
    MemberFailed,
    Resampled,
    RunEnded,
    RunStarted,
    Scored,
    Started,
    Visited,
)
from outthink.core.task import Candidate, in_words

KEYED = "best-first"
"""The method whose values are keys."""


@dataclass
class Node:
    """One member after one step.

    Attributes:
        parent: None for a fresh member. `level`: steps taken.
        text: what this step added. `score`: the verifier's, None for no opinion or not judged.
        done: whether it is finished. `failed`: whether it was lost here.
        copies: how often a resampling kept it: 0 dropped, None where no resampling looked at it.
        effective: effective sample size of the population at that resampling, in members.
        visits: how often a tree search came through, None where none said so. `value`: what it thinks of the node. `expanded`: the place
            of the node in the order in which children were first drawn, 0 for the first.
        chosen: whether it is the answer. `on_path`: whether the answer descends from it, or is it.
    """

    id: int
    parent: int | None
    level: int
    text: str = ""
    score: float | None = None
    done: bool = False
    failed: bool = False
    copies: int | None = None
    effective: float | None = None
    visits: int | None = None
    value: float | None = None
    expanded: int | None = None
    chosen: bool = False
    on_path: bool = False
    children: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Resampling:
    """One resampling: after which level, the effective sample size before it (in members), and how many of how many were kept."""

    level: int
    effective: float
    kept: int
    members: int


@dataclass(frozen=True)
class Genealogy:
    """A tree for each fresh member, by node number, and the resamplings in order. `keyed`: values are keys, of which lower is better."""

    nodes: dict[int, Node]
    roots: tuple[int, ...]
    resamplings: tuple[Resampling, ...]
    keyed: bool = False

    @property
    def levels(self) -> int:
        """The most steps that any member took."""
        return max((node.level for node in self.nodes.values()), default=0)

    @property
    def edges(self) -> set[tuple[int, int]]:
        """Every (parent, child)."""
        return {(node.parent, node.id) for node in self.nodes.values() if node.parent is not None}


def genealogy(run: str, events: Sequence[AnyEvent], contents: Mapping[tuple[str, int], object]) -> Genealogy:
    """The family tree of one run. Other runs' events are passed over."""
    nodes: dict[int, Node] = {}
    population: list[int] = []
    resamplings: list[Resampling] = []
    answer, expanded = -1, 0
    for event in events:
        if event.run != run:
            continue
        match event:
            case Started():
                nodes.update({node: Node(node, None, 0) for node in event.nodes})
                population += event.nodes
            case Advanced():
                expanded = _advance(nodes, event, expanded)
                if event.kind == "look-ahead":
                    continue  # a provisional step: the population stays where it is
                # A member that did not move stays in the population under its own number.
                moved = Counter(event.parents)
                population = [node for node in population if not moved[node]] + list(event.nodes)
            case Scored():
                for node, value in zip(event.nodes, event.values, strict=True):
                    nodes[node].score = value
            case Resampled():
                resamplings.append(_resample(nodes, population, event))
                population = list(event.ancestors)
            case Visited():
                _visit(nodes, event)
            case MemberFailed():
                nodes[event.node].failed = True
            case RunEnded():
                answer = event.answer
    _write(nodes, run, contents)
    _mark(nodes, answer)
    keyed = any(isinstance(event, RunStarted) and event.run == run and event.method == KEYED for event in events)
    return Genealogy(nodes, tuple(node.id for node in nodes.values() if node.parent is None), tuple(resamplings), keyed)


def _advance(nodes: dict[int, Node], event: Advanced, expanded: int) -> int:
    """The new nodes below their parents; how many nodes have been expanded by now."""
    for parent, node, done in zip(event.parents, event.nodes, event.done, strict=True):
        nodes[node] = Node(node, parent, nodes[parent].level + 1, done=done)
        nodes[parent].children.append(node)
        if nodes[parent].expanded is None and nodes[parent].parent is not None:
            expanded += 1
            nodes[parent].expanded = expanded
    return expanded


def _visit(nodes: dict[int, Node], event: Visited) -> None:
    for node, visits, value in zip(event.nodes, event.visits, event.values, strict=True):
        nodes[node].visits, nodes[node].value = visits, value


def _resample(nodes: dict[int, Node], population: Sequence[int], event: Resampled) -> Resampling:
    kept = Counter(event.ancestors)
    before = set(population)
    for node in before:
        nodes[node].copies, nodes[node].effective = kept[node], event.effective
    return Resampling(max(nodes[node].level for node in before), event.effective, len(kept), len(event.ancestors))


def _write(nodes: dict[int, Node], run: str, contents: Mapping[tuple[str, int], object]) -> None:
    """Each node's own text: what it shows beyond its parent."""

    def shown(node: int | None) -> str:
        seen = contents.get((run, node)) if node is not None else None
        return in_words(seen.content) or "" if isinstance(seen, Candidate) else ""

    for node in nodes.values():
        whole, before = shown(node.id), shown(node.parent)
        # A final stop string is cut off, so a finished text may be shorter than its parent by blank space.
        node.text = whole.removeprefix(before.rstrip()).strip()


def _mark(nodes: dict[int, Node], answer: int) -> None:
    if answer not in nodes:
        return
    nodes[answer].chosen = True
    at: int | None = answer
    while at is not None:
        nodes[at].on_path = True
        at = nodes[at].parent
