from __future__ import annotations

import math

import numpy as np
import pytest

from outthink.core import Allowance, InputError, Key
from outthink.testing import GridAgent

N = 20_000


async def test_success_is_what_the_walks_say() -> None:
    agent = GridAgent(length=5)
    states = await agent.start(Key(1).seeds(N))
    got = await agent.advance(states, Key(2).seeds(N), steps=None, allowance=Allowance())
    exact = agent.success()[agent.start_cell]
    share = (got.states.cell == agent.goal).mean()
    assert abs(share - exact) < 4.5 * math.sqrt(exact * (1 - exact) / N)
    assert abs(share - GridAgent(length=6).success()[agent.start_cell]) > 10 * math.sqrt(exact * (1 - exact) / N)
    assert got.done.all()


def test_success_by_hand() -> None:
    corridor = GridAgent(("SG",), length=2, policy=(0.25, 0.25, 0.25, 0.25))
    assert corridor.success(0).tolist() == [0.0, 1.0]
    assert corridor.success(1).tolist() == [0.25, 1.0]
    assert corridor.success(2)[0] == pytest.approx(0.25 + 0.75 * 0.25)
    walled = GridAgent(("S#G",), length=9)
    assert walled.success()[0] == 0.0


async def test_the_transcript_tells_the_walk() -> None:
    agent = GridAgent(("SG", ".."), length=3, policy=(0, 1, 0, 0))
    got = await agent.advance(await agent.start(Key(1).seeds(1)), Key(2).seeds(1), steps=None, allowance=Allowance())
    (seen,) = await agent.view(got.states, frozenset({"steps", "cell"}))
    assert [message.role for message in seen.content] == ["user", "assistant"] * 3 + ["user"]
    assert [message.content for message in seen.content][:3] == [
        "You are in row 0, column 0.",
        "down",
        "You are in row 1, column 0.",
    ]
    assert seen.features == {"steps": ("down",) * 3, "cell": (1, 0)}
    assert (seen.answer, seen.kind, seen.final) == ("lost", "transcript", True)


async def test_rewinding_replays_the_actions() -> None:
    agent = GridAgent(length=6)
    one = await agent.advance(await agent.start(Key(1).seeds(50)), Key(2).seeds(50), steps=2, allowance=Allowance())
    two = await agent.advance(one.states, Key(3).seeds(50), steps=None, allowance=Allowance())
    back = await agent.rewind(two.states, np.full(50, 2), Key(4).seeds(50), allowance=Allowance())
    assert back.states.cell.tolist() == one.states.cell.tolist()
    assert back.states.actions.tolist() == one.states.actions.tolist()
    assert back.done.tolist() == one.done.tolist()


@pytest.mark.parametrize("grid", [("S.", "G"), ("S.",), ("G.",), ("SS", "GG")])
def test_bad_grids_are_refused(grid: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="grid"):
        GridAgent(grid)


async def test_perturbing_keeps_the_law() -> None:
    agent = GridAgent(length=5)
    got = await agent.advance(await agent.start(Key(1).seeds(N)), Key(2).seeds(N), steps=None, allowance=Allowance())
    near = await agent.perturb(got.states, np.full(N, 0.8), Key(3).seeds(N), allowance=Allowance())
    before, after = (np.bincount(s.cell * 10 + s.level, minlength=100) for s in (got.states, near.states))
    assert (np.abs(after - before) < 6 * np.sqrt(before) + 6).all()
    assert near.done.all()
    assert 0.1 < (near.states.actions != got.states.actions).any(axis=1).mean() < 0.7
    replayed = await agent.rewind(near.states, np.full(N, 99), Key(4).seeds(N), allowance=Allowance())
    assert replayed.states.cell.tolist() == near.states.cell.tolist()
