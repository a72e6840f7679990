"""The algorithms that PlanGEN chooses among, over single requests: best-of-N, tree of thought, and REBASE.

`outthink.search` has all three over texts that an engine continues; here steps are asked for in words, so they work on any chat model.

What an algorithm has come to is a value (`Growth`), and each group of requests makes the next one of it. So a budget that ends in the
middle leaves what was paid for: whole plans that are not rated yet, and the nodes of a tree, for whoever takes the run up again.

Source: spec 09, steps 3 to 5 (arXiv 2502.16111). The paper's tree follows one path; `beam` keeps more. REBASE's width falls by one with
each expansion. The completion check is asked of the best node after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.cost import ZERO
from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import numbered
from outthink.pipeline.plangen import wording
from outthink.pipeline.plangen.agents import Agents
from outthink.pipeline.plangen.sharing import shared
from outthink.pipeline.wording import fill

PLANNER = "You solve problems that have many conditions."


@dataclass(frozen=True)
class Growth(Saved):
    """How far an algorithm has come.

    Attributes:
        arm: which algorithm, by its place among those that the bandit chooses from. why: its values, in words.
        level: of the tree. paths, scores: its open nodes, and their ratings scaled to [0, 1].
        steps: the nodes after them, with their ratings from -100 to 100; None while they have none.
        best: the best path of the last level; "" before there is one.
        drawn: whether all whole plans are there; those that nobody has rated yet stand with the candidates.
        score: the best rating of a whole plan; -100 before there is one. better: whether one was better than all before it.
    """

    arm: int
    why: str = ""
    level: int = 0
    paths: tuple[str, ...] = ("",)
    scores: tuple[float, ...] = (1.0,)
    steps: tuple[tuple[str, float | None], ...] = ()
    best: str = ""
    drawn: bool = False
    score: float = -100.0
    better: bool = False


@dataclass(frozen=True)
class Tree:
    """How a tree grows.

    Attributes:
        width: next steps: for each open path, or, where `temperature` shares them, of all paths together, one less at each level.
        beam: paths that go on; 0 for all. depth: steps at most. temperature: of REBASE's sharing; None shares nothing.
    """

    width: int
    depth: int
    beam: int = 0
    temperature: float | None = None

    def counts(self, growth: Growth) -> list[int]:
        """Next steps of each open node; empty where the tree is over."""
        if growth.level >= self.depth:
            return []
        if self.temperature is None:
            return [self.width] * len(growth.paths)
        left = self.width - growth.level
        return shared(np.array(growth.scores), left, self.temperature).tolist() if left > 0 else []


@dataclass
class Growing:
    """What the algorithms work with.

    Attributes:
        constraints: of the problem. plan, feedback: the best so far and what was said of it; "" at the beginning.
        temperature: of plans and steps. tokens: of one plan or step.
    """

    agents: Agents
    constraints: Sequence[str]
    plan: str
    feedback: str
    temperature: float
    tokens: int

    async def best_of(self, n: int, key: Key) -> Batch:
        """n independent plans without those that were lost; room is left for rating one. Raises `BudgetExhausted` where it leaves none."""
        said = fill(
            wording.PLAN,
            question=self.agents.question,
            constraints=numbered(self.constraints),
            plan=self.plan,
            feedback=self.feedback,
        )
        ask, desk, by_verifier = self._ask(said), self.agents.desk, self.agents.by_verifier
        kept = ZERO if by_verifier else self.agents.rating(self.constraints, self.tokens, ask)
        with desk.keeping(kept):
            batch = await desk.ask([ask] * n, key, kind="plan", judged=by_verifier)
        if batch.alive.any() and not batch.finished.any():
            raise BudgetExhausted(desk.run.limit)
        return batch.take(batch.finished)

    async def grown(self, growth: Growth, tree: Tree, key: Key) -> Growth:
        """The tree after its next group of requests: steps, their ratings, or whether the best path is whole. `drawn` when it is over."""
        if any(score is None for _, score in growth.steps):
            return await self._rated(growth, key.child("rate"))
        if growth.steps:
            return await self._chosen(growth, tree, key.child("complete"))
        counts = tree.counts(growth)
        steps = await self._proposed(growth, counts, key.child("steps")) if counts else ()
        return replace(growth, steps=tuple((step, None) for step in steps), drawn=not steps)

    def _ask(self, said: str) -> Ask:
        messages = (("system", PLANNER), *self.agents.desk.earlier(), ("user", said))
        return Ask(messages, engine=self.agents.place, temperature=self.temperature, max_tokens=self.tokens)

    async def _proposed(self, growth: Growth, counts: Sequence[int], key: Key) -> list[str]:
        """The paths with one more step each, as many as there is room for; room is left for rating one."""
        before = (
            f"\nAn earlier attempt:\n{self.plan}\n\nWhat was said about it:\n{self.feedback}\n" if self.plan else ""
        )
        blank = {"question": self.agents.question, "constraints": numbered(self.constraints), "before": before}
        parents = [path for path, count in zip(growth.paths, counts, strict=True) for _ in range(count)]
        asks = [self._ask(fill(wording.STEP, **blank, path=path or "Nothing yet.")) for path in parents]
        desk, longest = self.agents.desk, max(growth.paths, key=len)
        with desk.keeping(self.agents.rating(self.constraints, self.tokens, asks[0], longest)):
            steps = await desk.replies(asks, key, kind="propose", role="generate")
        return [
            f"{path}\n{step}" if path else step
            for path, step in zip(parents, steps.found, strict=True)
            if step is not None
        ]

    async def _rated(self, growth: Growth, key: Key) -> Growth:
        """The same with ratings of the steps that have none, as far as there is room."""
        waiting = [i for i, (_, score) in enumerate(growth.steps) if score is None]
        texts = [growth.steps[i][0] for i in waiting]
        rated = await self.agents.rate(texts, self.constraints, key, partial=True)
        steps = list(growth.steps)
        for i, one in zip(waiting, rated, strict=True):
            steps[i] = (steps[i][0], None if one is None else one.score)
        return replace(growth, steps=tuple(steps))

    async def _chosen(self, growth: Growth, tree: Tree, key: Key) -> Growth:
        """The next level of the tree, after asking whether its best path is whole."""
        rated = [(path, -101.0 if score is None else score) for path, score in growth.steps]
        order = sorted(range(len(rated)), key=lambda i: (-rated[i][1], i))
        kept = order[: tree.beam] if tree.beam else sorted(order)
        best = rated[order[0]][0]
        whole = await self.agents.complete(best, key)
        return replace(
            growth,
            level=growth.level + 1,
            paths=tuple(rated[i][0] for i in kept),
            scores=tuple((rated[i][1] + 100) / 200 for i in kept),
            steps=(),
            best=best,
            drawn=whole,
        )
