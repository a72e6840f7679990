"""Several verifiers as one: the four ways, silence, failures, and what cannot be combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Candidate,
    Cost,
    Failure,
    Incompatible,
    LogMap,
    Parts,
    ScoreKind,
    Scores,
    ScoreSpec,
    SettingsError,
    Task,
    Verifier,
)
from outthink.testing.contracts import VerifierContract
from outthink.verify import Arithmetic, Combine, Combined, Confidence, Exact, MatchesRegex, as_verifier

nan, inf = float("nan"), float("inf")
VALUE = ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True)
ODDS = ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, log_map=LogMap.ODDS)
RAW = ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, low=-inf, high=inf, log_map=LogMap.RAW)


@dataclass(frozen=True)
class Fixed(Verifier):
    """Gives known scores."""

    given: Sequence[float]
    spec_: ScoreSpec = VALUE
    failures: dict[int, Failure] = field(default_factory=dict)
    note: str = ""

    @property
    def spec(self) -> ScoreSpec:
        return self.spec_

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        n = len(candidates)
        return Scores(
            np.array(self.given[:n]), (self.note,) * n, Cost(verifier_calls=n), self.failures, Cost(input_tokens=n)
        )


async def combined(how: Any, *parts: Verifier, weights: tuple[float, ...] = (), n: int = 4) -> Scores:
    return await Combined(parts, how, weights).score([Candidate(content="")] * n, Task())


@pytest.mark.parametrize(
    ("how", "weights", "expected"),
    [
        ("product", (), [0.4, 0.5, 0.8, nan]),
        ("product", (2.0, 1.0), [0.2, 0.25, 0.8, nan]),
        ("mean", (), [0.65, 0.5, 0.8, nan]),
        ("mean", (3.0, 1.0), [0.575, 0.5, 0.8, nan]),
        ("min", (), [0.5, 0.5, 0.8, nan]),
        ("log-sum", (), [np.log(0.4), np.log(0.5), np.log(0.8), nan]),
        ("log-sum", (2.0, 0.5), [2 * np.log(0.5) + 0.5 * np.log(0.8), 2 * np.log(0.5), 0.5 * np.log(0.8), nan]),
    ],
)
async def test_the_four_ways_and_silence(how: Any, weights: tuple[float, ...], expected: list[float]) -> None:
    got = await combined(how, Fixed([0.5, 0.5, nan, nan]), Fixed([0.8, nan, 0.8, nan]), weights=weights)
    assert np.allclose(got.values, expected, equal_nan=True)


async def test_logarithms_are_taken_by_each_parts_own_map() -> None:
    got = await combined("log-sum", Fixed([0.5] * 4), Fixed([0.8] * 4, ODDS), Fixed([-3.0, 0.0, 2.0, -inf], RAW))
    assert np.allclose(got.values, np.log(0.5) + np.log(0.8 / 0.2) + np.array([-3.0, 0.0, 2.0, -inf]))


async def test_a_weight_of_zero_silences_a_part() -> None:
    got = await combined("log-sum", Fixed([0.5] * 4), Fixed([-inf, 1.0, nan, 0.0], RAW), weights=(1.0, 0.0))
    assert np.allclose(got.values, np.log(0.5))
    mean = await combined("mean", Fixed([nan, 0.5, 0.5, 0.5]), Fixed([0.3] * 4), weights=(1.0, 0.0))
    assert np.allclose(mean.values, [nan, 0.5, 0.5, 0.5], equal_nan=True)


async def test_a_part_that_fails_fails_the_candidate() -> None:
    broken = Failure("VerifierError", "broken")
    got = await combined("product", Fixed([nan, 0.5, 0.5, 0.5], failures={0: broken}), Fixed([0.8] * 4))
    assert got.failures == {0: broken}
    assert np.allclose(got.values, [nan, 0.4, 0.4, 0.4], equal_nan=True)


async def test_costs_notes_and_promises_add_up() -> None:
    parts = (Fixed([0.5], note="one"), Fixed([0.5]), Fixed([0.5], note="two"))
    got = await combined("mean", *parts, n=1)
    assert got.cost == Cost(verifier_calls=3)
    assert got.uncertain == Cost(input_tokens=3)
    assert got.notes == ("one; two",)
    assert Combined(parts).most(Task()) == Cost(verifier_calls=3)


def test_what_the_whole_is() -> None:
    whole = Combined((Arithmetic(), Confidence()))
    assert (whole.spec.kind, whole.spec.log_map, whole.spec.partial) == (ScoreKind.PREFIX_VALUE, LogMap.RAW, True)
    assert whole.spec.wants == {"mean_log_prob"}
    assert (whole.spec.low, whole.spec.high) == (-inf, inf)
    assert Combined((Fixed([]), Fixed([], ODDS)), "product").spec.log_map is LogMap.PROBABILITY
    oracle = Combined((Exact().build(Parts()), MatchesRegex(pattern="a")), "product")
    assert oracle.spec.reads_reference
    assert not oracle.spec.local
    assert not oracle.spec.partial


@pytest.mark.parametrize("how", ["log-sum", "product", "mean", "min"])
def test_kinds_must_agree(how: Any) -> None:
    outcome = as_verifier(len, low=0, high=1)
    with pytest.raises(Incompatible, match="different kind"):
        Combined((Arithmetic(), outcome), how)


def test_ranges_and_maps_must_agree() -> None:
    for how in ("mean", "min"):
        with pytest.raises(Incompatible, match="map to log space"):
            Combined((Fixed([]), Fixed([], ODDS)), how)  # type: ignore[arg-type]
        with pytest.raises(Incompatible, match="different range"):
            Combined((Fixed([], RAW), Confidence()), how)  # type: ignore[arg-type]
    with pytest.raises(Incompatible, match="A product needs probabilities"):
        Combined((Arithmetic(), Confidence()), "product")


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": (1.0,)},
        {"weights": (0.0, 0.0)},
        {"weights": (1.0, 1.0), "how": "min"},
        {"weights": (-1.0, 1.0)},
        {"of": (Arithmetic(),)},
        {"how": "sum"},
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Combine(**{"of": (Arithmetic(), Confidence()), **wrong})


def test_settings_build_their_parts() -> None:
    made = Combine(of=(Arithmetic(), Confidence()), weights=(1.0, 0.2)).build(Parts())
    assert made == Combined((Arithmetic(), Confidence()), "log-sum", (1.0, 0.2))


class TestContract(VerifierContract):
    """A combination is a verifier like any other."""

    @pytest.fixture
    def verifier(self) -> Combined:
        return Combine(of=(Arithmetic(), Confidence()), weights=(1.0, 0.5)).build(Parts())

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        features = {"mean_log_prob": -0.5}
        return [Candidate(content=c, features=features) for c in ("1 + 2 = 3", "1 + 2 = 4", "none")]
