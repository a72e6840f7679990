"""Best-first search (A*): one queue of partial answers over the whole tree; the most promising one is always extended next.

It goes back to an older branch when the current one sours, and ends when a finished answer comes to the front of the queue: easy questions
end early, hard ones use the budget. If unsure: the defaults with a verifier whose scores can be compared across depths; `batch` above 1
where the engine is faster with more sequences at once.

With `cost = "increase"` the cost of a path is the sum of its score's falls, as published; f may fall along a path, so the first finished
answer need not have the least f. With `cost = "decrease"` f never falls, and it has: among all answers that the drawn children lead to.

Source: spec 04, A*-Decoding (2025, arXiv 2505.13672). Ours: the tie rule, the cap, re-expansion, what happens when the steps are used up.
Ties matter: scorers saturate, and the oldest first would make the search breadth-first, which is why the deepest goes first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.events import Visited
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.settings import NonNegativeFloat, Positive, PositiveFloat
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import IntArray
from outthink.search.forks import FINISHING, ROOT, members_at, waive
from outthink.search.frontier import (
    Frontier,
    Heuristic,
    Squash,
    StepCost,
    Ties,
    estimates,
    first_of_each,
    marks,
    step_costs,
    unit_scores,
)

MOST_EXPANSIONS = 8
ALIKE = 3


class BestFirst(Algorithm[Frontier]):
    """Extend the node with the least f = cost so far + estimate, until a finished one is in front.

    Attributes:
        n: children drawn at most; then the best finished answer is returned, or the best unfinished one is taken to its end.
        children: drawn from a node when it is expanded.
        batch: nodes expanded together; more fill the engine's batch and waste some expansions.
        every: steps of the process in one step of the search.
        squash: how a score becomes a number in [0, 1]: as the verifier declares, as it is ("none"), "exp", or "sigmoid".
        heuristic: what is estimated to be still to pay: 1 - r ("complement") or -log r ("log").
        cost: what a step costs: the fall of the score ("increase" of the estimate), its rise ("decrease"), or nothing ("none").
        ties: among equal keys the "deeper", then the earlier; the "newest"; or the "oldest", which searches breadth-first.
        depth_credit: taken off f for each step of depth; for scores that promise too much early on.
        frontier: nodes that may wait at once, the worst are dropped; 1 never goes back: step-level best-of-n.
        eta: an expanded node is pushed back with its key raised by this, so that more children can be drawn of it later; None: never.
        duplicates: whether children equal to a sibling are "drop"ped unjudged, or "keep".
    """

    n: Positive = 64
    children: Positive = 3
    batch: Positive = 1
    every: Positive = 1
    squash: Squash = "declared"
    heuristic: Heuristic = "complement"
    cost: StepCost = "increase"
    ties: Ties = "deeper"
    depth_credit: NonNegativeFloat = 0.0
    frontier: Positive = 256
    eta: PositiveFloat | None = None
    duplicates: Literal["drop", "keep"] = "drop"

    def check(self) -> None:
        if self.frontier == 1 and self.batch > 1:
            raise SettingsError(
                explain(
                    "BestFirst.frontier = 1 keeps one node, and several are to be expanded together.",
                    got=f"frontier = 1, batch = {self.batch}",
                    expected="batch = 1, or a wider frontier",
                    remedy="Raise frontier.",
                )
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None:
            return
        if spec.relative or not spec.partial:
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of unfinished answers from different steps.",
                    got="scores that only compare the candidates of one call"
                    if spec.relative
                    else "scores of finished answers only",
                    expected="a verifier that rates prefixes on one scale",
                    remedy="Use a verifier of prefixes, or 'best-of-n' with this one.",
                )
            )
        if self.squash == "none" and not (spec.low >= 0.0 and spec.high <= 1.0):
            raise Incompatible(
                explain(
                    f'{self.name()!r} with squash = "none" takes scores as they are.',
                    got=f"scores in [{spec.low}, {spec.high}]",
                    expected="scores in [0, 1]",
                    remedy='Set squash = "sigmoid", or "exp" for log-probabilities.',
                )
            )

    async def init(self, run: Run, key: Key) -> Frontier:
        return Frontier.root(await run.start(1, key))

    async def step(self, state: Frontier, run: Run, key: Key) -> Frontier:
        finishing = state.drawn >= self.n
        places = self._front(state)[:1] if finishing else self._expanded(state)
        moved = await run.advance(
            await members_at(state.batch, places, run, key), key, steps=None if finishing else self.every
        )
        went = np.flatnonzero(moved.moved)
        batch, parent = moved.batch.take(went), places[went]
        mark = np.zeros(len(went), np.uint64)
        new = np.ones(len(went), bool)
        if self.duplicates == "drop" and self.children > 1 and len(went):
            mark = marks(await run.view(batch))
            new = first_of_each(parent, mark, state)
            waive(run, batch.take(~new))
        score = np.full(len(went), np.nan)
        score[new] = await run.score(batch.take(new))
        h = estimates(unit_scores(score, self.squash, spec_of(run)), self.heuristic)
        g = state.g[parent] + step_costs(state.h[parent], h, self.cost)
        f = g + h - self.depth_credit * batch.depth
        expansions = np.zeros(len(went), np.int64)
        after = self._closed(state, np.unique(parent))
        after = after.join(Frontier(batch, parent, score, h, g, f, new, expansions, mark))
        drawn = state.drawn + int((moved.moved | moved.batch.failed).sum())
        after = replace(after, drawn=drawn).capped(self.frontier, self.ties)
        self._tell(np.concatenate([np.unique(parent), np.arange(len(state), len(after))]), after, run)
        return after

    def done(self, state: Frontier) -> bool:
        front = self._front(state)
        if len(front) == 0 or bool(state.batch.done[front[0]]):
            return True
        if state.drawn < self.n:
            return False
        return bool(state.batch.finished.any()) or state.drawn >= self.n + FINISHING

    def answer(self, state: Frontier) -> Answer:
        finished = np.flatnonzero(state.batch.finished)
        if len(finished) == 0:
            # The best one under way, so that it can be seen how far the search came; the root is nobody's answer.
            best = self._front(state)
            best = best[best != ROOT][:1]
            return Answer(state.batch.take(best), np.zeros(len(best)), state.score[best], None)
        ranked = replace(state, open=state.batch.finished).waiting(self.ties)
        chosen = int(np.flatnonzero(finished == ranked[0])[0])
        weights = np.zeros(len(finished))
        weights[chosen] = 1.0
        return Answer(state.batch.take(finished), weights, state.score[finished], chosen)

    def _front(self, state: Frontier) -> IntArray:
        return state.waiting(self.ties)

    def _expanded(self, state: Frontier) -> IntArray:
        """Rows to draw children of, one entry a child: the first few in the queue, but none behind a finished one."""
        front = self._front(state)[: self.batch]
        finished = np.flatnonzero(state.batch.done[front])
        front = front[: finished[0]] if len(finished) else front
        return np.repeat(front, self.children)[: self.n - state.drawn]

    def _closed(self, state: Frontier, expanded: IntArray) -> Frontier:
        """The nodes of which a child was drawn leave the queue, or go back with a higher key."""
        is_open, f, expansions = state.open.copy(), state.f.copy(), state.expansions.copy()
        expansions[expanded] += 1
        is_open[expanded] = self.eta is not None and expansions[expanded] < MOST_EXPANSIONS
        f[expanded] += self.eta or 0.0
        return replace(state, open=is_open, f=f, expansions=expansions)

    def _tell(self, rows: IntArray, state: Frontier, run: Run) -> None:
        """Record what the search thinks of these rows, and say so when it can only go on by force."""
        f = state.f[rows].tolist()
        values = tuple(value if np.isfinite(value) else None for value in f)
        run.emit(
            Visited(
                nodes=tuple(state.batch.id[rows].tolist()), visits=tuple(state.expansions[rows].tolist()), values=values
            )
        )
        if self.done(state) and self.duplicates == "drop" and _all_alike(state):
            run.warn(
                "All children of a node were equal, at every node: no noise is drawn, so this was one sample. Raise the temperature."
            )
        if state.drawn >= self.n and not state.batch.finished.any() and not self.done(state):
            best = self._front(state)[0]
            run.warn(
                f"All {self.n} children were drawn and nothing had finished: the best node, at depth {state.batch.depth[best]} with "
                f"f = {state.f[best]:.4g}, is taken to its end unsearched. Raise n, or depth_credit."
            )


def _all_alike(state: Frontier) -> bool:
    """Whether every node that was expanded gave the same child again and again; said of three nodes or more."""
    pairs = list(zip(state.parent[1:].tolist(), state.mark[1:].tolist(), strict=True))
    parents = {parent for parent, _ in pairs}
    return len(parents) >= ALIKE and len(set(pairs)) == len(parents) and len(pairs) >= 2 * len(parents)


def spec_of(run: Run) -> ScoreSpec:
    """What the verifier's scores are. Raises `Incompatible` where there is no verifier."""
    if run.verifier is None:
        raise Incompatible(
            explain("A score was asked for.", got="no verifier", expected="a verifier", remedy="Set [verifier].")
        )
    return run.verifier.spec
