"""Tree search: whole answers drawn one after the other, each begun where the ones before it say that it pays.

From the root a selection goes down while a node has children enough for its visits (progressive widening: c_w N^alpha), draws a new child
where it has not, and takes that to its end; all of it stays in the tree. The end is judged once, and every node above becomes worth the
mean, the maximum or the soft maximum of its children. How to go down and what to back up are parameters, so this one class is
Monte-Carlo tree search over reasoning steps, diffusion tree sampling and diffusion tree search:

    Tree(n=64)                                                                              # search: UCT, the best answer seen
    Tree(n=1000, selection=Boltzmann(), backup=LogMeanExp(), choose="sample", strength=2)   # DTS: samples of p(x) exp(strength * score)
    Tree(n=1000, selection=Uct(c=0.1), backup=LogMeanExp(), choose="value", strength=20)    # DTS*

`batch` members are under way at once: a selection counts as a visit while it is out, members come back in the order in which they were
selected whenever several end in one step, and a place that becomes free is filled at once. So nothing depends on who answers first.
If unsure: the defaults, `n` as for best-of-n, and `batch` as wide as the engine likes, well under n.

Sources: spec 21, Jain et al. 2025, Diffusion Tree Sampling (arXiv 2506.20701); spec 05 for `puct`. Departs from them: the dummy root's
children are fresh members after their first step, or fresh members themselves where `levels` names 0; while all children of a node are
out, one more is drawn of it rather than a place left empty; values of leaves without an opinion are left out of every mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.errors import BudgetExhausted, Incompatible, SettingsError, explain
from outthink.core.events import Visited
from outthink.core.key import Key
from outthink.core.run import Moved, Run
from outthink.core.settings import Count, Fraction, Positive, PositiveFloat
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.backup import AnyBackup, LogMeanExp
from outthink.search.forks import FINISHING, ROOT, members_at, waive
from outthink.search.growth import Grown, Growth, Nodes
from outthink.search.reading_out import best_path, law
from outthink.search.selection import AnySelection, Children, Uct

SELECTIONS_A_STEP = 64
ALIKE = 8


class Tree(Algorithm[Grown]):
    """Grow a tree by n selections, each taken to its end.

    Attributes:
        n: selections, that is, whole answers drawn at most; one that ends at an old leaf costs nothing.
        batch: members under way at once.
        every: steps of the process from one node to the next.
        levels: levels (steps taken) at which members may branch besides the root, in place of `every`; between two of them, and after the
            last, a member moves without a stop. 0: fresh members branch before their first step, for processes that start from noise.
        widening: c_w, the factor of how many children a node may have: one visited N times has at most c_w N^alpha.
        exponent: alpha, how fast that grows; 1 with a large factor never comes back to a node.
        selection: which child to go to: "uct", "puct", "boltzmann" or "uniform".
        backup: what a node is worth: the "mean", the "max" or the "log-mean-exp" of its children.
        strength: inverse temperature of the score in "boltzmann", "log-mean-exp" and the law of `choose`; times the score's spread 2 to 10.
        evaluate: a selection is worth the score at the end of its "rollout", or what the verifier says of its first new node ("score").
        choose: the answer is the "best" seen, the one that the "value"s lead to, or one that they lead to at random ("sample").
    """

    n: Positive = 32
    batch: Positive = 4
    every: Positive = 1
    levels: tuple[Count, ...] | None = None
    widening: PositiveFloat = 1.0
    exponent: Fraction = 0.5
    selection: AnySelection = Uct()
    backup: AnyBackup = LogMeanExp()
    strength: PositiveFloat = 5.0
    evaluate: Literal["rollout", "score"] = "rollout"
    choose: Literal["best", "value", "sample"] = "best"

    def check(self) -> None:
        if self.levels is not None and (list(self.levels) != sorted(set(self.levels)) or self.every != 1):
            raise SettingsError(
                explain(
                    "Tree.levels says where members may branch, and takes the place of Tree.every.",
                    got=f"levels = {self.levels}, every = {self.every}",
                    expected="ascending levels, each once, and every = 1",
                    remedy="Sort them, and leave out every.",
                )
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None:
            return
        if spec.relative or (self.evaluate == "score" and not spec.partial):
            raise Incompatible(
                explain(
                    f"{self.name()!r} compares scores of members that are judged at different times"
                    + (" and unfinished." if self.evaluate == "score" else "."),
                    got="scores that only compare the candidates of one call"
                    if spec.relative
                    else "scores of finished answers only",
                    expected="a verifier whose scores keep their meaning",
                    remedy="Use another verifier, such as 'judge'." if spec.relative else 'Set evaluate = "rollout".',
                )
            )

    # -- the four parts ---------------------------------------------------------------------------------------------

    async def init(self, run: Run, key: Key) -> Grown:
        root = Nodes.fresh(await run.start(1, key), np.zeros(1, np.int64), np.zeros(1, np.int64))
        point = float(key.child("choose").rng().random())
        return Grown(replace(root, visits=np.zeros(1, np.int64)), np.zeros(0, np.int64), point=point)

    async def step(self, state: Grown, run: Run, key: Key) -> Grown:
        tree = Growth(state)
        await self._select(tree, run, key)
        state = tree.settled(await self._advance(tree, run, key))
        self._tell(state, sorted(tree.touched), run)
        return state

    def done(self, state: Grown) -> bool:
        if len(state.under_way) or state.begun < self.n:
            return False
        if self.evaluate == "rollout" or bool(state.nodes.batch.finished.any()):
            return True
        return state.begun >= self.n + FINISHING

    def answer(self, state: Grown) -> Answer:
        nodes = state.nodes
        rows = np.flatnonzero(nodes.batch.finished)
        if len(rows) == 0:
            # Those under way, or the best one judged, so that it can be seen how far it came; the root is nobody's answer.
            rows = np.unique(state.under_way[state.under_way != ROOT])
            judged = np.flatnonzero(~np.isnan(nodes.score))
            rows = rows if len(rows) else judged[np.argsort(-nodes.score[judged], kind="stable")][:1]
            return Answer(nodes.batch.take(rows), np.zeros(len(rows)), nodes.score[rows], None)
        best = Answer.argmax(nodes.batch.take(rows), nodes.score[rows])
        best = replace(best, log_evidence=self.log_evidence(state))
        if self.choose == "best":
            return best
        weights = law(nodes, self.strength)[rows]
        if self.choose == "sample":
            mass = np.cumsum(weights)
            return replace(
                best, weights=weights, chosen=int(np.searchsorted(mass, state.point * mass[-1], side="right"))
            )
        end = best_path(nodes)
        return replace(best, weights=(rows == end).astype(np.float64), chosen=int(np.flatnonzero(rows == end)[0]))

    def log_evidence(self, state: Grown) -> float | None:
        """strength * value of the root, nats, with the backup "log-mean-exp": unbiased in exp under "uniform" selection, else too low."""
        value = float(state.nodes.value[ROOT])
        return self.strength * value if isinstance(self.backup, LogMeanExp) and not np.isnan(value) else None

    def value_of(self, values: FloatArray, visits: IntArray) -> float:
        """A node's value from those of its children, [m]; how often these were visited makes no difference."""
        return self.backup.value(values, self.strength)

    # -- one step ---------------------------------------------------------------------------------------------------

    async def _select(self, tree: Growth, run: Run, key: Key) -> None:
        """Fill the free places by selections, one after the other; those that end at an old leaf cost nothing and take no place."""
        rng, looked = key.child("select").rng(), 0
        while len(tree.under_way) < self.batch and tree.begun < self.n and looked < SELECTIONS_A_STEP:
            at = self._descend(tree, rng)
            tree.visit(at)
            looked += 1
            if not tree.done[at]:
                tree.send(at)
        if tree.begun >= self.n and not tree.under_way and looked == 0:
            # Only where prefixes are worth their scores: nothing has finished, so the best one is taken to its end.
            at = tree.best()
            tree.visit(at)
            tree.send(at)
        if self.levels is not None and 0 in self.levels:
            fresh = [i for i, at in enumerate(tree.under_way) if at == ROOT]
            if fresh:
                begun = tree.add(await run.start(len(fresh), key), [ROOT] * len(fresh), [0] * len(fresh))
                for i, row in zip(fresh, begun, strict=True):
                    tree.under_way[i] = row

    def _descend(self, tree: Growth, rng: np.random.Generator) -> int:
        """The row that a selection comes to: an old leaf, or a node of which one more child is to be drawn."""
        at = ROOT
        while not tree.done[at]:
            visits = int(tree.visits[at])
            if tree.width(at) < self.widening * max(visits, 1) ** self.exponent:
                return at
            below = tree.reachable(at)
            if not below:
                return at
            children = Children(tree.value[below], tree.visits[below], visits)
            at = below[self.selection.choose(children, self.strength, rng)]
        return at

    async def _advance(self, tree: Growth, run: Run, key: Key) -> list[int]:
        """Move all that are under way on by one node, and back up those that have come to their end; the rows of the others."""
        tips = tree.under_way
        if not tips:
            return []
        waive(run, tree.nodes.batch.take(tips))
        sizes = [self._steps_from(int(tree.nodes.level[at]), tree.begun > self.n) for at in tips]
        moved = await _move(run, await members_at(tree.nodes.batch, np.array(tips), run, key), sizes, key)
        went = np.flatnonzero(moved.moved).tolist()
        levels = [int(tree.nodes.level[tips[i]]) + (sizes[i] or 0) for i in went]
        new = dict(zip(went, tree.add(moved.batch.take(went), [tips[i] for i in went], levels), strict=True))
        ended = [i for i in went if self.evaluate == "score" or moved.batch.done[i]]
        # Nobody judges those that go on; they are looked at so that the record shows the whole tree.
        await run.view(moved.batch.take([i for i in went if i not in ended]))
        scores = dict(zip(ended, await run.score(moved.batch.take(ended)), strict=True))
        kept = []
        for i, tip in enumerate(tips):
            if moved.batch.failed[i]:
                tree.back_up(tip, np.nan, self.value_of)
            elif i in scores:
                tree.back_up(new[i], float(scores[i]), self.value_of)
            else:
                kept.append(new.get(i, tip))
        return kept

    def _steps_from(self, level: int, finishing: bool) -> int | None:
        """Steps of the process to the next node; None: to the end."""
        if finishing:
            return None
        if self.levels is None:
            return self.every
        return next((mark - level for mark in self.levels if mark > level), None)

    def _tell(self, state: Grown, rows: list[int], run: Run) -> None:
        nodes = state.nodes
        ids, visits = nodes.batch.id[rows].tolist(), nodes.visits[rows].tolist()
        values = tuple(v if np.isfinite(v) else None for v in nodes.value[rows].tolist())
        run.emit(Visited(nodes=tuple(ids), visits=tuple(visits), values=values))
        if self.done(state):
            ends = nodes.batch.take(np.flatnonzero(nodes.batch.finished)[:ALIKE])
            process = ends.process
            if (
                len(ends) == ALIKE
                and len({process.dump(process.take(ends.states, np.array([i]))) for i in range(ALIKE)}) == 1
            ):
                run.warn(
                    "All answers are the same, to the last bit: the process draws no noise. Raise the temperature, or use a solver whose "
                    "steps are random."
                )


async def _move(run: Run, members: Batch, sizes: list[int | None], key: Key) -> Moved:
    """Move each member on by its own number of steps: one call for each number, since they may stand at different levels.

    What fits under the budget for some is kept. Raises `BudgetExhausted` when nothing fits for any.
    """
    groups = {size: [i for i, other in enumerate(sizes) if other == size] for size in dict.fromkeys(sizes)}
    if len(groups) == 1:
        return await run.advance(members, key, steps=sizes[0])
    parts: list[Moved] = []
    order: list[int] = []
    refused: BudgetExhausted | None = None
    for index, (size, at) in enumerate(groups.items()):
        batch = members.take(at)
        try:
            part = await run.advance(batch, key.child("group", index), steps=size)
            parts.append(part)
        except BudgetExhausted as error:
            refused = error
            nothing = np.zeros(len(at), bool)
            parts.append(Moved(batch, np.zeros(len(at)), nothing, ~nothing))
        order += at
    if refused is not None and not any((part.moved | part.batch.failed).any() for part in parts):
        raise refused
    back = np.argsort(order)
    columns = [
        np.concatenate([getattr(part, name) for part in parts])[back] for name in ("log_ratio", "moved", "short")
    ]
    return Moved(Batch.concat([part.batch for part in parts]).take(back), *columns)
