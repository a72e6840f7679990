"""The tree of a tree search: its nodes as rows, the members under way in it, and the copy that one step works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.rows import Rows
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.forks import ROOT

Value = Callable[[FloatArray, IntArray], float]


@dataclass(frozen=True)
class Nodes(Rows):
    """Every node, parents before children; row 0 is the root.

    Attributes:
        parent: row of the parent, [n]; the root is its own.
        level: steps of the process taken, [n].
        visits: selections that came through, those under way included, [n].
        value: backed-up value, [n]; nan while it is not known.
        score: what the verifier said of the node itself, [n]; nan where it was not asked or had no opinion.
        returned: whether something that went through it has come back, [n].
    """

    batch: Batch
    parent: IntArray
    level: IntArray
    visits: IntArray
    value: FloatArray
    score: FloatArray
    returned: BoolArray

    @classmethod
    def fresh(cls, batch: Batch, parent: IntArray, level: IntArray) -> Nodes:
        """Nodes that one selection has come through and of which nothing is known yet."""
        n = len(batch)
        nothing = np.full(n, np.nan)
        return cls(batch, parent, level, np.ones(n, np.int64), nothing, nothing, np.zeros(n, bool))

    def leads_to_an_end(self) -> BoolArray:
        """Nodes that are finished or have a finished one below them, [n]."""
        leads = self.batch.finished.copy()
        for i in range(len(leads) - 1, 0, -1):
            if leads[i]:
                leads[self.parent[i]] = True
        return leads


@dataclass(frozen=True)
class Grown(Saved):
    """A tree between two steps.

    Attributes:
        under_way: where each member under way stands, in the order of their selection, [k] rows.
        begun: selections so far.
        point: the random number in [0, 1) by which an answer is drawn.
    """

    nodes: Nodes
    under_way: IntArray
    begun: int = 0
    point: float = 0.0


class Growth:
    """The tree while one step works on it: the same columns, to be changed, with the children of each node at hand."""

    def __init__(self, state: Grown) -> None:
        nodes = state.nodes
        self.nodes = nodes
        self.visits, self.value = nodes.visits.copy(), nodes.value.copy()
        self.score, self.returned = nodes.score.copy(), nodes.returned.copy()
        self.parent = nodes.parent.tolist()
        self.done = nodes.batch.done.tolist()
        self.children: list[list[int]] = [[] for _ in self.parent]
        for child, parent in enumerate(self.parent[1:], 1):
            self.children[parent].append(child)
        self.under_way: list[int] = state.under_way.tolist()
        self.coming = [0] * len(self.parent)
        for at in self.under_way:
            self.coming[at] += 1
        self.begun, self.point = state.begun, state.point
        self.touched: set[int] = set()

    def width(self, node: int) -> int:
        """Children drawn from a node, those under way included."""
        return len(self.children[node]) + self.coming[node]

    def reachable(self, node: int) -> list[int]:
        """Children that a selection can go down to: those of which something is known."""
        return [child for child in self.children[node] if self.returned[child]]

    def visit(self, node: int) -> None:
        """One more selection came to `node`; it counts at once, so that the next one looks elsewhere."""
        self.begun += 1

        def count(at: int) -> None:
            self.visits[at] += 1
            self.touched.add(at)

        self._up(node, count)

    def send(self, node: int) -> None:
        """One more member is under way: a child of `node`."""
        self.under_way.append(node)
        self.coming[node] += 1

    def best(self) -> int:
        """Where the values lead from the root, as far as anything is known."""
        at = ROOT
        while below := self.reachable(at):
            at = below[int(np.argmax(np.where(np.isnan(self.value[below]), -np.inf, self.value[below])))]
        return at

    def add(self, batch: Batch, parents: list[int], levels: list[int]) -> list[int]:
        """New nodes; their rows."""
        first = len(self.parent)
        rows = list(range(first, first + len(parents)))
        self.nodes = self._frozen().join(Nodes.fresh(batch, np.array(parents, np.int64), np.array(levels, np.int64)))
        for row, parent in zip(rows, parents, strict=True):
            self.children[parent].append(row)
        self.children += [[] for _ in rows]
        self.coming += [0] * len(rows)
        self.parent += parents
        self.done += batch.done.tolist()
        self.visits, self.value = self.nodes.visits.copy(), self.nodes.value.copy()
        self.score, self.returned = self.nodes.score.copy(), self.nodes.returned.copy()
        return rows

    def back_up(self, node: int, score: float, value_of: Value) -> None:
        """A member has come back at `node` with a score (nan: none): everything above is worth something new."""
        if not np.isnan(score):
            self.score[node] = self.value[node] = score

        def renew(at: int) -> None:
            self.returned[at] = True
            self.touched.add(at)
            below = self.reachable(at)
            if below:
                self.value[at] = value_of(self.value[below], self.visits[below])

        self._up(node, renew)

    def settled(self, under_way: list[int]) -> Grown:
        """The tree after the step, with the members that are still under way."""
        return Grown(self._frozen(), np.array(under_way, np.int64), self.begun, self.point)

    def _frozen(self) -> Nodes:
        return replace(self.nodes, visits=self.visits, value=self.value, score=self.score, returned=self.returned)

    def _up(self, node: int, do: Callable[[int], None]) -> None:
        do(node)
        while node != ROOT:
            node = self.parent[node]
            do(node)
