"""Comparisons: who is compared with whom, at which cost, and what is said about it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from outthink.bench import Outcome
from outthink.bench.statistics import (
    baselines_of,
    best_constant,
    compared,
    entries_of,
    is_plain,
    sees_answers,
    sign_flips,
    unfinished,
    warnings_of,
)
from outthink.bench.statistics.constant import Constant
from outthink.core.cost import Cost
from outthink.numerics.intervals import Interval
from outthink.numerics.resampled import rate_interval

QUESTIONS = [f"q{i}" for i in range(80)]


def outcomes(
    method: str, size: int, right: Callable[[int, int], bool], tokens: int, seeds: int = 2, questions: int = 80
) -> list[Outcome]:
    """A method's rows: `right(question, seed)`, `tokens` each, a quarter of them for judging where its name has a verifier."""
    judged = tokens // 4 if "/" in method else 0
    return [
        Outcome(
            method=method,
            size=size,
            seed=seed,
            question=QUESTIONS[i],
            right=right(i, seed),
            generated=Cost(output_tokens=tokens - judged, calls=size),
            judged=Cost(output_tokens=judged, verifier_calls=size if judged else 0),
        )
        for seed in range(seeds)
        for i in range(questions)
    ]


def test_baselines_are_the_plain_methods_under_the_same_verifier_and_settings() -> None:
    names = ["greedy", "vote", "vote hot", "best-of-n/head", "best-of-n/oracle", "beam/head", "beam/head hot"]
    found = baselines_of(names)
    assert found["beam/head"] == ["best-of-n/head", "greedy", "vote"]
    assert found["beam/head hot"] == ["best-of-n/head", "greedy", "vote", "vote hot"]
    assert found["vote"] == ["greedy"]
    assert [name for name in names if is_plain(name)] == names[:5]
    assert [name for name in names if sees_answers(name)] == ["best-of-n/oracle"]


def test_a_method_is_compared_at_its_own_cost_and_not_at_its_own_size() -> None:
    """Beam of 4 costs what a vote of 16 costs; at equal size it looks better by 30 points, at equal cost by none."""
    rows = [
        *outcomes("vote", 4, lambda i, s: i % 10 < 4, 100),
        *outcomes("vote", 16, lambda i, s: i % 10 < 7, 400),
        *outcomes("beam", 4, lambda i, s: i % 10 < 7, 400),
    ]
    entries = entries_of(rows, QUESTIONS)
    assert [entry.label for entry in entries] == ["beam 4", "vote 4", "vote 16"]
    (found,) = compared(entries, np.random.default_rng(0))
    assert (found.method, found.size, found.baseline) == ("beam", 4, "vote")
    assert found.matched.difference == pytest.approx(0.0)
    assert found.verdict == "within the noise"
    assert found.matched.baseline == pytest.approx(0.7)


def test_verdicts_and_tests_follow_the_differences() -> None:
    rng = np.random.default_rng(1)
    draws = rng.random((80, 2))
    rows = [
        *outcomes("vote", 4, lambda i, s: draws[i, s] < 0.4, 100),
        *outcomes("vote", 8, lambda i, s: draws[i, s] < 0.5, 200),
        *outcomes("beam", 4, lambda i, s: draws[i, s] < 0.9, 150),
        *outcomes("tree", 4, lambda i, s: draws[i, s] < 0.2, 150),
        *outcomes("tree", 9, lambda i, s: draws[i, s] < 0.5, 900),
    ]
    entries = entries_of(rows, QUESTIONS)
    found = {(c.method, c.size): c for c in compared(entries, np.random.default_rng(0))}
    assert found["beam", 4].verdict == "better"
    assert found["beam", 4].p < 0.01
    assert found["tree", 4].verdict == "worse"
    assert found["tree", 9].verdict == "within the noise, costs not matched"
    assert found["tree", 9].p > 0.5
    said = warnings_of(
        entries,
        [rate_interval(entry.right, np.random.default_rng(0)) for entry in entries],
        list(found.values()),
        Constant("7", 0.3),
    )
    assert any("'7' is right for 30.0%; not shown to be better: tree 4" in line for line in said)
    assert any("was not run at the method's cost" in line and "tree 9 against vote" in line for line in said)
    assert not any("within the noise" in line for line in said)


def test_a_lead_within_the_noise_is_named() -> None:
    rng = np.random.default_rng(4)
    draws = rng.random((80, 2))
    rows = [
        *outcomes("vote", 4, lambda i, s: draws[i, 0] < 0.50, 100, seeds=1),
        *outcomes("beam", 4, lambda i, s: draws[i, 1] < 0.55, 100, seeds=1),
    ]
    entries = entries_of(rows, QUESTIONS)
    comparisons = compared(entries, np.random.default_rng(0))
    intervals = [rate_interval(entry.right, np.random.default_rng(0)) for entry in entries]
    said = warnings_of(entries, intervals, comparisons, best_constant([]))
    assert said[0].startswith(
        "beam 4 has the highest accuracy, but at equal cost its lead is within the noise against vote ("
    )
    # And of single outcomes at equal cost the exact test is taken.
    (one,) = comparisons
    wins = int(((draws[:, 1] < 0.55) & ~(draws[:, 0] < 0.5)).sum())
    losses = int((~(draws[:, 1] < 0.55) & (draws[:, 0] < 0.5)).sum())
    assert one.matched.difference == pytest.approx((wins - losses) / 80)
    assert one.p > 0.05


def test_sign_flips_reject_at_their_level_under_no_difference_and_find_one() -> None:
    rng = np.random.default_rng(2)
    rejected = [sign_flips(rng.normal(size=(30, 1)), rng, flips=400)[0] <= 0.05 for _ in range(600)]
    assert np.mean(rejected) < 0.05 + 4 * (0.05 * 0.95 / 600) ** 0.5
    together = sign_flips(rng.normal(size=(30, 600)), rng, flips=400)
    assert np.mean(together <= 0.05) < 0.05 + 4 * (0.05 * 0.95 / 600) ** 0.5
    found = sign_flips(rng.normal(0.8, 1.0, (30, 50)), rng, flips=400)
    assert np.mean(found <= 0.05) > 0.9


def test_sign_flips_equal_the_count_of_all_patterns() -> None:
    """Of 2^12 patterns of signs; and what never differs has p = 1."""
    rng = np.random.default_rng(5)
    differences = np.stack([rng.normal(0.4, 1.0, 12), np.zeros(12)], 1)
    signs = np.array(list(itertools.product((-1, 1), repeat=12)))
    exact = (np.abs(signs @ differences[:, 0]) >= abs(differences[:, 0].sum()) - 1e-9).mean()
    p = sign_flips(differences, rng)
    assert p[0] == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 20_000) ** 0.5)
    assert p[1] == 1.0


def test_a_clear_lead_remains_however_many_comparisons_were_made() -> None:
    """A p-value that cannot become small would let the correction for their number swallow everything."""
    entries = entries_of(
        [
            *outcomes("vote", 4, lambda i, s: i % 5 == 0, 100),
            *outcomes("vote", 8, lambda i, s: i % 5 == 0, 200),
            *(row for k in range(120) for row in outcomes(f"beam/{k}", 4, lambda i, s: i % 5 < 4, 150)),
        ],
        QUESTIONS,
    )
    comparisons = compared(entries, np.random.default_rng(0), resamples=20)
    assert len(comparisons) == 120
    said = warnings_of(entries, [Interval(0.0, 1.0, 0.95)] * len(entries), comparisons, Constant(None, 0.0))
    assert any("Corrected for their number (Bonferroni), 120 remain." in line for line in said)


def test_only_whole_seeds_count_and_what_is_left_out_is_said() -> None:
    rows = outcomes("vote", 4, lambda i, s: s == 0, 100, seeds=1) + [
        row for row in outcomes("vote", 4, lambda i, s: True, 100) if row.seed == 1 and row.question != "q0"
    ]
    rows += outcomes("beam", 4, lambda i, s: True, 100, questions=10)
    (entry,) = entries_of(rows, QUESTIONS)
    assert (entry.seeds, entry.accuracy, entry.left_out) == (1, 1.0, 79)
    assert unfinished(rows, QUESTIONS) == ["beam 4"]


def test_repeats_over_seeds_do_not_narrow_the_interval_of_a_question() -> None:
    """Fifty seeds that all say the same are no more evidence than one."""
    one = entries_of(outcomes("vote", 4, lambda i, s: i % 2 == 0, 10, seeds=1), QUESTIONS)[0]
    many = entries_of(outcomes("vote", 4, lambda i, s: i % 2 == 0, 10, seeds=50), QUESTIONS)[0]
    widths = [rate_interval(entry.right, np.random.default_rng(0)).width for entry in (one, many)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_the_best_constant_answer() -> None:
    assert best_constant(["3", " 4", "4 ", None]) == Constant("4", 0.5)
    assert best_constant(["3", "4"]).answer is None
    assert best_constant([None, None]) == Constant(None, 0.0)
