"""Particle Gibbs and parallel tempering: what a sweep keeps, what stands behind the answer, what is paid for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Batch, Incompatible, Result, Run, ScoreKind, ScoreSpec, Search, Session, SettingsError, Task
from outthink.core.events import Advanced, Exchanged, Resampled, Started, Warned
from outthink.search import Incremental, ParallelTempering, ParticleFilter, ParticleGibbs
from outthink.search.lineage import Kept, Steps
from outthink.search.sweeping import Sweeping
from outthink.testing import FunctionOfAnswer, FunctionOfContent, Strings, TokenChain


def score(text: str) -> float:
    return 1.5 * text.count("b") - 0.5 * text.count("c")


async def solve(
    algorithm: Any, function: Any = score, seed: int = 0, **chain: Any
) -> tuple[Result, Session, TokenChain]:
    process = TokenChain("abc", **{"length": 4, **chain})
    session = Session.open(seed=seed)
    search = Search(lambda task: process, algorithm, FunctionOfContent(function), FunctionOfAnswer(len))
    result = await search.solve(Task(), session)
    session.close()
    return result, session, process


@pytest.mark.parametrize(("algorithm", "tokens"), [
    (ParticleGibbs(n=5, sweeps=3), 4 * (5 + 4 + 4)),
    (ParticleGibbs(n=5, sweeps=1), 4 * 5),
    (ParallelTempering(n=3, sweeps=2, temperatures=(4.0, 2.0, 1.0)), 3 * 4 * (3 + 2)),
], ids=["three sweeps", "one sweep", "three chains"])  # fmt: skip
async def test_a_kept_path_is_not_paid_for_again(algorithm: Sweeping, tokens: int) -> None:
    """Budget = members x sweeps x chains, less one member for each path that was kept; every text step is judged once."""
    result, _, process = await solve(algorithm)
    assert process.counters.output_tokens == tokens
    assert result.cost.verifier_calls == tokens


async def test_chains_move_in_one_batch() -> None:
    _, _, process = await solve(ParallelTempering(n=3, sweeps=2, temperatures=(4.0, 2.0, 1.0)))
    assert process.calls == 2 * 4


async def test_nothing_is_resampled_after_the_last_step() -> None:
    _, session, _ = await solve(ParticleGibbs(n=6, sweeps=3))
    steps = [e.step for e in session.trace.events if isinstance(e, Resampled)]
    assert steps == [1, 2, 3] * 3


async def test_descendants_of_the_reference_go_on_from_where_it_was() -> None:
    """A copy is the reference cut to the step at which it was copied, unfinished."""
    found = 0
    for seed in range(10):
        _, session, _ = await solve(ParticleGibbs(n=6, sweeps=2), seed=seed)
        events = session.trace.events
        second = [i for i, e in enumerate(events) if isinstance(e, Started)][1]
        first_sweep = {n for e in events[:second] if isinstance(e, (Started, Advanced)) for n in e.nodes}
        contents = {node: c.content for (_, node), c in session.trace.contents.items()}
        for e in events[second:]:
            if isinstance(e, Advanced):
                for parent, node in zip(e.parents, e.nodes, strict=True):
                    if parent in first_sweep:
                        found += 1
                        assert contents[node][:-1] == contents.get(parent, "")
    assert found > 10


@pytest.mark.parametrize("keep", ["all", "last"])
async def test_whose_members_stand_behind_the_answer(keep: Any) -> None:
    result, _, _ = await solve(ParticleGibbs(n=5, sweeps=3, keep=keep))
    assert len(result.candidates) == (15 if keep == "all" else 5)
    assert sum(result.weights) == pytest.approx(1.0)
    assert result.chosen is not None
    assert result.scores[result.chosen] == max(s for s in result.scores if s is not None)


async def test_the_coldest_chain_answers() -> None:
    result, session, _ = await solve(ParallelTempering(n=4, sweeps=3, temperatures=(8.0, 1.0), choose="weight"))
    started = [e for e in session.trace.events if isinstance(e, Started)]
    assert len(started) == 3
    weights = np.array(result.weights).reshape(3, 2, 4)
    assert (weights[:, 0] == 0).all()
    assert weights[:, 1].sum(axis=1) == pytest.approx([1 / 3] * 3)
    exchanges = [e for e in session.trace.events if isinstance(e, Exchanged)]
    assert [(e.step, e.hotter) for e in exchanges] == [(1, 0), (2, 0), (3, 0)]


async def test_votes_pool_the_sweeps() -> None:
    result, _, _ = await solve(ParticleGibbs(n=6, sweeps=3, choose="vote"), stop=0.4)
    by_length: dict[int, float] = {}
    for candidate, weight in zip(result.candidates, result.weights, strict=True):
        by_length[len(candidate.content)] = by_length.get(len(candidate.content), 0.0) + weight
    assert len(result.answer) == max(by_length, key=lambda k: by_length[k])
    assert result.agreement == pytest.approx(max(by_length.values()))


async def test_a_chain_whose_members_are_all_rejected_starts_again() -> None:
    def picky(text: str) -> float:
        return 0.0 if text.startswith("c") else -math.inf

    saved = 0
    for seed in range(12):
        result, session, _ = await solve(ParticleGibbs(n=3, sweeps=8), picky, seed)
        dead = [e for e in session.trace.events if isinstance(e, Warned) and "rejected" in e.message]
        saved += bool(dead) and result.answer is not None
        assert result.answer is None or result.answer.startswith("c")
    assert saved > 0


async def test_relative_scores_are_refused() -> None:
    spec = ScoreSpec(ScoreKind.PREFIX_VALUE, partial=True, relative=True)
    for algorithm in (ParticleFilter(), ParticleGibbs(), ParallelTempering()):
        with pytest.raises(Incompatible, match="one call"):
            algorithm.check_verifier(spec)
    with pytest.raises(Incompatible, match="difference"):
        await solve(ParticleGibbs(twist=Incremental()))


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="free member"):
        ParticleGibbs(n=1)
    assert ParticleGibbs(n=1, sweeps=1).n == 1
    for bad in ((1.0, 2.0), (1.0, 1.0), (2.0, 0.0), ()):
        with pytest.raises(SettingsError):
            ParallelTempering(temperatures=bad)
    with pytest.raises(SettingsError, match="free member"):
        ParallelTempering(n=1)


# -- the lineage ------------------------------------------------------------------------------------------------------


def lineage(parents: list[int]) -> Steps:
    m = len(parents)
    flags, zeros = np.zeros(m, bool), np.arange(m, dtype=float)
    chain = TokenChain("a", length=9)
    states = _states(chain, m)
    return Steps(
        Batch(chain, states, np.arange(m), np.arange(m), flags, flags), zeros, zeros, zeros, zeros, np.array(parents)
    )


def _states(chain: TokenChain, m: int) -> Any:
    return Strings(np.arange(m), np.zeros(m, bool), np.zeros((m, 9), np.int64), np.zeros(m))


def test_a_path_is_read_back_and_dead_ends_are_forgotten() -> None:
    steps = lineage([-1, -1, 0, 1, 2, 2, 4])
    assert steps.path(6).tolist() == [0, 2, 4, 6]
    pruned, tips = steps.pruned(np.array([6, 4]))
    assert pruned.batch.id.tolist() == [0, 2, 4, 6]
    assert pruned.parent.tolist() == [-1, 0, 1, 2]
    assert tips.tolist() == [3, 2]
    assert pruned.path(int(tips[0])).tolist() == [0, 1, 2, 3]


def test_kept_paths_stay_where_they_end_and_can_be_exchanged() -> None:
    kept = Kept.of(lineage([-1] * 7), [np.array([0, 1, 2]), np.zeros(0, np.int64), np.array([3, 4, 5, 6])])
    assert kept.there.tolist() == [0, 2]
    rows, going = kept.at(3)
    assert rows.batch.id.tolist() == [2, 6]
    assert going.tolist() == [False, True]
    assert kept.ends().batch.id.tolist() == [2, 6]
    swapped = kept.exchanged(np.array([2, 1, 0]))
    assert swapped.ends().batch.id.tolist() == [6, 2]
    assert swapped.there.tolist() == [0, 2]


async def test_what_is_stored_of_a_sweep_does_not_grow_with_every_member_and_step() -> None:
    """Jacob et al. 2015: about T + n log n steps, not T n."""
    process = TokenChain("abc", length=40)
    session = Session.open(seed=0)
    run = Run(process, session, verifier=FunctionOfContent(score))
    algorithm = ParticleGibbs(n=8, sweeps=1)
    state, step = await algorithm.init(run, run.key.child("init")), 0
    most = 0
    while not algorithm.done(state):
        state = await algorithm.step(state, run, run.key.child("step", step))
        most, step = max(most, len(state.lineage)), step + 1
    assert step == 40
    assert most < 40 + 8 * 8
