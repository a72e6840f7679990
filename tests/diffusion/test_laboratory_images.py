"""The shipped image models: samples of a class are that class, the distance from real digits is small, and search on them works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

import outthink.diffusion.laboratory as laboratory
from outthink.core import InputError, Search
from outthink.core.errors import ModelMissing
from outthink.diffusion import Ddim
from outthink.diffusion.laboratory import Statistics, classifier, frechet_distance, load
from outthink.diffusion.laboratory.frechet import between
from outthink.diffusion.rewards import class_log_probability
from outthink.search import Difference, ParticleFilter
from tests.diffusion.closed_form import finished, solved

SHIPPED = ("digits-diffusion", "digits-flow")


@pytest.mark.parametrize("name", SHIPPED)
def test_samples_of_a_class_are_that_class(name: str) -> None:
    model, judge = load(name), classifier()
    samples = [finished(model.process(digit, steps=20), 30) for digit in range(model.classes)]
    right = np.array([[float((judge.predicted(x) == k).float().mean()) for k in range(10)] for x in samples])
    assert np.diag(right).mean() >= 0.9
    # A class is what was asked for, and not whatever the model likes best.
    assert (right - np.diag(np.diag(right))).max() <= 0.2
    together = torch.cat(samples)
    assert together.shape == (300, 1, 8, 8)
    assert float(((together > -1.2) & (together < 1.2)).float().mean()) > 0.97
    distance = frechet_distance(together)
    # Far nearer to real digits than the same images with noise, or those of one class alone.
    assert distance < 2.0
    noise = torch.randn(together.shape, generator=torch.Generator().manual_seed(1))
    assert frechet_distance(together + 0.5 * noise) > 2 * distance
    assert frechet_distance(samples[3]) > 5 * distance


def test_what_is_told_to_the_network_and_what_it_costs() -> None:
    model = load("digits-flow")
    assert model.condition(3).tolist() == [3]
    assert model.condition().tolist() == [model.nothing] == [10]
    assert model.guided(1.0) is model.network
    assert model.guided(2.0).evaluations == 2
    process = model.process(4, steps=5, guidance=2.0, solver=Ddim())
    assert float((classifier().predicted(finished(process, 20)) == 4).float().mean()) >= 0.9
    assert process.evaluations == 20 * 5 * 2
    with pytest.raises(InputError, match="no such class"):
        model.condition(11)


def test_files_are_small_and_have_cards() -> None:
    folder = Path(laboratory.__file__).parent
    for name in (*SHIPPED, "digits-classifier"):
        assert (folder / f"{name}.safetensors").stat().st_size < 600_000
        card = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert "outthink train digits --seed 1" in card
        assert "held out" in card
    assert classifier().accuracy > 0.97
    assert load("digits-flow") is load("digits-flow")


def test_names_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="digits-flow"):
        load("digits-flo")
    with pytest.raises(ModelMissing, match="outthink train digits --data mnist --folder"):
        load("mnist-diffusion")
    folder = Path(laboratory.__file__).parent
    (tmp_path / "digits-flow.safetensors").write_bytes((folder / "digits-classifier.safetensors").read_bytes())
    with pytest.raises(InputError, match="holds no denoiser"):
        load("digits-flow", folder=tmp_path)


def test_the_frechet_distance_of_normal_laws() -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2 where covariances commute; 0 and symmetric in general."""
    one = Statistics(np.array([1.0, 0.0]), np.diag([4.0, 1.0]))
    two = Statistics(np.array([0.0, 2.0]), np.diag([1.0, 9.0]))
    assert between(one, two) == pytest.approx(1 + 4 + 1 + 4)
    rng = np.random.default_rng(0)
    wide, other = (Statistics.of(rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4))) for _ in range(2))
    assert between(wide, other) == pytest.approx(between(other, wide))
    assert between(wide, wide) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(InputError, match="several samples"):
        Statistics.of(np.zeros((1, 4)))


def test_a_search_steers_samples_of_no_class_to_one() -> None:
    model, judge = load("digits-diffusion"), classifier()
    threes = class_log_probability(judge.log_probabilities, 3)
    search = Search(lambda task: model.process(steps=12), ParticleFilter(n=48, twist=Difference(strength=1.0)), threes)
    result = solved(search)
    shown = torch.stack([c.content for c in result.candidates])
    weights = np.asarray(result.weights)
    hit = (judge.predicted(shown) == 3).numpy()
    assert weights[hit].sum() > 0.8
    plain = judge.predicted(finished(model.process(steps=12), 100))
    assert float((plain == 3).float().mean()) < 0.3


def test_a_state_of_a_model_is_saved_and_loaded() -> None:
    process = load("digits-diffusion").process(2, steps=4)
    states = asyncio.run(process.start(np.arange(3, dtype=np.uint64)))
    assert torch.equal(process.load(process.dump(states)).x, states.x)
