"""Evolution: what it stores and when, whom it chooses, what it costs, and what it comes down to at its limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    Budget,
    Incompatible,
    Result,
    Run,
    ScoreSpec,
    Search,
    Session,
    SettingsError,
    Stop,
    Task,
)
from outthink.core.events import Advanced, Resampled, Warned
from outthink.core.verifier import ScoreKind
from outthink.search import BestOfN, Evolve
from outthink.search.archive import elites, tournaments
from outthink.search.evolve import Evolved
from outthink.testing import Flaky, FunctionOfContent, GaussianChain, TokenChain
from tests.contracts.reaching import Reaching


def height(x: Any) -> float:
    return float(x[0])


def number(text: str) -> float:
    """Every string has a score of its own."""
    return float(sum((1 + "abc".index(c)) * 4.0 ** -(i + 1) for i, c in enumerate(text)))


def judge(function: Any) -> FunctionOfContent:
    return FunctionOfContent(function, partial=False, kind=ScoreKind.OUTCOME)


async def solve(
    algorithm: Algorithm[Any], process: Any, function: Any = height, *, seed: int = 1, budget: Budget | None = None
) -> tuple[Result, list[Evolved], list[Any]]:
    session = Session.open(seed=seed, budget=budget)
    states: list[Evolved] = []
    result = await Search(lambda task: process, algorithm, judge(function)).solve(
        Task(), session, on_step=lambda snapshot: states.append(snapshot.state)
    )
    session.close()
    return result, states, session.trace.events


# -- cost -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_the_cost_is_the_formula(seed: int) -> None:
    """Spec 23, check 1: K_0 T + sum of K_(g+1) (T - s_g), and here one for each neighbour, which the chain charges."""
    rng, length, elite = np.random.default_rng(seed), 12, 1
    schedule = tuple(sorted(rng.choice(10, size=3, replace=False).tolist()))
    sizes = tuple(rng.integers(3, 9, size=4).tolist())
    method = Evolve(schedule=schedule, sizes=sizes, elites=elite)
    result, _, _ = await solve(method, GaussianChain(length=length))
    steps = sizes[0] * length + sum(k * (length - s) for k, s in zip(sizes[1:], schedule, strict=True))
    assert result.cost.denoiser_evals == steps + sum(k - elite for k in sizes[1:])
    assert len(result.candidates) == sum(sizes)
    assert result.cost.verifier_calls == sum(sizes)


async def test_no_children_at_all_is_best_of_n_with_the_same_seeds() -> None:
    """Spec 23, check 6."""
    evolved, _, _ = await solve(Evolve(schedule=(0,), sizes=(9, 0)), GaussianChain(length=4))
    drawn, _, _ = await solve(BestOfN(n=9), GaussianChain(length=4))
    assert evolved.scores == drawn.scores
    assert evolved.chosen == drawn.chosen
    assert evolved.cost == drawn.cost


async def test_waves_leave_finished_members_when_the_budget_ends() -> None:
    budget = Budget(denoiser_evals=30)
    at_once, _, _ = await solve(Evolve(n=4, schedule=(5,)), GaussianChain(length=10), budget=budget)
    in_waves, _, _ = await solve(Evolve(n=4, schedule=(5,), batch=2), GaussianChain(length=10), budget=budget)
    assert at_once.answer is None
    assert in_waves.answer is not None
    assert in_waves.cost.denoiser_evals <= 30


async def test_a_member_takes_one_judgement_of_the_budget_however_many_levels_it_passes() -> None:
    method = Evolve(schedule=(0, 3, 6), sizes=(6, 4, 4, 4), elites=1)
    result, _, _ = await solve(method, GaussianChain(length=9), budget=Budget(verifier_calls=18))
    assert result.stop is Stop.DONE
    assert result.cost.verifier_calls == 18


# -- the archive ----------------------------------------------------------------------------------------------------


async def test_a_state_is_stored_before_the_step_that_leaves_its_level() -> None:
    """Spec 23, check 4: the same seeds from a stored state give the same end, bit for bit; stored a step later they do not."""
    process, session = GaussianChain(length=6, dimension=3), Session.open(seed=3)
    run = Run(process, session, verifier=judge(height))
    method = Evolve(n=4, schedule=(0, 3))
    state = await method.init(run, run.key.child("init"))
    state = await method.step(state, run, run.key.child("step", 0))
    state = await method.step(state, run, run.key.child("step", 1))
    ends = state.ended.batch.states.x
    for place, keys in ((0, (0, 1)), (1, (1,))):
        again = state.archive.take(state.archive.at(place)).batch
        for leg in keys:
            again = (await run.advance(again, run.key.child("step", leg), steps=3)).batch
        assert again.done.all()
        assert np.array_equal(again.states.x, ends)
    late = (await run.advance(state.archive.take(state.archive.at(1)).batch, run.key.child("step", 9), steps=1)).batch
    wrong = (await run.advance(late, run.key.child("step", 1), steps=2)).batch
    assert not np.array_equal(wrong.states.x, ends)
    session.close()


async def test_the_fitness_of_a_state_is_the_score_of_its_end() -> None:
    """Every archived prefix begins the string that has its score, in all generations."""
    process = TokenChain("abc", length=7)
    _, states, _ = await solve(Evolve(n=5, schedule=(1, 3, 5)), process, number)
    archive, ended = states[-1].archive, states[-1].ended
    end_of = {number(text): text for text in process.texts(ended.batch.states)}
    prefixes = process.texts(archive.batch.states)
    assert len(prefixes) == 10 * 3 + 5 * 2 + 5
    for prefix, score, place in zip(prefixes, archive.score.tolist(), archive.place.tolist(), strict=True):
        assert len(prefix) == (1, 3, 5)[place]
        assert end_of[score].startswith(prefix)


async def test_elites_are_the_best_of_all_generations_and_children_differ_by_a_step() -> None:
    process = TokenChain("abc", length=7)
    _, states, events = await solve(Evolve(n=6, schedule=(2, 4), elites=2), process, number, seed=5)
    chosen = [e for e in events if isinstance(e, Resampled)]
    assert [e.step for e in chosen] == [1, 2]
    archive = states[-1].archive
    for place, event in enumerate(chosen):
        rows = archive.at(place)
        best = sorted(archive.score[rows].tolist(), reverse=True)[:2]
        score_of = dict(zip(archive.batch.id[rows].tolist(), archive.score[rows].tolist(), strict=True))
        assert [score_of[node] for node in event.ancestors[:2]] == best
    # Children of level 4 share their first three symbols with a state that stood there.
    stood = {text[:3] for text in process.texts(archive.take(archive.at(1)).batch.states)}
    last = states[-1].ended.take(states[-1].ended.chain == 2)
    assert {text[:3] for text in process.texts(last.batch.states)} <= stood


async def test_members_that_end_early_stand_there_with_their_end() -> None:
    process = TokenChain("abc", length=6, stop=0.6)
    result, states, _ = await solve(Evolve(n=6, schedule=(2, 4)), process, number)
    assert states[-1].archive.batch.done.any()
    assert len(states[-1].archive.at(0)) == 12
    assert sum(c.final for c in result.candidates) == 24


async def test_a_schedule_past_everyones_end_says_so() -> None:
    _, _, events = await solve(Evolve(n=4, schedule=(3, 9)), TokenChain("ab", length=4), len)
    said = [e.message for e in events if isinstance(e, Warned)]
    assert any("before level 9" in message for message in said)
    assert not any("before level 3" in message for message in said)


# -- choosing -------------------------------------------------------------------------------------------------------


def test_tournaments_have_their_law() -> None:
    """Spec 23, check 3: chi-square over 20,000 draws, and the published size of nine tenths is rejected by it."""
    score = np.array([3.0, 9.0, 1.0, 7.0, 5.0, 0.0, 8.0, 2.0, 6.0, 4.0])
    rank = np.argsort(np.argsort(-score))
    exact = np.array([math.comb(9 - j, 2) / math.comb(10, 3) for j in range(8)])
    assert exact[:3] == pytest.approx([0.3, 0.7 / 3, 0.175])

    def chi_square(size: int) -> float:
        won = np.bincount(rank[tournaments(score, 20_000, size, np.random.default_rng(7))], minlength=10)
        assert size != 3 or won[8:].sum() == 0
        return float(((won[:8] - 20_000 * exact) ** 2 / (20_000 * exact)).sum())

    assert chi_square(3) < 24.3  # 0.1 % of chi-square with 7 degrees of freedom
    assert chi_square(9) > 1000
    assert (tournaments(score, 500, 10, np.random.default_rng(1)) == 1).all()
    uniform = np.bincount(tournaments(score, 20_000, 1, np.random.default_rng(2)), minlength=10)
    assert np.abs(uniform - 2000).max() < 4.5 * math.sqrt(2000)
    assert elites(np.array([1.0, 3.0, 3.0, -np.inf]), 3).tolist() == [1, 2, 0]


async def test_no_opinion_ranks_below_all_others_and_is_told() -> None:
    def picky(x: Any) -> float:
        return float("nan") if x[0] < 0.5 else float(x[0])

    result, states, events = await solve(Evolve(n=6, schedule=(0, 2)), GaussianChain(length=4), picky)
    known = [score for score in result.scores if score is not None]
    assert result.scores[result.chosen or 0] == max(known)
    assert np.isneginf(states[-1].archive.score).any()
    silent = sum(score is None for score in result.scores)
    assert any(isinstance(e, Warned) and e.message.startswith(f"{silent} of 24 ends") for e in events)


@pytest.mark.parametrize("lossy", [False, True])
async def test_the_best_so_far_never_falls(lossy: bool) -> None:
    """The answer after every step, also where elites come to worse ends than before and members are lost on the way."""
    method, risen, worse = Evolve(n=6, schedule=(0, 2, 4)), 0, 0
    for seed in range(5):
        chain: Any = GaussianChain(length=6)
        _, states, _ = await solve(method, Reaching(Flaky(chain, 0.1)) if lossy else chain, seed=seed)
        answers = [method.answer(state) for state in states]
        best = [float(a.scores[a.chosen]) for a in answers if a.chosen is not None]
        assert len(best) > 8
        assert best == sorted(best)
        risen += best[-1] > best[0]
        ended = states[-1].ended
        of = [float(np.nanmax(ended.score[ended.chain == number])) for number in range(4)]
        worse += of != sorted(of)
    assert risen >= 3
    assert worse >= 1


async def test_a_narrow_line_of_descent_is_told() -> None:
    method = Evolve(n=4, schedule=(1, 2, 3, 4, 5), tournament=8)
    _, _, events = await solve(method, TokenChain("abc", length=7), number)
    assert any(isinstance(e, Warned) and "descends from one of the 8" in e.message for e in events)
    distinct = [e.distinct for e in events if isinstance(e, Resampled)]
    assert distinct == sorted(distinct, reverse=True)


# -- whole answers --------------------------------------------------------------------------------------------------


async def test_whole_answers_are_rewritten() -> None:
    process = TokenChain("abc", length=5, stop=0.2)
    result, _, events = await solve(Evolve(n=4, schedule=(0, 0, 0), mutation="revise"), process, number)
    assert [e.kind for e in events if isinstance(e, Advanced)] == ["step", "revise", "revise", "revise"]
    assert len(result.candidates) == 8 + 3 * 4
    assert set(result.by_role) == {"generate", "refine", "verify"}
    scores = [float(s) for s in result.scores if s is not None]
    assert np.mean(scores[-4:]) > np.mean(scores[:8])


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schedule": (2, 2)}, "rise"),
        ({"n": 2, "elites": 2}, "elites = 2 in a generation of 2"),
        ({"n": 1, "elites": 0}, "first generation of 2"),
        ({"sizes": (4, 2)}, "2 sizes"),
        ({"schedule": (1,), "sizes": (0, 2)}, "at least 1"),
        ({"schedule": (1,), "sizes": (4, 4), "n": 4}, "no n"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Evolve(**settings)


def test_scores_must_keep_their_meaning() -> None:
    with pytest.raises(Incompatible, match="different generations"):
        Evolve().check_verifier(ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, relative=True))


def test_it_works_on_whole_samples_where_nothing_is_changed_under_way() -> None:
    assert Evolve(schedule=(0,)).whole_samples
    assert Evolve(mutation="revise").whole_samples
    assert not Evolve().whole_samples
