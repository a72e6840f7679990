"""What every verifier and every equivalence must keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Cost, Equivalence, Task, Verifier
from outthink.core.cost import COUNTED


class _Given:
    """What both suites are given."""

    @pytest.fixture
    def candidates(self) -> Any:
        """Finished candidates that can be rated, or have answers."""
        raise NotImplementedError("Provide the fixture `candidates`.")

    @pytest.fixture
    def task(self) -> Task:
        """The task whose answers the candidates are."""
        return Task(prompt="a question")


@pytest.mark.asyncio
class VerifierContract(_Given):
    """Provide the fixtures `verifier`, `candidates` (at least three, finished) and, where it matters, `task`."""

    tolerance = 0.0
    """How far a score may move with its batch mates."""

    @pytest.fixture
    def verifier(self) -> Any:
        """The verifier under test."""
        raise NotImplementedError("Provide the fixture `verifier`.")

    def counters(self, verifier: Verifier) -> Cost | None:
        """What it has counted since it was made; None where it cannot tell."""
        return getattr(verifier, "counters", None)

    async def test_one_score_each_within_the_range(
        self, verifier: Verifier, candidates: Sequence[Candidate], task: Task
    ) -> None:
        scores = await verifier.score(candidates, task)
        values = np.asarray(scores.values)
        assert values.shape == (len(candidates),)
        known = values[~np.isnan(values)]
        assert ((known >= verifier.spec.low) & (known <= verifier.spec.high)).all()
        assert len(scores.notes) in (0, len(candidates))
        assert set(scores.failures) <= set(range(len(candidates)))
        assert all(np.isnan(values[row]) for row in scores.failures), "a failure is not a score"

    async def test_a_score_belongs_to_its_candidate(
        self, verifier: Verifier, candidates: Sequence[Candidate], task: Task
    ) -> None:
        whole = np.asarray((await verifier.score(candidates, task)).values)
        order = [2, 0]
        part = np.asarray((await verifier.score([candidates[i] for i in order], task)).values)
        assert np.allclose(part, whole[order], rtol=0, atol=self.tolerance, equal_nan=True)

    async def test_nothing_to_judge_is_free(self, verifier: Verifier, task: Task) -> None:
        scores = await verifier.score([], task)
        assert len(scores.values) == 0
        assert scores.cost == Cost()

    async def test_the_bill_is_true_and_within_the_promise(
        self, verifier: Verifier, candidates: Sequence[Candidate], task: Task
    ) -> None:
        before = self.counters(verifier)
        scores = await verifier.score(candidates, task)
        after = self.counters(verifier)
        if before is not None and after is not None:
            assert after - before == scores.cost
        most = verifier.most(task).times(len(candidates))
        for column in (*COUNTED[:1], *COUNTED[2:], "tokens"):
            assert scores.cost.column(column) <= most.column(column), column

    async def test_closing_twice_is_safe(self, verifier: Verifier) -> None:
        await verifier.close()
        await verifier.close()


@pytest.mark.asyncio
class EquivalenceContract(_Given):
    """Provide the fixtures `equivalence` and `candidates` (at least three answers, one of them None)."""

    @pytest.fixture
    def equivalence(self) -> Any:
        """The equivalence under test."""
        raise NotImplementedError("Provide the fixture `equivalence`.")

    async def test_one_hashable_key_each(
        self, equivalence: Equivalence, candidates: Sequence[Candidate], task: Task
    ) -> None:
        keys = await equivalence.keys(candidates, task)
        assert len(keys) == len(candidates)
        assert len(set(keys)) <= len(keys)

    async def test_no_answer_abstains(
        self, equivalence: Equivalence, candidates: Sequence[Candidate], task: Task
    ) -> None:
        keys = await equivalence.keys(candidates, task)
        abstaining = [key for key, candidate in zip(keys, candidates, strict=True) if candidate.answer is None]
        assert abstaining, "give a candidate without an answer"
        assert all(key is None for key in abstaining)

    async def test_the_same_answer_has_the_same_key(
        self, equivalence: Equivalence, candidates: Sequence[Candidate], task: Task
    ) -> None:
        keys = await equivalence.keys([*candidates, *candidates], task)
        assert keys[: len(candidates)] == keys[len(candidates) :]

    async def test_classes_do_not_depend_on_the_order(
        self, equivalence: Equivalence, candidates: Sequence[Candidate], task: Task
    ) -> None:
        keys = await equivalence.keys(candidates, task)
        turned = list(reversed(await equivalence.keys(list(reversed(candidates)), task)))
        for i in range(len(keys)):
            for j in range(i):
                assert (keys[i] == keys[j]) == (turned[i] == turned[j])
