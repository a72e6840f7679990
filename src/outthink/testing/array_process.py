"""What toy processes share: states that are columns of arrays, claims in slot order, and a count of what was spent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from outthink.core import Advance, Allowance, CheckpointError, Cost, Process, Rows, decode, encode
from outthink.core.cost import ZERO
from outthink.numerics.types import BoolArray, FloatArray, IntArray, SeedArray


@dataclass(frozen=True)
class ToyStates(Rows):
    """States of a toy, as columns. Every toy's states have at least these two.

    Attributes:
        level: steps taken, [n].
        done: finished, [n].
    """

    level: IntArray
    done: BoolArray


T = TypeVar("T", bound=ToyStates)


@dataclass(frozen=True)
class Prices:
    """What a toy charges: `call` for each slot that is served, `step` for each step it takes."""

    call: Cost = Cost(calls=1)  # noqa: RUF009 - frozen
    step: Cost = Cost(output_tokens=1)  # noqa: RUF009 - frozen


class ArrayProcess(Process[T], ABC, Generic[T]):
    """A process of at most `length` steps whose states are columns; a subclass draws one step for all rows at once.

    Attributes:
        prices: what it charges.
        counters: what it has charged so far: the other side of every bill.
        calls: how often the backend was called.
    """

    states_class: type[T]

    def __init__(self, length: int, prices: Prices) -> None:
        self.length = length
        self.prices = prices
        self.counters = ZERO
        self.calls = 0

    @property
    def exact(self) -> bool:
        return True

    @abstractmethod
    def draw(self, states: T, seeds: SeedArray, counter: int) -> tuple[T, FloatArray]:
        """One step of every row: the states after it, `level` and `done` included, and the log ratio of the draw, [n]."""

    async def advance(self, states: T, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance) -> Advance[T]:
        left = self.length - states.level
        wanted = np.where(states.done, 0, left if steps is None else np.minimum(left, steps))
        return self.walk(states, seeds, wanted, allowance)

    def walk(self, states: T, seeds: SeedArray, wanted: IntArray, allowance: Allowance) -> Advance[T]:
        """Take up to `wanted` steps, [n], as far as the allowance goes; rows that want none are left alone and cost nothing."""
        grants = self.claim(wanted, allowance)
        log_ratio, taken = np.zeros(len(wanted)), np.zeros(len(wanted), np.int64)
        now = states
        for k in range(int(grants.max(initial=0))):
            at = np.flatnonzero((grants > k) & ~now.done)
            if len(at) == len(now):
                now, ratio = self.draw(now, seeds, k)
            elif len(at):
                moved, ratio = self.draw(now.take(at), seeds[at], k)
                now = put(now, at, moved)
            else:
                break
            log_ratio[at] += ratio
            taken[at] += 1
        short = (grants >= 0) & (grants < wanted) & ~now.done
        cost = self.charge(int((grants > 0).sum()), int(taken.sum()))
        return Advance(now, now.done, log_ratio, cost, short=short, untouched=grants < 0)

    def claim(self, wanted: IntArray, allowance: Allowance) -> IntArray:
        """Steps granted to each slot, [n]; -1 for none, 0 where none were wanted."""
        grants = np.zeros(len(wanted), np.int64)
        at = np.flatnonzero(wanted > 0)
        if len(at) == 0:
            return grants
        amounts = wanted[at].tolist()
        price = {"fixed": self.prices.call, "unit": self.prices.step, "least": 1}
        if min(amounts) == max(amounts):
            got = allowance.claim_each(len(at), most=amounts[0], **price)  # type: ignore[arg-type]
        else:
            got = [allowance.claim(most=amount, **price) for amount in amounts]  # type: ignore[arg-type]
        grants[at] = [-1 if g is None else g for g in got]
        return grants

    def charge(self, calls: int, steps: int) -> Cost:
        """The cost of so many served slots and steps, counted."""
        cost = self.prices.call.times(calls) + self.prices.step.times(steps)
        self.counters = self.counters + cost
        self.calls += calls > 0
        return cost

    def take(self, states: T, index: IntArray) -> T:
        return states.take(index)

    def concat(self, parts: Sequence[T]) -> T:
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.join(part)
        return joined

    def dump(self, states: T) -> bytes:
        return encode(states)

    def load(self, data: bytes) -> T:
        states: Any = decode(data)
        if not isinstance(states, self.states_class):
            raise CheckpointError(f"The saved states are not those of a {type(self).__name__}.")
        return states


def put(states: T, at: IntArray, rows: T) -> T:
    """`states` with the rows at `at`, [m], replaced by `rows`."""
    index = np.arange(len(states))
    index[at] = len(states) + np.arange(len(at))
    return states.join(rows).take(index)


def unmoved(states: T) -> Advance[T]:
    """What a capability returns that neither drew nor charged anything."""
    return Advance(states, states.done, np.zeros(len(states)))
