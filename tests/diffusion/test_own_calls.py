"""Our own time beside a network, by count: how many of our functions a step of the particle filter calls, and that members add none.

Counted are calls of functions of this package on the event loop's thread, and on the thread that asks the network. A step is what sixteen
steps more cost, over sixteen, so that beginnings and ends count for nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import outthink
from outthink.core import Budget, Key, Search, Session, Task
from outthink.diffusion import Ancestral, DenoisingProcess, Flow, Grid, Plain, Prediction, reward
from outthink.search import Difference, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain

PACKAGE = str(Path(outthink.__file__).parent)
TOYS = str(Path(PACKAGE, "testing"))


class Calls:
    """How many there were."""

    number = 0


@contextmanager
def counted() -> Iterator[Calls]:
    """Calls of our own functions on this thread while the block runs; the toys' are not ours."""
    calls = Calls()

    def look(frame: FrameType, event: str, _: Any) -> None:
        where = frame.f_code.co_filename
        calls.number += event == "call" and where.startswith(PACKAGE) and not where.startswith(TOYS)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def denoiser(steps: int) -> DenoisingProcess:
    network = Plain(lambda x, time, condition: x * 0.1, Prediction.DATA)
    return DenoisingProcess(network, Grid.on(Flow(), np.linspace(1.0, 0.0, steps + 1)), Ancestral(), (2, 3))


def calls_a_step(search: Callable[[int], Search]) -> float:
    """Of a search of so many steps, on the loop's thread."""

    async def solved(steps: int) -> int:
        session = Session.open(seed=0, budget=Budget(tokens=10**9, denoiser_evals=10**9))
        with counted() as calls:
            await search(steps).solve(Task(), session)
        return calls.number

    asyncio.run(solved(4))  # what is only done once, such as looking up a class's columns
    return (asyncio.run(solved(20)) - asyncio.run(solved(4))) / 16


def denoising(n: int) -> Callable[[int], Search]:
    # All weights stay even, so that every step is like the others.
    judge = reward(lambda x: 0.01 * x.mean(dim=(1, 2)))
    return lambda steps: Search(lambda task: denoiser(steps), ParticleFilter(n=n, twist=Difference()), judge)


def writing(n: int) -> Callable[[int], Search]:
    judge = FunctionOfContent(lambda text: 0.5)
    return lambda steps: Search(lambda task: TokenChain("ab", length=steps), ParticleFilter(n=n), judge)


def test_a_step_beside_a_network_takes_few_calls_however_many_members_there_are() -> None:
    few, many = calls_a_step(denoising(16)), calls_a_step(denoising(64))
    # A reward that is late by a moment comes back through the loop, which makes a dozen more calls of that step.
    assert few <= 290
    assert many - few <= 24  # of 48 members more


def test_a_step_on_texts_takes_few_calls_however_many_members_there_are() -> None:
    few, many = calls_a_step(writing(16)), calls_a_step(writing(64))
    assert few <= 230
    assert many <= few + 2


def test_the_networks_thread_does_rows_together() -> None:
    """But for their noise: each row's comes from its own seed, by one call."""

    def calls(n: int) -> int:
        process, seeds = denoiser(4), Key(1).seeds(n)
        states = asyncio.run(process.start(seeds))
        with counted() as made:
            moved = process._stepper.walk(states, seeds, np.full(n, 2), lambda: False)
        assert moved.asked == 3 * n
        assert torch.isfinite(moved.states.x).all()
        return made.number

    few, many = calls(16), calls(64)
    assert few <= 2 * (80 + 16)
    assert many - few <= 2 * 48
