"""Samples that configurations share: what one measurement has drawn, every method that only chooses among whole samples reads for nothing.

Best-of-n, votes and adaptive sampling over the same engine, process and answers differ in how many samples they look at and in how they
choose. So a sample is drawn once, under a randomness that depends on its question and place alone, kept on disk, and judged once by each
verifier that asks. A verifier that looks at more than texts can only judge a sample while it is being drawn, and does so then; so does
one that costs no tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from outthink.bench.contest import Question
from outthink.bench.grid.drawing import PoolPlan, draw_pool, judge
from outthink.bench.journal import Journal
from outthink.bench.pools import Pool, Sample
from outthink.core.errors import BudgetExhausted
from outthink.core.session import Session
from outthink.core.task import Candidate
from outthink.core.verifier import Verifier

SEED = 0
"""Of all pools: a question has the same samples under every configuration of its pool."""


@dataclass
class SharedSamples:
    """Pools by name and question. `journal`: where they are kept; the last row of a pool counts."""

    journal: Journal[Pool]
    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pool in self.journal.rows:
            self._pools[pool.name, pool.question] = pool

    def pool(self, name: str, question: str, n: int, label: str | None) -> Pool | None:
        """The pool, if it has `n` samples, each judged under `label`."""
        found = self._pools.get((name, question))
        if found is None or len(found.samples) < n:
            return None
        return None if label is not None and found.lacks(label) else found

    def drawn(self, name: str, question: str) -> int:
        """How many samples there are."""
        found = self._pools.get((name, question))
        return 0 if found is None else len(found.samples)

    def sample_price(self, name: str) -> float | None:
        """Mean tokens of a sample of the pools of this name, or of all where it has none yet; None before there is any."""
        for wanted in (name, None):
            found = [pool for (of, _), pool in self._pools.items() if wanted in (of, None)]
            costs = [sample.cost.tokens for pool in found for sample in pool.samples]
            if costs:
                return float(np.mean(costs))
        return None

    async def upto(
        self, plan: PoolPlan, question: Question, session: Session, label: str | None, verifiers: Mapping[str, Verifier]
    ) -> Pool | None:
        """The pool with the plan's samples or more, judged under `label`, paid for by the session; None where a limit or cut ended it.

        plan: its verifiers judge new samples while they are drawn. verifiers: all, by label; they judge texts when first asked for.
        """
        pool = self._pools.get((plan.name, question.task.id))
        pool = pool or Pool(question=question.task.id, seed=SEED, samples=(), name=plan.name)
        while len(pool.samples) < plan.n:
            drawn = await draw_pool(plan, question, SEED, session, had=pool.samples)
            if len(drawn.first) == len(pool.samples):
                return None
            # What calls may cost at most is promised before they are made: where all do not fit at once, one after the other may.
            pool = self._keep(msgspec.structs.replace(pool, samples=drawn.first))
        if label is not None and pool.lacks(label):
            judged = await _judged(pool, label, verifiers[label], question, session)
            return None if judged is None else self._keep(judged)
        return pool

    def _keep(self, pool: Pool) -> Pool:
        self.journal.add(pool)
        self._pools[pool.name, pool.question] = pool
        return pool


async def _judged(pool: Pool, label: str, verifier: Verifier, question: Question, session: Session) -> Pool | None:
    samples: list[Sample] = []
    for sample in pool.samples:
        if sample.failure or label in sample.judged:
            samples.append(sample)
            continue
        candidate = Candidate(content=sample.content, answer=sample.answer)
        try:
            said = await judge(verifier, candidate, question, session)
        except BudgetExhausted:
            return None
        samples.append(msgspec.structs.replace(sample, judged={**sample.judged, label: said}))
    return msgspec.structs.replace(pool, samples=tuple(samples))
