"""Diffusion tree sampling converges to the tilted law of a denoiser (spec 21), and diffusion tree search finds more than best-of-n.

A tree's values converge where its selection does not look at them: with `Uniform` selection and the soft backup, mean, second moment, mode
weight and evidence are those of the tilted mixture within their standard errors. With the published `Boltzmann` selection a child that
looked poor once is hardly looked at again, so that values stay too low for long: the bias falls with n, but slowly.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Budget, Search
from outthink.diffusion import Ancestral, DenoisingProcess, Flow, FlowSde, Grid, Mixture, reward
from outthink.numerics.types import FloatArray, IntArray
from outthink.search import BestOfN, Boltzmann, LogMeanExp, Max, Tree, Uct, Uniform
from tests.diffusion.closed_form import MIXTURE, denoiser, solved
from tests.laws.law import Average, runs, solve_seeds

pytestmark = pytest.mark.laws

STRENGTH = 1.5
TILTED, LOG_Z = MIXTURE.tilted(-np.ones(1), STRENGTH)
"""The reward is -x: it turns the weights of the two modes round, from 0.3 and 0.7 to 0.94 and 0.06."""

STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda x: x,
    "second moment": lambda x: x**2,
    "left mass": lambda x: np.asarray(x < -0.2, np.float64),
}
LEFT = float(np.exp(TILTED.log_weights[0]))
EXACT = {
    "evidence": math.exp(LOG_Z),
    "mean": float(TILTED.mean[0]),
    "second moment": float(TILTED.variance[0] + TILTED.mean[0] ** 2),
    "left mass": LEFT,
}
OWN = 0.02
"""The solver's own error at 24 steps and the ratio estimator's at n leaves, a share of each statistic."""


def mixture() -> DenoisingProcess:
    return denoiser(FlowSde(), Grid.on(Flow(), np.linspace(1.0, 0.0, 25)), MIXTURE)


SAMPLER: dict[str, Any] = {
    "n": 400,
    "batch": 50,
    "levels": (0, 8, 16),
    "widening": 1.0,
    "exponent": 0.7,
    "selection": Uniform(),
    "backup": LogMeanExp(),
    "strength": STRENGTH,
    "choose": "sample",
}


@functools.cache
def grown(kind: type[Tree] = Tree, seeds: int = runs(8, 100), **other: Any) -> dict[str, Average]:
    """What trees say of the tilted law: their read-out's statistics and their roots' evidence, over seeds."""
    judge = reward(lambda x: -x[:, 0], partial=False)
    found: dict[str, list[float]] = {name: [] for name in EXACT}
    for result in solve_seeds(kind(**{**SAMPLER, **other}), mixture, judge, range(seeds)):
        x, w = np.array([float(c.content[0]) for c in result.candidates]), np.array(result.weights)
        for name, of in STATISTICS.items():
            found[name].append(float(w @ of(x)))
        found["evidence"].append(math.exp(result.log_evidence or 0.0))
    return {name: Average.of(values) for name, values in found.items()}


def missed(averages: dict[str, Average]) -> set[str]:
    """Statistics that are off by more than four standard errors and `OWN`."""
    return {
        name
        for name, average in averages.items()
        if abs(average.mean - EXACT[name]) > 4.0 * average.error + OWN * abs(EXACT[name])
    }


class Summed(Tree):
    """Wrong: the sum over the children in the place of their mean."""

    def value_of(self, values: FloatArray, visits: IntArray) -> float:
        return super().value_of(values, visits) + math.log(len(values)) / self.strength


def test_tree_sampling_converges_to_the_tilted_law() -> None:
    averages = grown()
    assert averages["evidence"].sharp(0.06, EXACT["evidence"])
    assert averages["mean"].sharp(0.03, EXACT["mean"])
    assert averages["left mass"].sharp(0.01, LEFT)
    assert missed(averages) == set()


def test_known_wrong_trees_are_rejected() -> None:
    """With the same seeds: a summed backup, the published selection, which leaves values too low, and a read-out that ignores values."""
    assert missed(grown(Summed, seeds=4)) >= {"evidence"}
    assert missed(grown(seeds=4, strength=1e-3)) >= {"mean", "left mass"}
    published = grown(selection=Boltzmann())
    assert missed(published) >= {"mean", "evidence"}
    assert published["evidence"].mean < EXACT["evidence"]
    assert published["left mass"].mean > 0.75, "it is near all the same"


def test_rewards_of_sixty_nats_stay_finite() -> None:
    """Values, evidence and the law of the read-out, whatever is selected and backed up; and the best leaf carries it."""
    judge = reward(lambda x: -x[:, 0], partial=False)
    for selection, backup in ((Uniform(), LogMeanExp()), (Boltzmann(), LogMeanExp()), (Uct(), Max())):
        sampler = Tree(
            **{**SAMPLER, "n": 30, "batch": 5, "strength": 60.0, "selection": selection, "backup": backup, "every": 1}
        )
        for result in solve_seeds(sampler, mixture, judge, range(2)):
            assert result.log_evidence is None or math.isfinite(result.log_evidence)
            assert np.isfinite(result.weights).all()
            assert sum(result.weights) == pytest.approx(1.0)
            assert result.chosen is not None
            assert float(result.candidates[result.chosen].content[0]) < -1.0


def test_tree_search_finds_more_than_best_of_n_for_the_same_evaluations() -> None:
    """DTS*: 16-d normal data, reward -|x - c|, 600 evaluations. A tree that never looks at its values does not."""
    goal = torch.full((16,), 0.75, dtype=torch.float64)
    judge = reward(lambda x: -(x - goal).norm(dim=1), partial=False)
    data = Mixture([1.0], [[0.0] * 16], [1.0])

    def best(method: Tree | BestOfN) -> Average:
        found = []
        for seed in range(runs(5, 40)):
            process = denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1.0, 0.0, 11)), data)
            result = solved(Search(lambda task, p=process: p, method, judge), seed, Budget(denoiser_evals=600))
            assert result.cost.denoiser_evals <= 600
            assert result.chosen is not None
            found.append(float(result.scores[result.chosen]))
        return Average.of(found)

    search = functools.partial(
        Tree, n=10_000, batch=16, levels=(0, 2, 4, 6, 8), exponent=0.5, backup=LogMeanExp(), strength=10.0
    )
    plain, soft, blind = best(BestOfN(n=60)), best(search(selection=Uct(c=0.1))), best(search(selection=Uniform()))
    assert soft.mean > plain.mean + 4.0 * plain.error
    assert soft.mean > blind.mean
