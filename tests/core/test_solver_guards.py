"""What a solver refuses: somebody else's checkpoint, tasks of one id, a process that is stuck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Advance,
    CheckpointError,
    Incompatible,
    InputError,
    Search,
    Session,
    Snapshot,
    Task,
    solve_many,
)
from outthink.search import BestOfN, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain

JUDGE = FunctionOfContent(lambda text: float(text.count("b")))


async def test_a_checkpoint_of_another_search_is_refused() -> None:
    taken: list[Snapshot] = []
    search = Search(lambda task: TokenChain(), ParticleFilter(n=4), JUDGE)
    first = await search.solve(Task(id="one"), Session.open(seed=3), on_step=taken.append)
    data = taken[1].dump()
    again = await search.solve(Task(id="one"), Session.open(seed=3), resume=data)
    assert again.answer == first.answer
    others = [
        (search, Task(id="one"), 4),
        (search, Task(id="two"), 3),
        (replace(search, algorithm=ParticleFilter(n=4, ess_threshold=1)), Task(id="one"), 3),
    ]
    for other, task, seed in others:
        with pytest.raises(CheckpointError, match="another search"):
            await other.solve(task, Session.open(seed=seed), resume=data)


async def test_tasks_of_one_id_are_refused_before_anything_is_spent() -> None:
    session = Session.open(seed=0)
    search = Search(lambda task: TokenChain(), BestOfN(n=2), JUDGE)
    with pytest.raises(InputError, match="twin"):
        await solve_many(search, [Task(id="twin"), Task(), Task(id="twin")], session)
    assert session.ledger.total.tokens == 0


class Stuck(TokenChain):
    """Leaves everyone untouched though nothing is limited."""

    async def advance(self, states: Any, seeds: Any, *, steps: int | None = 1, allowance: Any) -> Advance[Any]:
        moved = await super().advance(states, seeds, steps=steps, allowance=allowance)
        return replace(moved, states=states, done=states.done, untouched=np.ones(len(seeds), bool))


async def test_a_process_that_moves_nobody_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(Incompatible, match="untouched"):
        await Search(lambda task: Stuck(), ParticleFilter(n=2), JUDGE).solve(Task(), Session.open(seed=0))
