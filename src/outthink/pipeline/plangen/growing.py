"""The algorithms that PlanGEN chooses among, over single requests: best-of-N, tree of thought, and REBASE.

`outthink.search` has all three over texts that an engine continues; here steps are asked for in words, so they work on any chat model.

Source: spec 09, steps 3 to 5 (arXiv 2502.16111). The paper's tree follows one path; `beam` keeps more. REBASE's width falls by one with
each expansion. The completion check is asked of the best node after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.batch import Batch
from outthink.core.key import Key
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import numbered
from outthink.pipeline.plangen import wording
from outthink.pipeline.plangen.agents import Agents, Rated
from outthink.pipeline.plangen.sharing import shared
from outthink.pipeline.wording import fill

PLANNER = "You solve problems that have many conditions."


@dataclass(frozen=True)
class Grown:
    """What an algorithm came to: its best plan as a member, its text, and how it was rated; None where nothing came."""

    batch: Batch
    text: str
    rated: Rated


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

    async def best_of(self, n: int, key: Key) -> Grown | None:
        """n independent plans; the best rated, the earliest on ties."""
        said = fill(
            wording.PLAN,
            question=self.agents.question,
            constraints=numbered(self.constraints),
            plan=self.plan,
            feedback=self.feedback,
        )
        batch = await self.agents.desk.ask([self._ask(said)] * n, key.child("plans"), kind="plan")
        return await self._best(batch.take(batch.finished), key.child("judge"))

    async def along_tree(self, width: int, beam: int, depth: int, key: Key) -> Grown | None:
        """`width` next steps for each open path, of which the `beam` best rated go on, until one is complete."""
        paths, best = [""], ""
        for level in range(depth):
            children = await self._children(paths, [width] * len(paths), key.child("level", level))
            if not children:
                break
            order = sorted(range(len(children)), key=lambda i: (-children[i][1].score, i))[:beam]
            paths = [children[i][0] for i in order]
            best = paths[0]
            if await self.agents.complete(best, key.child("complete", level)):
                break
        return await self._ended(best, key)

    async def rebase(self, width: int, temperature: float, depth: int, key: Key) -> Grown | None:
        """The width, less one for each expansion, shared among the open nodes by their scores, until the best is complete."""
        paths, scores, best = [""], np.ones(1), ""
        for level in range(depth):
            left = width - level
            if left < 1:
                break
            counts = shared(scores, left, temperature)
            children = await self._children(paths, counts.tolist(), key.child("level", level))
            if not children:
                break
            paths = [path for path, _ in children]
            scores = np.array([(rated.score + 100) / 200 for _, rated in children])
            best = paths[int(np.argmax(scores))]
            if await self.agents.complete(best, key.child("complete", level)):
                break
        return await self._ended(best, key)

    def _ask(self, said: str) -> Ask:
        messages = (("system", PLANNER), *self.agents.desk.earlier(), ("user", said))
        return Ask(messages, engine=self.agents.place, temperature=self.temperature, max_tokens=self.tokens)

    async def _children(self, paths: Sequence[str], counts: Sequence[int], key: Key) -> list[tuple[str, Rated]]:
        """The paths with one more step each, and how they are rated as far as they go."""
        before = (
            f"\nAn earlier attempt:\n{self.plan}\n\nWhat was said about it:\n{self.feedback}\n" if self.plan else ""
        )
        blank = {"question": self.agents.question, "constraints": numbered(self.constraints), "before": before}
        parents = [path for path, count in zip(paths, counts, strict=True) for _ in range(count)]
        asks = [self._ask(fill(wording.STEP, **blank, path=path or "Nothing yet.")) for path in parents]
        steps = await self.agents.desk.replies(asks, key.child("steps"), kind="propose", role="generate")
        longer = [
            f"{path}\n{step}" if path else step for path, step in zip(parents, steps, strict=True) if step is not None
        ]
        rated = await self.agents.rate(longer, self.constraints, key.child("rate"), partial=True)
        return list(zip(longer, rated, strict=True))

    async def _ended(self, text: str, key: Key) -> Grown | None:
        if not text:
            return None
        return await self._best(await self.agents.desk.written([text], key.child("written")), key.child("judge"))

    async def _best(self, batch: Batch, key: Key) -> Grown | None:
        if not len(batch):
            return None
        texts = [self.agents.desk.process.shown(state) for state in batch.states]
        rated = await self.agents.judge(batch, texts, self.constraints, key)
        best = max(range(len(rated)), key=lambda i: (rated[i].score, -i))
        return Grown(batch.take([best]), texts[best], rated[best])
