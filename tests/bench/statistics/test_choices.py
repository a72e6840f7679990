"""What stored pools say about choosing."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.bench.statistics import choices_of, warnings_of
from outthink.bench.statistics.constant import Constant
from outthink.replay import QuestionSamples, SampleTable, gathered


def pools(scores_know: float, agree: float = 0.5, questions: int = 200, n: int = 8) -> SampleTable:
    """Samples that are right with chance `agree`; scores that say so with weight `scores_know`, else chance."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(questions):
        right = rng.random(n) < agree
        answers = np.where(right, 0, 1 + np.arange(n))
        scores = scores_know * right + (1 - scores_know) * rng.random(n)
        rows.append(QuestionSamples(f"q{i}", answers, right, np.full(n, 10.0), {"head": scores}))
    return gathered(rows)


def test_the_gap_is_what_the_best_possible_choice_would_solve_besides() -> None:
    table = pools(0.0, agree=0.2)
    found = choices_of(table, "head", 8)
    oracle = float(table.right.any(axis=1).mean())
    assert found.lines["oracle"].accuracy == pytest.approx(oracle)
    for name in ("vote", "best-of-n", "weighted"):
        assert found.gap[name].gap == pytest.approx(oracle - found.lines[name].accuracy)
        assert found.gap[name].gap in found.gap[name].interval
    blind = choices_of(pools(1.0, agree=0.2), "head", 8)
    assert blind.gap["best-of-n"].gap == 0.0


def test_scores_that_know_and_scores_that_do_not() -> None:
    knows, guesses = choices_of(pools(0.6), "head", 8), choices_of(pools(0.0), "head", 8)
    assert knows.told_apart[0] > 0.95
    assert knows.told_apart[1] > 0.95
    assert guesses.told_apart[1] == pytest.approx(0.5, abs=0.05)
    warned = warnings_of([], [], [], Constant(None, 0.0), [knows, guesses])
    assert [line for line in warned if "hardly tells right from wrong" in line] == [
        f"Within a question head hardly tells right from wrong (AUC {guesses.told_apart[1]:.2f}; 0.5 is chance)."
    ]


def test_agreement_is_the_share_of_the_winner_and_silence_is_counted() -> None:
    rows = [
        QuestionSamples("a", [0, 0, 1, -1], [True, True, False, False]),
        QuestionSamples("b", [-1, 0, 1, 1], [False, True, False, False]),
    ]
    found = choices_of(gathered(rows), "", 4)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.silent == pytest.approx(2 / 8)
    assert found.votes is not None
    assert found.votes.bins[0].right == 0.5
    assert found.scores is None


def test_saturated_scores_are_noticed() -> None:
    rows = [QuestionSamples(f"q{i}", [0, 1], [True, False], scores={"head": [1.0, 1.0]}) for i in range(5)]
    found = choices_of(gathered(rows), "head", 2)
    assert found.ties == 1.0
    assert any("choosing the first sample" in line for line in warnings_of([], [], [], Constant(None, 0.0), [found]))
