"""Laws of the step-wise family: limits in which methods must be one another bit by bit, closed forms, and the sheet's comparison."""

from __future__ import annotations

import functools
import zlib
from typing import Any

import numpy as np
import pytest

from outthink.core import Algorithm, Result, ScoreKind
from outthink.search import (
    Beam,
    BestOfN,
    DiverseVerifierTreeSearch,
    Incremental,
    ParticleFilter,
    Rebase,
    StepBestOfN,
)
from outthink.testing import FunctionOfContent, GaussianChain, TokenChain
from tests.laws.law import FULL, Average, runs, solve_seeds

pytestmark = pytest.mark.laws

POINTS = functools.partial(GaussianChain, length=4)
HEIGHT = functools.partial(FunctionOfContent, lambda x: float(x[0]))
"""No two points tie, so that a limit is a limit."""


def same(one: Result, other: Result) -> bool:
    """Whether two searches found the same, bit by bit."""
    return (one.chosen, one.scores, one.weights, one.cost) == (
        other.chosen,
        other.scores,
        other.weights,
        other.cost,
    ) and [(c.id, c.content.tolist()) for c in one.candidates] == [(c.id, c.content.tolist()) for c in other.candidates]


def all_the_same(
    methods: list[Algorithm[Any]], wrong: Algorithm[Any], verifier: Any = HEIGHT, process: Any = POINTS
) -> None:
    """All of them on the same seeds; and the wrong one is another."""
    differs = 0
    for seed in range(20):
        first, *others = (solve_seeds(method, process, verifier(), [seed])[0] for method in methods)
        assert all(same(first, other) for other in others)
        differs += not same(first, solve_seeds(wrong, process, verifier(), [seed])[0])
    assert differs >= 18


def test_one_survivor_makes_a_beam_a_step_level_best_of_n() -> None:
    """Spec 05, check 4: n = m. A cold REBASE gives all its width to the best one, and is the same again."""
    methods: list[Algorithm[Any]] = [
        StepBestOfN(n=6),
        DiverseVerifierTreeSearch(n=6, width=6),
        Beam(n=6, width=6),
        Rebase(n=6, balance_temperature=1e-9),
    ]
    all_the_same(methods, Beam(n=6, width=3))


def test_a_width_of_one_is_independent_samples_and_an_argmax() -> None:
    """Spec 05, check 4: m = 1; and so are REBASE without differences and a filter that never resamples."""
    methods: list[Algorithm[Any]] = [
        Beam(n=6, width=1),
        DiverseVerifierTreeSearch(n=6, width=1),
        Rebase(n=6, balance_temperature=1e12),
        ParticleFilter(n=6, ess_threshold=0.0),
    ]
    for seed in range(20):
        results = [solve_seeds(method, POINTS, HEIGHT(), [seed])[0] for method in methods]
        contents = [[c.content.tolist() for c in r.candidates] for r in results]
        assert all(c == contents[0] for c in contents)
        assert len({r.chosen for r in results}) == 1
        assert results[0].scores[results[0].chosen or 0] == max(s for s in results[0].scores if s is not None)
    all_the_same(methods[:3], Beam(n=6, width=2))


def test_scores_that_are_all_equal_leave_rebase_with_independent_samples() -> None:
    flat = functools.partial(FunctionOfContent, lambda x: 0.5)
    all_the_same([Rebase(n=6), Beam(n=6, width=1)], Beam(n=6, width=2), flat)


@pytest.mark.parametrize("settings", [{"rounds": 1}, {}], ids=["one round", "one step"])
def test_without_a_second_round_every_one_is_best_of_n(settings: dict[str, int]) -> None:
    process = POINTS if settings else functools.partial(GaussianChain, length=1)
    methods: list[Algorithm[Any]] = [
        BestOfN(n=6),
        StepBestOfN(n=6, **settings),
        Beam(n=6, width=3, **settings),
        DiverseVerifierTreeSearch(n=6, width=3, **settings),
        Rebase(n=6, **settings),
    ]
    all_the_same(methods, BestOfN(n=5), process=process)


STEPS, HALF = 10, [0.5, 0.5]
FATAL = functools.partial(TokenChain, "rw", length=STEPS, initial=HALF, transition=[HALF, HALF])
EXACT = functools.partial(FunctionOfContent, lambda text: -float(text.count("w")))


def solved(algorithm: Algorithm[Any], seeds: range) -> Average:
    """How often a chain in which each step is right with probability 1/2 is solved, under a verifier that sees every error."""
    return Average.of([float("w" not in str(r.answer)) for r in solve_seeds(algorithm, FATAL, EXACT(), seeds)])


def test_subtrees_are_independent_searches() -> None:
    """One line of 4 candidates a step is right to the end with p = (1 - 2^-4)^10; k independent ones with 1 - (1 - p)^k."""
    seeds = range(runs(160, 4000))
    p = (1 - 0.5**4) ** STEPS
    assert solved(StepBestOfN(n=4), seeds).agrees(p)
    for subtrees in (2,) if not FULL else (2, 3):
        exact = 1 - (1 - p) ** subtrees
        assert solved(DiverseVerifierTreeSearch(n=4 * subtrees, width=4), seeds).agrees(exact)
        assert not solved(Beam(n=4 * subtrees, width=4), seeds).agrees(exact), "beams help one another"
    assert solved(StepBestOfN(n=8), seeds).agrees((1 - 0.5**8) ** STEPS)


def noisy(text: str) -> float:
    """Right or wrong by 1.5, and noise of standard deviation 2 that belongs to the text, as a verifier's error would."""
    noise = np.random.default_rng(zlib.crc32(text.encode())).normal()
    return (1.5 if "w" not in text else -1.5) + 2.0 * float(noise)


def test_at_16_sequences_steps_beat_whole_samples() -> None:
    """Spec 05, check 7: best-of-n 0.50, DVTS 0.95, beam 0.99, filter 0.99 seen; each better than best-of-n by 0.3."""
    chain = functools.partial(TokenChain, "abcdw", length=10, initial=[0.2] * 5, transition=[[0.2] * 5] * 5)
    verifier = FunctionOfContent(noisy, kind=ScoreKind.PREFIX_VALUE)
    seeds = range(runs(100, 2000))
    # Scores of many units: the temperature is in units of the score.
    methods: dict[str, Algorithm[Any]] = {
        "best-of-n": BestOfN(n=16),
        "DVTS": DiverseVerifierTreeSearch(n=16, width=4),
        "beam": Beam(n=16, width=4),
        "REBASE": Rebase(n=16, balance_temperature=1.0),
        "filter": ParticleFilter(
            n=16, ess_threshold=1, resampling="multinomial", twist=Incremental(accept_values=True)
        ),
    }
    right = {
        name: sum("w" not in str(r.answer) for r in solve_seeds(method, chain, verifier, seeds)) / len(seeds)
        for name, method in methods.items()
    }
    assert abs(right["best-of-n"] - 0.50) < 0.2
    assert min(share for name, share in right.items() if name != "best-of-n") > right["best-of-n"] + 0.3
