"""Laws of the search over paths of a denoiser (spec 19, item C): the kernel back keeps every law, and so does a search without a reward."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Advance, Allowance, Key
from outthink.diffusion import Ddim, DenoisingProcess, DpmSolver, Flow, Grid, Mixture, Solver, reward
from outthink.numerics.types import FloatArray
from outthink.search import BestOfN, Rewind
from tests.diffusion.closed_form import MIXTURE, Apart, denoiser
from tests.laws.law import Average, runs, solve_seeds

pytestmark = pytest.mark.laws

NORMAL = Mixture([1.0], [[0.0]], [1.0])
NEAR, FAR, DOWN = 0.11, 0.89, 32
AT_NEAR = DOWN + 1
"""The grid: pure noise, 0.89, ... 32 steps down to 0.11, and data."""


def there_and_back(solver: Solver, mixture: Mixture = NORMAL, width: int = 1) -> DenoisingProcess:
    times = np.concatenate([[1.0], np.linspace(FAR, NEAR, DOWN + 1), [0.0]])
    return denoiser(solver, Grid.on(Flow(), times), mixture, network=Apart(mixture), shape=(width,))


async def test_going_back_keeps_the_law() -> None:
    """Spec 19, check 4: variance 0.8042 at 0.89, 0.791915 of it given the sample at 0.11; and back down to 0.11 by the flow."""
    process, draws = there_and_back(DpmSolver(), width=12_500), 50_000
    x = torch.from_numpy(np.random.default_rng(5).standard_normal((4, 12_500))) * math.sqrt(0.89**2 + 0.11**2)
    fresh = await process.start(Key(1).seeds(4))
    states = fresh.at(x, np.full(4, AT_NEAR))
    back = await process.rewind(states, np.ones(4, np.int64), Key(2).seeds(4), allowance=Allowance())
    noisy = back.states.x
    assert back.states.level.tolist() == [1] * 4
    assert back.cost.denoiser_evals == 0
    assert float(noisy.var()) == pytest.approx(0.8042, abs=0.01)
    keep = (1 - FAR) / (1 - NEAR)
    assert float((noisy - keep * x).var()) == pytest.approx(0.791915, abs=0.01)
    assert abs(float(torch.corrcoef(torch.stack([noisy.flatten(), x.flatten()]))[0, 1]) - keep) < 5 / math.sqrt(draws)
    # The addition that forgets to shrink, and the one that takes the noise of data, both leave the law.
    assert float((x + (noisy - keep * x)).var()) > 1.5
    assert abs(float((noisy - keep * x).var()) - FAR**2) < 0.01 < abs(keep**2 * NEAR**2 + 0.791915 - FAR**2) + 0.01
    seeds = Key(3).seeds(4)
    down = (await process.advance(back.states, seeds, steps=DOWN, allowance=Allowance())).states
    assert down.level.tolist() == [AT_NEAR] * 4
    assert float(down.x.var()) == pytest.approx(0.8042, abs=0.02)


class WithoutShrinking(DenoisingProcess):
    """Goes back by adding noise to a sample that keeps its size: known to be wrong."""

    async def rewind(self, states: Any, level: Any, seeds: Any, *, allowance: Allowance) -> Advance[Any]:
        got = await super().rewind(states, level, seeds, allowance=allowance)
        now, then = self.grid.at(states.level), self.grid.at(got.states.level)
        keep = torch.from_numpy(then.alpha / now.alpha)[:, None]
        return replace(got, states=replace(got.states, x=got.states.x + (1.0 - keep) * states.x))


def ends(process: DenoisingProcess) -> FloatArray:
    """Every number of every end that a search without a reward came to."""
    method = Rewind(n=2, children=1, start=24, back=20, ahead=24, evaluate="answer")
    nothing = reward(lambda x: torch.zeros(len(x)), partial=False)
    (result,) = solve_seeds(method, lambda: process, nothing, [4])
    assert result.steps == 4
    last = [c.content for c, s in zip(result.candidates, result.scores, strict=True) if c.final and s is not None]
    return np.concatenate([np.asarray(x) for x in last[:2]])


def test_without_a_reward_the_search_draws_from_the_data() -> None:
    """Spec 19, check 5: one child each and V = 0. Three times back and down again, by a deterministic solver."""
    grid, width = Grid.on(Flow(), np.linspace(1.0, 0.0, 37)), 20_000
    how: dict[str, Any] = {"network": Apart(MIXTURE), "shape": (width,)}
    x = ends(denoiser(DpmSolver(), grid, MIXTURE, **how))
    assert len(x) == 2 * width
    assert float(x.mean()) == pytest.approx(0.25, abs=0.03)
    assert float(x.var()) == pytest.approx(1.4515, abs=0.05)
    assert float((x < -0.2).mean()) == pytest.approx(0.3, abs=0.012)
    wrong = ends(WithoutShrinking(Apart(MIXTURE), grid, DpmSolver(), (width,), dtype=torch.float64))
    assert abs(float((wrong < -0.2).mean()) - 0.3) > 0.024 or abs(float(wrong.var()) - 1.4515) > 0.1


def target(x: torch.Tensor) -> torch.Tensor:
    """How near a point of the plane's second component is."""
    return -torch.linalg.vector_norm(x - torch.tensor([1.0, 1.0], dtype=x.dtype), dim=1)


def test_the_search_finds_more_than_it_started_from() -> None:
    """The best of its ends is better than the best of as many plain samples as it began with; the same seed finds the same."""
    grid = Grid.on(Flow(), np.linspace(1.0, 0.0, 11))
    method = Rewind(n=2, children=4, start=8, back=6, ahead=7, evaluate="answer")
    judge, seeds = reward(target), range(runs(25, 100))
    found = solve_seeds(method, lambda: denoiser(Ddim(), grid), judge, seeds)
    began = solve_seeds(BestOfN(n=2), lambda: denoiser(Ddim(), grid), judge, seeds)
    best = Average.of([r.scores[r.chosen or 0] for r in found])
    first = Average.of([r.scores[r.chosen or 0] for r in began])
    assert best.mean > first.mean + 3 * math.hypot(best.error, first.error)
    again = solve_seeds(method, lambda: denoiser(Ddim(), grid), judge, [0])
    assert again[0].scores == found[0].scores
