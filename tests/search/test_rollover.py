"""The book-keeping of rollover budget forcing: spec 20, checks 4 and 6, with scripted scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outthink.core import Algorithm, Incompatible, Key, Result, Run, ScoreSpec
from outthink.core.verifier import ScoreKind
from outthink.search import BestOfN, Rollover
from outthink.search.rollover import Lines
from outthink.testing import FunctionOfContent, GaussianChain
from tests.laws.law import solve_seeds

LENGTH = 6


def watched(algorithm: Rollover, score: Callable[[Any], float], seed: int = 1) -> tuple[list[Lines], Result]:
    """The lines after each step, and the result."""
    seen: list[Lines] = []

    class Watched(Rollover):
        async def step(self, state: Lines, run: Run, key: Key) -> Lines:
            seen.append(await super().step(state, run, key))
            return seen[-1]

    settings = {name: getattr(algorithm, name) for name in algorithm.__struct_fields__}
    (result,) = solve_seeds(Watched(**settings), lambda: GaussianChain(length=LENGTH), FunctionOfContent(score), [seed])
    return seen, result


def rising() -> Callable[[Any], float]:
    """Every score is higher than all before."""
    count = itertools.count()
    return lambda x: float(next(count))


def test_records_are_taken_at_once_and_the_rest_rolls_over() -> None:
    """Spec 20, check 4: a strictly increasing stream accepts every proposal, and quotas grow by Q - 1 a level."""
    seen, result = watched(Rollover(n=1, first=3, quota=5, proposals=12), rising())
    assert [int(s.levels[0]) for s in seen] == [0, 0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5]
    assert [int(s.quota[0]) for s in seen][2:7] == [5, 9, 13, 17, 21]
    # At the last level there is nothing to go on to, and every further proposal is an answer.
    assert len(result.candidates) == 5
    assert result.chosen == 4
    assert result.cost.denoiser_evals == 12


def test_without_records_every_step_spends_its_quota() -> None:
    """Spec 20, check 4: a constant stream spends exactly Q at each level, and all the rest on the last."""
    seen, result = watched(Rollover(n=1, first=3, quota=4, proposals=30), lambda x: 1.0)
    levels = np.array([int(s.levels[0]) for s in seen])
    assert [int((levels == level).sum()) for level in range(LENGTH)] == [2, 4, 4, 4, 4, 12]
    assert all(int(s.quota[0]) == 4 for s in seen[2:])
    assert len(result.candidates) == 30 - 3 - 4 * 4
    assert result.cost.denoiser_evals == 30


def test_a_spent_quota_takes_the_best_of_the_step_and_the_record_stays() -> None:
    script = iter([9.0, 1.0, 3.0, 2.0, 0.5, 0.7, 0.6, *[0.0] * 50])
    seen, _ = watched(Rollover(n=1, first=1, quota=3, proposals=8), lambda x: next(script))
    # Eight proposals, and then the way to the end.
    assert [float(s.record[0]) for s in seen] == [9.0] * 9
    assert [int(s.levels[0]) for s in seen] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    # What was taken is what scored 3, and then 0.7.
    assert seen[3].batch.id[0] == seen[2].held.id[0] != seen[1].held.id[0]
    assert seen[6].batch.id[0] == seen[5].held.id[0] != seen[4].held.id[0]


def test_one_proposal_a_step_is_plain_sampling() -> None:
    """Spec 20, check 4: K0 = 1 and Q = 1 take the one proposal."""
    seen, result = watched(Rollover(n=1, first=1, quota=1, proposals=LENGTH), lambda x: float(x[0]))
    assert [int(s.levels[0]) for s in seen] == [1, 2, 3, 4, 5, 5]
    assert len(result.candidates) == 1
    assert result.cost.denoiser_evals == LENGTH


def test_proposals_that_run_out_are_followed_by_the_end() -> None:
    _, result = watched(Rollover(n=2, first=2, quota=2, proposals=5), lambda x: 1.0)
    assert len(result.candidates) == 2
    assert all(c.final for c in result.candidates)


def test_lines_keep_to_themselves() -> None:
    seen, result = watched(Rollover(n=3, first=2, quota=2, proposals=20), lambda x: float(x[0]), seed=4)
    assert seen[-1].made.tolist() == [20, 20, 20]
    assert set(seen[-1].ended.chain.tolist()) == {0, 1, 2}
    assert result.cost.denoiser_evals == 60


def test_it_finds_more_than_as_many_whole_samples() -> None:
    """At equal evaluations, on a chain whose early steps matter."""
    budget = 120

    def best(algorithm: Algorithm[Any]) -> np.ndarray:
        results = solve_seeds(
            algorithm,
            lambda: GaussianChain(length=LENGTH, dimension=8, a=0.9),
            FunctionOfContent(lambda x: -float(np.linalg.norm(x - 0.7))),
            range(25),
        )
        assert max(r.cost.denoiser_evals for r in results) <= budget
        return np.array([r.scores[r.chosen or 0] for r in results])

    rolled, whole = best(Rollover(n=1, first=20, quota=20, proposals=budget)), best(BestOfN(n=budget // LENGTH))
    error = np.sqrt((rolled.var() + whole.var()) / 25)
    assert rolled.mean() > whole.mean() + 4 * error


def test_prefixes_must_be_rated() -> None:
    for spec in (
        ScoreSpec(kind=ScoreKind.OUTCOME, partial=False),
        ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, relative=True),
    ):
        with pytest.raises(Incompatible, match="unfinished members over time"):
            Rollover().check_verifier(spec)
