"""Beam search: who survives, when it ends, what it needs."""

from __future__ import annotations

import pytest

from outthink.core import Budget, Incompatible, Result, ScoreKind, Search, Session, SettingsError, Stop, Task
from outthink.core.events import Advanced, Scored
from outthink.search import Beam
from outthink.testing import FunctionOfContent, TokenChain


async def solve(
    algorithm: Beam, verifier: FunctionOfContent, *, budget: Budget | None = None, seed: int = 0, **chain: float
) -> tuple[Result, Session]:
    session = Session.open(seed=seed, budget=budget)
    search = Search(lambda task: TokenChain("abc", length=4, **chain), algorithm, verifier)  # type: ignore[arg-type]
    result = await search.solve(Task(), session)
    session.close()
    return result, session


B_COUNT = FunctionOfContent(lambda text: float(text.count("b")))


async def test_only_children_of_the_best_go_on() -> None:
    _, session = await solve(Beam(n=8, width=4), B_COUNT)
    events = session.trace.events
    scored = [e for e in events if isinstance(e, Scored)]
    advanced = [e for e in events if isinstance(e, Advanced)]
    for before, after in zip(scored[:-1], advanced[1:], strict=True):
        values = dict(zip(before.nodes, before.values, strict=True))
        survivors = set(after.parents)
        assert len(survivors) == 2
        worst_kept = min(v for node in survivors if (v := values[node]) is not None)
        dropped = [v for node, v in values.items() if node not in survivors and v is not None]
        assert worst_kept >= max(dropped)
        assert all(after.parents.count(node) == 4 for node in survivors)


async def test_finished_beams_leave_and_compete_for_the_answer() -> None:
    for seed in range(10):
        result, _ = await solve(Beam(n=8, width=4), B_COUNT, seed=seed, stop=0.3)
        finished = [s for s, c in zip(result.scores, result.candidates, strict=True) if c.final and s is not None]
        assert result.stop is Stop.DONE
        assert result.scores[result.chosen or 0] == max(finished)


async def test_the_last_round_runs_to_the_end() -> None:
    result, session = await solve(Beam(n=4, width=2, rounds=2), B_COUNT)
    assert all(c.final for c in result.candidates)
    assert len([e for e in session.trace.events if isinstance(e, Advanced)]) == 2


async def test_a_cut_beam_returns_what_it_has() -> None:
    result, _ = await solve(Beam(n=4, width=2), B_COUNT, budget=Budget(output_tokens=9))
    assert result.cost.output_tokens <= 9
    assert (result.stop, result.limit) == (Stop.BUDGET, "output_tokens")
    assert result.answer is None
    assert result.candidates


async def test_beams_need_a_verifier_of_unfinished_answers() -> None:
    final_only = FunctionOfContent(len, partial=False, kind=ScoreKind.OUTCOME)
    with pytest.raises(Incompatible, match="best-of-n"):
        await solve(Beam(), final_only)
    assert final_only.seen == []


def test_n_must_be_divisible_by_the_width() -> None:
    with pytest.raises(SettingsError, match=r"n = 10, width = 4.*n = 8"):
        Beam(n=10, width=4)
