"""From which probabilities ancestors are drawn: the sheet's table, the thresholds, and what annealing may never do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outthink.core import Result, Search, Session, SettingsError, Task
from outthink.core.events import Resampled, Warned
from outthink.numerics import effective_sample_size, log_normalise, normalise, systematic
from outthink.search import Base, Entropy, Ess, ParticleFilter, Plain, Schedule
from outthink.search.resampling_policy import AnyAnnealing, normalised_entropy
from outthink.testing import FunctionOfContent, TokenChain

SHARP = np.log(np.array([0.93] + [0.01] * 7))


@pytest.mark.parametrize(
    ("annealing", "heat", "top", "effective"),
    [
        (Ess(horizon=32), 6.0592, 0.23186, 7.2438),
        (Entropy(horizon=32), 3.4597, 0.34620, 5.5273),
        (Base(horizon=32), 1.875, 0.61573, 2.4986),
    ],
    ids=["ess", "entropy", "base"],
)
def test_the_published_table(annealing: AnyAnnealing, heat: float, top: float, effective: float) -> None:
    """Spec 02, check 1: 0.93 and seven times 0.01 after 4 of 32 steps."""
    assert effective_sample_size(SHARP) == pytest.approx(1.15527, abs=1e-5)
    assert normalised_entropy(SHARP) == pytest.approx(0.18748, abs=1e-5)
    q, found = annealing.probabilities(SHARP + 5.0, 4)
    assert found == pytest.approx(heat, abs=1e-4)
    assert q[0] == pytest.approx(top, abs=1e-5)
    assert effective_sample_size(np.log(q)) == pytest.approx(effective, abs=1e-4)


@pytest.mark.parametrize("kind", [Ess, Entropy, Base])
def test_both_thresholds_are_strict(kind: type[Ess]) -> None:
    share = effective_sample_size(SHARP) / 8
    assert kind(below=0.5, early=0.5, horizon=8).temperature(SHARP, 3) > 1
    assert kind(below=0.5, early=0.5, horizon=8).temperature(SHARP, 4) == 1
    assert kind(below=share).temperature(SHARP, 1) == 1
    assert kind(below=0.0).temperature(SHARP, 1) == 1
    assert kind(early=0.0).temperature(SHARP, 0) == 1
    assert kind(below=1.0).temperature(np.zeros(1), 1) == 1
    assert kind(below=1.0, early=1.0).temperature(log_normalise(np.zeros(8)), 1) == 1


@pytest.mark.parametrize(
    "annealing",
    [Ess(early=1.0, below=1.0), Entropy(early=1.0, below=1.0), Base(early=1.0, below=1.0), Schedule(end=4.0)],
    ids=lambda a: a.name(),
)
def test_annealing_never_lowers_the_effective_sample_size(annealing: AnyAnnealing) -> None:
    """Spec 02, check 3: random weights, hard zeros among them."""
    rng = np.random.default_rng(0)
    for _ in range(2500):
        n = int(rng.integers(2, 41))
        log_w = rng.normal(0.0, rng.uniform(0.1, 6.0), n)
        if n > 3 and rng.random() < 0.3:
            log_w[: n // 3] = -np.inf
        q, heat = annealing.probabilities(log_w, int(rng.integers(0, 40)))
        assert heat >= 1
        assert q.sum() == pytest.approx(1.0)
        with np.errstate(divide="ignore"):
            assert effective_sample_size(np.log(q)) >= effective_sample_size(log_w) - 1e-9
        assert (q[np.isneginf(log_w)] == 0).all()


def test_entropy_of_two_is_normalised() -> None:
    assert normalised_entropy(np.log(np.array([0.5, 0.5]))) == pytest.approx(1.0)
    assert normalised_entropy(np.array([0.0, -np.inf])) == 0.0
    q, _ = Entropy().probabilities(np.array([0.0, -1e4, -np.inf]), 0)
    assert q.tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_a_schedule_goes_from_start_to_end() -> None:
    """Spec 03, schedule."""
    schedule = Schedule(start=4.0, end=1.0, steps=4)
    assert [schedule.temperature(SHARP, t) for t in range(1, 7)] == [3.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    assert Schedule(start=4.0, end=2.5, steps=1).temperature(SHARP, 0) == 2.5


def test_members_above_a_share_are_always_kept_by_systematic_resampling() -> None:
    """Spec 02, check 4."""
    rng = np.random.default_rng(1)
    weights = normalise(rng.normal(0, 1.5, 12))
    counts = np.array([np.bincount(systematic(weights, 12, rng), minlength=12) for _ in range(4000)])
    assert (counts >= np.floor(12 * weights)).all()
    assert (counts <= np.ceil(12 * weights)).all()
    assert (counts[:, weights > 1 / 12] > 0).all()
    error = counts.std(axis=0, ddof=1) / np.sqrt(len(counts))
    assert (np.abs(counts.mean(axis=0) - 12 * weights) <= 4 * error + 1e-12).all()


# -- in the filter ----------------------------------------------------------------------------------------------------


async def solve(algorithm: ParticleFilter, score: Any, seed: int = 0, length: int = 6) -> tuple[Result, Session]:
    session = Session.open(seed=seed)
    search = Search(lambda task: TokenChain("abc", length=length), algorithm, FunctionOfContent(score))
    result = await search.solve(Task(), session)
    session.close()
    return result, session


def steep(text: str) -> float:
    return 3.0 * text.count("b")


def resamplings(session: Session) -> list[Resampled]:
    return [e for e in session.trace.events if isinstance(e, Resampled)]


def warnings(session: Session) -> list[str]:
    return [e.message for e in session.trace.events if isinstance(e, Warned)]


@pytest.mark.parametrize("off", [Ess(below=0.0), Ess(early=0.0), Entropy(below=0.0), Base(early=0.0)], ids=str)
@pytest.mark.parametrize("exact", [True, False])
async def test_switched_off_it_is_the_plain_filter(off: AnyAnnealing, exact: bool) -> None:
    """Spec 02, check 2: bit-identical, the same resampler and the same seeds."""
    for seed in range(4):
        plain, session = await solve(ParticleFilter(n=8, ess_threshold=1), steep, seed)
        other, trace = await solve(ParticleFilter(n=8, ess_threshold=1, annealing=off, exact=exact), steep, seed)
        assert other.candidates == plain.candidates
        assert other.weights == plain.weights
        assert [e.ancestors for e in resamplings(trace)] == [e.ancestors for e in resamplings(session)]
        assert {e.temperature for e in resamplings(trace)} == {1.0}


async def test_constant_scores_are_not_annealed() -> None:
    _, session = await solve(ParticleFilter(n=8, ess_threshold=1, annealing=Ess(below=1.0)), lambda text: 0.7)
    assert {e.temperature for e in resamplings(session)} == {1.0}


async def test_annealing_keeps_more_families_alive_and_says_how_many() -> None:
    kept = {}
    for annealing in (Plain(), Ess(horizon=8)):
        algorithm = ParticleFilter(n=16, ess_threshold=1, annealing=annealing)
        first = [resamplings((await solve(algorithm, steep, seed))[1])[0] for seed in range(20)]
        kept[annealing.name()] = np.mean([e.distinct for e in first])
        assert all(e.distinct == len(set(e.ancestors)) for e in first)
        assert all((e.temperature > 1) == (annealing.name() == "ess") or e.effective >= 8 for e in first)
    assert kept["ess"] > kept["plain"] + 1


async def test_weights_that_were_forgotten_give_no_evidence() -> None:
    annealed = ParticleFilter(n=8, ess_threshold=1, annealing=Ess())
    assert (await solve(annealed, steep))[0].log_evidence is not None
    assert (await solve(ParticleFilter(n=8, annealing=Ess(), exact=False), steep))[0].log_evidence is None
    assert (await solve(ParticleFilter(n=8, exact=False), steep))[0].log_evidence is not None


async def test_a_horizon_far_above_the_answers_is_told() -> None:
    _, far = await solve(ParticleFilter(n=8, annealing=Ess(horizon=100)), steep)
    assert any("median answer took 6 steps" in m for m in warnings(far))
    _, near = await solve(ParticleFilter(n=8, annealing=Ess(horizon=10)), steep)
    assert not any("median" in m for m in warnings(near))


async def test_too_few_members_to_anneal_are_told() -> None:
    _, session = await solve(ParticleFilter(n=3, annealing=Ess()), steep)
    assert any("little room" in m for m in warnings(session))


def test_settings_are_checked() -> None:
    for bad in ({"below": 1.5}, {"horizon": 0}, {"v": 2}):
        with pytest.raises(SettingsError):
            Ess(**bad)
    with pytest.raises(SettingsError):
        ParticleFilter(annealing={"type": "simulated"})  # type: ignore[arg-type]
    assert ParticleFilter(annealing={"type": "base", "start": 3}).annealing == Base(start=3.0)  # type: ignore[arg-type]
