"""Laws of choosing among whole samples: order statistics, majorities, and the limits in which methods must agree."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Algorithm, Answer, LogMap, Result
from outthink.numerics import majority_accuracy
from outthink.search import Beam, BestOfN, ParticleFilter, Vote
from outthink.search.drawn import Drawn
from outthink.testing import FunctionOfContent, GaussianChain, TokenChain
from tests.laws.law import Average, runs, solve_seeds

pytestmark = pytest.mark.laws


def uniform_score(x: Any) -> float:
    """The normal's own distribution function: a score that is uniform on (0, 1)."""
    return 0.5 * (1.0 + math.erf(float(x[0]) / math.sqrt(2.0)))


JUDGE = functools.partial(FunctionOfContent, uniform_score, partial=True, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)
POINTS = functools.partial(GaussianChain, length=1)
COIN = functools.partial(TokenChain, "rw", length=1)


def chosen_scores(results: list[Result]) -> list[float]:
    return [r.scores[r.chosen] or 0.0 for r in results if r.chosen is not None]


class HalfOfThem(BestOfN):
    """Wrong: pays for n samples and looks at the first half."""

    def answer(self, state: Drawn) -> Answer:
        return super().answer(state.take(np.arange(len(state) // 2)))


@pytest.mark.parametrize("n", [2, 8])
def test_best_of_n_is_its_order_statistic(n: int) -> None:
    """Spec 05, check 1: the best of n uniform scores has mean n / (n + 1)."""
    seeds = range(runs(1500, 20_000))
    average = Average.of(chosen_scores(solve_seeds(BestOfN(n=n), POINTS, JUDGE(), seeds)))
    assert average.sharp(0.02, n / (n + 1))
    assert average.agrees(n / (n + 1))
    wrong = Average.of(chosen_scores(solve_seeds(HalfOfThem(n=n), POINTS, JUDGE(), seeds)))
    assert not wrong.agrees(n / (n + 1))


@pytest.mark.parametrize("p", [0.6, 0.4])
@pytest.mark.parametrize("n", [5, 15])
def test_majority_is_right_as_often_as_the_binomial_says(n: int, p: float) -> None:
    """Spec 05, check 2: voting helps above a half and hurts below."""
    seeds = range(runs(1500, 20_000))
    process = functools.partial(COIN, initial=[p, 1 - p], transition=[[p, 1 - p], [p, 1 - p]])
    results = solve_seeds(Vote(n=n), process, None, seeds)
    average = Average.of([float(r.answer == "r") for r in results])
    assert average.agrees(majority_accuracy(p, n))
    single = Average.of([float(r.candidates[0].answer == "r") for r in results])
    assert not single.agrees(majority_accuracy(p, n))
    assert single.agrees(p)


def test_constant_scores_make_the_weighted_vote_a_majority() -> None:
    """Spec 05, check 3."""
    process = functools.partial(TokenChain, "abc", length=1)
    judge = FunctionOfContent(lambda text: 0.3, low=0.0, high=1.0)
    weighted = solve_seeds(Vote(n=9, weights="score"), process, judge, range(50))
    plain = solve_seeds(Vote(n=9), process, None, range(50))
    assert [r.answer for r in weighted] == [r.answer for r in plain]
    assert len({r.answer for r in plain}) > 1


def test_one_hot_scores_make_the_weighted_vote_best_of_n() -> None:
    """Spec 05, check 3."""
    judge = functools.partial(FunctionOfContent, low=0.0, high=1.0)
    process = functools.partial(TokenChain, "abc", length=3)

    def only_best(text: str) -> float:
        return float(text == "cbc")

    for seed in range(40):
        weighted = solve_seeds(Vote(n=32, weights="score"), process, judge(only_best), [seed])[0]
        best = solve_seeds(BestOfN(n=32), process, judge(only_best), [seed])[0]
        if "cbc" in [c.answer for c in best.candidates]:
            assert weighted.answer == best.answer == "cbc"
        else:
            assert weighted.answer is None


def test_a_filter_of_one_step_without_resampling_is_best_of_n() -> None:
    """Spec 03, check 5: the same seeds, the same samples, the same choice."""
    process = functools.partial(TokenChain, "abc", length=4)
    judge = FunctionOfContent(lambda text: text.count("b") + 0.1 * text.count("c"))
    for seed in range(30):
        best, filtered = (
            solve_seeds(a, process, judge, [seed])[0]
            for a in (BestOfN(n=6), ParticleFilter(n=6, every=4, ess_threshold=0))
        )
        assert [c.content for c in best.candidates] == [c.content for c in filtered.candidates]
        assert best.answer == filtered.answer


def test_a_filter_of_one_member_is_plain_sampling() -> None:
    """Spec 03, check 5."""
    process = functools.partial(TokenChain, "abc", length=4)
    judge = FunctionOfContent(lambda text: 3.0 * text.count("b"))
    seeds = range(runs(600, 6000))
    results = solve_seeds(ParticleFilter(n=1, ess_threshold=1), process, judge, seeds)
    language = process().language()
    for text in ("aaaa", "abca", "bcab"):
        assert Average.of([float(r.answer == text) for r in results]).agrees(language[text])


def test_a_cold_filter_copies_the_best() -> None:
    """Spec 03, check 5: with a strength without bounds every ancestor is the step's best."""
    process = functools.partial(TokenChain, "abc", length=3)
    judge = FunctionOfContent(lambda text: text.count("b"))
    algorithm = ParticleFilter(n=16, ess_threshold=1, twist={"type": "difference", "strength": 1e6})  # type: ignore[arg-type]
    for result in solve_seeds(algorithm, process, judge, range(10)):
        firsts = {c.content[:2].count("b") for c in result.candidates}
        assert len(firsts) == 1


def beats(algorithm: Algorithm[Any], seeds: range) -> float:
    """How often the fatal chain is solved: ten steps, each right with probability 0.8, scores exact."""
    steps = functools.partial(TokenChain, "rw", length=10, initial=[0.8, 0.2], transition=[[0.8, 0.2], [0.8, 0.2]])
    judge = FunctionOfContent(lambda text: -float(text.count("w")))
    return sum("w" not in str(r.answer) for r in solve_seeds(algorithm, steps, judge, seeds)) / len(seeds)


def test_beam_with_an_exact_verifier_finds_what_best_of_n_misses() -> None:
    seeds = range(runs(150, 2000))
    assert beats(Beam(n=16, width=4), seeds) > beats(BestOfN(n=16), seeds) + 0.05
    assert abs(beats(BestOfN(n=4), seeds) - (1 - (1 - 0.8**10) ** 4)) < 4 * 0.5 / math.sqrt(len(seeds))


def test_beams_of_width_one_are_independent_samples() -> None:
    """Spec 05, check 4: m = 1 is n samples and an argmax; the chosen score has the law of best-of-n's."""
    process = functools.partial(TokenChain, "ab", length=3)
    judge = FunctionOfContent(lambda text: float(text.count("b")))
    seeds = range(runs(600, 6000))
    beam = Average.of(chosen_scores(solve_seeds(Beam(n=4, width=1), process, judge, seeds)))
    counts: dict[int, float] = {}
    for text, p in process().language().items():
        counts[text.count("b")] = counts.get(text.count("b"), 0.0) + p
    below = [sum(p for c, p in counts.items() if c <= k) for k in range(4)]
    exact = sum(k * (below[k] ** 4 - (below[k - 1] ** 4 if k else 0.0)) for k in range(4))
    assert beam.agrees(exact)
