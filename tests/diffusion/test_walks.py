"""What a denoising process holds between two steps, and how the steps of one call are made: handed over together, and ended together."""

from __future__ import annotations

import asyncio
import gc
import threading
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Allowance, Budget, Cost, Cut, Key, Ledger, Result, Search, Session, Task
from outthink.diffusion import Ancestral, DenoisingProcess, Flow, Grid, Plain, Prediction, SdeDpmSolver, Solver, reward
from outthink.search import Difference, ParticleFilter
from tests.diffusion.closed_form import denoiser, finished

NOISY_TOP = np.linspace(0.95, 0.0, 7)
HIGHER = reward(lambda x: x.flatten(1).mean(dim=1))


# -- what is held ------------------------------------------------------------------------------------------------------


def held_bytes(*roots: Any) -> int:
    """Bytes of all tensors that can be reached from here, shared ones once."""
    seen, waiting, storages = set[int](), list(roots), dict[int, int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            storages[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        waiting += gc.get_referents(one)
    return sum(storages.values())


@pytest.mark.parametrize("solver", [Ancestral(), SdeDpmSolver()], ids=lambda s: s.name())
def test_64_particles_hold_at_most_a_fifth_besides_their_latents_and_histories(solver: Solver) -> None:
    """Between two steps, in the search's state, its scores and its record together; what was looked at is let go."""
    shape, n = (4, 16, 16), 64
    network = Plain(lambda x, time, condition: 0.5 * x, Prediction.DATA)
    process = DenoisingProcess(network, Grid.on(Flow(), NOISY_TOP), solver, shape)
    search = Search(lambda task: process, ParticleFilter(n=n, twist=Difference(strength=50.0)), HIGHER)
    one = n * 4 * 16 * 16 * 4
    own = one * (2 + solver.remembers)  # the latents, the prediction there, what is remembered
    held: list[int] = []

    async def run() -> Result:
        session = Session.open(seed=1)
        return await search.solve(Task(), session, on_step=lambda now: held.append(held_bytes(now, session, process)))

    result = asyncio.run(run())
    assert len(held) == 6
    assert max(held[:-1]) >= own, "all of them are seen"
    # Finished samples are kept whole in the record, once.
    assert max(held[:-1]) <= 1.2 * own
    assert held_bytes(result) >= one


# -- many steps in one call ---------------------------------------------------------------------------------------------


def test_all_steps_of_a_call_are_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own time is in changes of thread: six steps make one. They end where six calls of one step with the same noise end."""
    handed = []
    off_loop = DenoisingProcess._off_loop

    async def counted(self: DenoisingProcess, work: Any, *given: Any) -> Any:
        handed.append(work)
        return await off_loop(self, work, *given)

    monkeypatch.setattr(DenoisingProcess, "_off_loop", counted)
    process = denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP))
    whole = finished(process, 3)
    assert len(handed) == 1
    states, seeds = asyncio.run(process.start(Key(7).child("start").seeds(3))), Key(7).child("steps").seeds(3)
    for number in range(6):
        states = process._stepper.step(states, seeds, number).states
    assert torch.equal(states.x, whole)


@pytest.mark.parametrize("how", ["cut", "cancelled"])
def test_a_call_of_many_steps_ends_with_the_step_under_way(how: str) -> None:
    """Whether the search is cut, which keeps what was done, or nobody waits for it any more."""
    begun, go_on, asked = threading.Event(), threading.Event(), []

    def call(x: torch.Tensor, time: torch.Tensor, condition: Any) -> torch.Tensor:
        asked.append(len(x))
        begun.set()
        assert go_on.wait(30.0)
        return x

    process = denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP), network=Plain(call, Prediction.DATA))

    async def run() -> None:
        states, cut = await process.start(Key(1).seeds(2)), Cut()
        allowance = Allowance(Ledger(Budget(denoiser_evals=100)), cut=cut)
        going = asyncio.ensure_future(process.advance(states, Key(2).seeds(2), steps=None, allowance=allowance))
        assert await asyncio.to_thread(begun.wait, 30.0)
        if how == "cut":
            cut.fire("interrupt")
        else:
            going.cancel()
            await asyncio.sleep(0)
        go_on.set()
        if how == "cut":
            moved = await going
            assert moved.states.level.tolist() == [1, 1]
            assert moved.was_short().all()
            assert moved.cost == Cost(calls=2, denoiser_evals=sum(asked))
        else:
            with pytest.raises(asyncio.CancelledError):
                await going

    asyncio.run(run())
    # Calls are served one after the other, so the walk is over once another one has been.
    others = asyncio.run(process.start(Key(5).seeds(4)))
    asyncio.run(process.complete(others, Key(3).seeds(4), allowance=Allowance()))
    assert asked == [2, 2, 4], "the first step asks at its start and at its end"
