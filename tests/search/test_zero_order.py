"""Zero-order search: the pivot moves only to what is strictly better, is never paid for twice, and the climb is what its rounds say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outthink.core import Incompatible, Result, ScoreSpec, Search, Session, SettingsError, Task
from outthink.core.events import Warned
from outthink.core.verifier import ScoreKind
from outthink.search import BestOfN, ZeroOrder
from outthink.testing import FunctionOfContent, GaussianChain, TokenChain
from tests.laws.law import solve_seeds


def height(x: Any) -> float:
    return float(x[0])


def climb(algorithm: ZeroOrder, seed: int = 1, function: Any = height) -> Result:
    (result,) = solve_seeds(
        algorithm, lambda: GaussianChain(length=3, dimension=2), FunctionOfContent(function), [seed]
    )
    return result


def test_it_draws_one_and_then_n_a_round() -> None:
    result = climb(ZeroOrder(n=3, rounds=5))
    assert len(result.candidates) == 1 + 3 * 5
    assert result.cost.verifier_calls == 1 + 3 * 5
    # Three steps each, and one for every neighbour of a start.
    assert result.cost.denoiser_evals == 3 * 16 + 15
    assert result.chosen == int(np.argmax(result.scores))


async def test_no_strength_at_all_stays_where_it_is() -> None:
    """Neighbours of strength 0 are the finished pivot itself, and equal scores never move it."""
    session = Session.open(seed=1)
    search = Search(
        lambda task: GaussianChain(length=3, dimension=2),
        ZeroOrder(n=3, rounds=2, around="end", strength=0.0),
        FunctionOfContent(height),
    )
    result = await search.solve(Task(), session)
    assert len(result.scores) == 7
    assert len(set(result.scores)) == 1
    assert result.chosen == 0
    warnings = [event.message for event in session.trace.events if isinstance(event, Warned)]
    assert any("gave no direction" in said for said in warnings)
    session.close()


def test_full_strength_around_starts_is_best_of_n_in_law() -> None:
    n = 12
    one = [max(climb(ZeroOrder(n=n - 1, rounds=1, strength=1.0), seed).scores) for seed in range(60)]
    other = solve_seeds(
        BestOfN(n=n), lambda: GaussianChain(length=3, dimension=2), FunctionOfContent(height), range(60)
    )
    best = [max(r.scores) for r in other]
    error = np.sqrt((np.var(one) + np.var(best)) / 60)
    assert abs(np.mean(one) - np.mean(best)) < 4 * error


def test_neighbours_are_of_the_best_and_not_of_the_last() -> None:
    """Around finished points: every neighbour lies near the best point of the rounds before it."""
    result = climb(ZeroOrder(n=4, rounds=6, around="end", strength=0.1))
    points = np.array([c.content for c in result.candidates])
    scores = np.array(result.scores)
    pivot = 0
    for wave in range(6):
        rows = 1 + 4 * wave + np.arange(4)
        away = points[rows] - np.sqrt(1 - 0.1**2) * points[pivot]
        assert np.abs(away).max() < 0.1 * 4.5
        best = rows[int(np.argmax(scores[rows]))]
        pivot = best if scores[best] > scores[pivot] else pivot
    assert result.chosen == pivot


def test_no_opinion_is_beaten_by_any_and_beats_none() -> None:
    def picky(x: Any) -> float:
        return float("nan") if x[0] < 0.0 else float(x[0])

    for seed in range(6):
        result = climb(ZeroOrder(n=3, rounds=4), seed, picky)
        known = [score for score in result.scores if score is not None]
        assert known
        assert result.scores[result.chosen or 0] == max(known)


def test_a_round_in_vain_draws_a_fresh_pivot_if_told_so() -> None:
    """With a score that nothing beats, every second wave is one fresh member; the best of all is kept."""
    result = climb(ZeroOrder(n=3, rounds=4, on_failure="restart"), function=lambda x: 1.0)
    assert len(result.candidates) == 1 + 3 + 1 + 3 + 1
    assert result.chosen == 0
    kept = climb(ZeroOrder(n=3, rounds=4), function=lambda x: 1.0)
    assert len(kept.candidates) == 1 + 3 * 4
    assert len({tuple(c.content) for c in result.candidates}) == 9


def test_it_searches_texts_around_their_end() -> None:
    verifier = FunctionOfContent(lambda text: text.count("b") / 4, low=0, high=1)
    (result,) = solve_seeds(
        ZeroOrder(n=4, rounds=8, around="end", strength=1.0), lambda: TokenChain("ab", length=4), verifier, [3]
    )
    first, best = result.candidates[0].content, result.candidates[result.chosen or 0].content
    # Only last symbols are drawn again.
    assert {c.content[:3] for c in result.candidates} == {first[:3]}
    assert best[-1] == "b"


def test_scores_must_keep_their_meaning() -> None:
    spec = ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, relative=True)
    with pytest.raises(Incompatible, match="different rounds"):
        ZeroOrder().check_verifier(spec)
    with pytest.raises(SettingsError, match="strength"):
        ZeroOrder(strength=1.5)
