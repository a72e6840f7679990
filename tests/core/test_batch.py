from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from outthink.core import Batch, CheckpointError, Key, Rows, Run, Session, decode, encode
from outthink.numerics.types import FloatArray
from outthink.testing import Strings, TokenChain


@dataclass(frozen=True)
class Pair(Rows):
    left: FloatArray
    right: FloatArray
    step: int = 0

    shared: ClassVar[tuple[str, ...]] = ("step",)


@dataclass(frozen=True)
class Nested(Rows):
    pair: Pair
    weight: FloatArray


NESTED = Nested(Pair(np.arange(3.0), np.arange(3.0) * 10, step=7), np.arange(3.0) / 10)


def test_one_gather_moves_every_column() -> None:
    taken = NESTED.take([2, 2, 0])
    assert taken.pair.left.tolist() == [2.0, 2.0, 0.0]
    assert taken.pair.right.tolist() == [20.0, 20.0, 0.0]
    assert taken.weight.tolist() == [0.2, 0.2, 0.0]
    assert taken.pair.step == 7
    assert len(taken) == 3
    assert NESTED.weight.tolist() == [0.0, 0.1, 0.2]


def test_a_mask_picks_too_and_nothing_may_be_picked() -> None:
    assert NESTED.take(np.array([True, False, True])).weight.tolist() == [0.0, 0.2]
    assert len(NESTED.take([])) == 0
    assert len(NESTED.take([]).join(NESTED)) == 3


def test_join_appends_every_column() -> None:
    joined = NESTED.join(NESTED.take([1]))
    assert joined.weight.tolist() == [0.0, 0.1, 0.2, 0.1]
    assert joined.pair.left.tolist() == [0.0, 1.0, 2.0, 1.0]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"left.*right"):
        Pair(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="weight"):
        replace(NESTED, weight=np.zeros(2))


async def batch(n: int = 4) -> Batch:
    run = Run(TokenChain("ab", length=3), Session.open(seed=1))
    moved = await run.advance(await run.start(n, Key(0)), Key(1))
    return replace(moved.batch, failed=np.array([False, True, False, False]))


async def test_a_batch_moves_its_states_along() -> None:
    b = await batch()
    taken = b.take([3, 1, 1])
    assert taken.id.tolist() == b.id[[3, 1, 1]].tolist()
    assert taken.states.symbols.tolist() == b.states.symbols[[3, 1, 1]].tolist()
    assert taken.failed.tolist() == [False, True, True]
    joined = Batch.concat([b, taken])
    assert joined.states.symbols.tolist() == [*b.states.symbols.tolist(), *taken.states.symbols.tolist()]
    assert joined.id.tolist() == [*b.id.tolist(), *taken.id.tolist()]


async def test_alive_and_finished_leave_the_failed_out() -> None:
    b = replace(await batch(), done=np.array([True, True, False, False]))
    assert b.alive.tolist() == [False, False, True, True]
    assert b.finished.tolist() == [True, False, False, False]


async def test_a_batch_is_saved_with_the_bytes_of_its_process() -> None:
    b = await batch()
    back = decode(encode(b), b.process)
    assert isinstance(back, Batch)
    assert isinstance(back.states, Strings)
    assert back.states.symbols.tolist() == b.states.symbols.tolist()
    assert back.failed.tolist() == b.failed.tolist()
    with pytest.raises(CheckpointError, match="process"):
        decode(encode(b))
