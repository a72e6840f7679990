"""Rewards: any function of a batch of samples keeps the contract of verifiers; what goes wrong is named, and the others keep theirs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Candidate, LogMap, ScoreKind, Scores, Search, Task
from outthink.diffusion import Ancestral, Flow, Grid, Reward, reward
from outthink.search import BestOfN, ParticleFilter
from outthink.testing.contracts import VerifierContract
from tests.diffusion.closed_form import denoiser, solved

SHAPE = (1, 3, 3)


def images(*values: float) -> list[Candidate]:
    return [Candidate(content=torch.full(SHAPE, float(value)), kind="image") for value in values]


def scored(verifier: Reward, candidates: Sequence[Candidate]) -> Scores:
    return asyncio.run(verifier.score(candidates, Task()))


class TestReward(VerifierContract):
    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return images(0.1, 0.9, -0.3, 0.5)

    @pytest.fixture(params=[None, 2], ids=["all at once", "two at once"])
    def verifier(self, request: pytest.FixtureRequest) -> Reward:
        return reward(lambda x: x.mean(dim=(1, 2, 3)), at_once=request.param)


def test_one_call_for_all_and_parts_where_memory_is_short() -> None:
    sizes: list[int] = []

    def brightness(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return x.mean(dim=(1, 2, 3))

    assert scored(reward(brightness), images(1, 2, 3, 4, 5)).values.tolist() == [1, 2, 3, 4, 5]
    assert scored(reward(brightness, at_once=2), images(1, 2, 3, 4, 5)).values.tolist() == [1, 2, 3, 4, 5]
    assert sizes == [5, 2, 2, 1]


@pytest.mark.parametrize("kind", [list, np.asarray, torch.as_tensor], ids=["list", "array", "tensor"])
def test_whatever_holds_numbers_is_a_reply(kind: Any) -> None:
    assert scored(reward(lambda x: kind([1.0, float("nan"), 3.0])), images(0, 0, 0)).values[[0, 2]].tolist() == [1, 3]


def test_nan_is_no_opinion() -> None:
    got = scored(reward(lambda x: torch.tensor([1.0, torch.nan])), images(0, 0))
    assert np.isnan(got.values).tolist() == [False, True]
    assert not got.failures


def test_what_it_says_of_its_scores() -> None:
    assert reward(len).spec.kind is ScoreKind.PREFIX_VALUE
    assert reward(len).spec.partial
    whole = reward(len, partial=False, low=0.0, high=1.0, log_map="probability").spec
    assert (whole.kind, whole.partial, whole.log_map) == (ScoreKind.OUTCOME, False, LogMap.PROBABILITY)
    assert (whole.low, whole.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (lambda x: x.mean(), r"\[\]"),
        (lambda x: x.mean(dim=(2, 3)), r"\[3, 1\]"),
        (lambda x: x.mean(dim=(1, 2, 3))[:2], r"\[2\]"),
    ],
)
def test_a_wrong_shape_is_named(wrong: Any, got: str) -> None:
    """Nothing of such a reply is taken, even where it would fit a single sample."""
    scores = scored(reward(wrong, name="picky"), images(0, 0, 0))
    assert np.isnan(scores.values).all()
    said = rf"'picky' returned another shape.*{got} for 3 samples of \[1, 3, 3\].*Reduce over all axes"
    assert sorted(scores.failures) == [0, 1, 2]
    assert all(re.search(said, failure.message) for failure in scores.failures.values())


def test_finished_samples_are_kept_when_a_reply_has_the_wrong_shape() -> None:
    """Also one that went wrong late in the search."""
    calls = []

    def late(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return x if len(calls) > 3 else x[:, 0]

    search = Search(
        lambda task: denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1, 0, 5))), ParticleFilter(n=4), reward(late)
    )
    result = solved(search)
    assert result.chosen is not None
    assert sum(c.final for c in result.candidates) == 4
    assert result.degraded == ("the verifier failed on 4 candidates",)


def picky(x: torch.Tensor) -> torch.Tensor:
    if bool((x < 0).any()):
        raise ValueError("a dark picture")
    return x.mean(dim=(1, 2, 3))


def test_only_the_sample_at_fault_fails() -> None:
    got = scored(reward(picky), images(1, -2, 3, -4))
    assert got.values[[0, 2]].tolist() == [1, 3]
    assert np.isnan(got.values[[1, 3]]).all()
    assert {row: (f.kind, f.message) for row, f in got.failures.items()} == {
        1: ("ValueError", "a dark picture"),
        3: ("ValueError", "a dark picture"),
    }


def test_finished_samples_are_kept_when_a_reward_raises() -> None:
    def half(x: torch.Tensor) -> torch.Tensor:
        if bool((x[:, 0] < 0).any()):
            raise ValueError("not that one")
        return x[:, 0]

    search = Search(
        lambda task: denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1, 0, 5))), BestOfN(n=8), reward(half)
    )
    result = solved(search)
    first = [float(c.content[0]) for c in result.candidates]
    assert len(first) == 8
    assert min(first) < 0
    assert result.chosen == int(np.argmax(first))
    assert all(c.final for c in result.candidates)
