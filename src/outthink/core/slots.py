"""What has become of the slots of one call of a process so far, and the outcome that they come to.

    slots = Slots(states)                          # the states given, one a slot
    slots.states[2] = moved_on
    slots.failures[0] = failure
    return slots.result(lambda state: state.done)

For processes whose states are tuples. Whatever was put into `states` on the way, a slot that failed or was left waiting comes back as it
was given: its call is as good as never made, and may be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure
from outthink.core.process import Advance
from outthink.numerics.types import BoolArray

T = TypeVar("T")


class Slots(Generic[T]):
    """The slots of one call.

    Attributes:
        states: as they are now, to be changed in place; one a slot.
        short, untouched, failures: see `Advance`.
        cost, uncertain: of the replies so far.
    """

    def __init__(self, given: Sequence[T], begun: Sequence[T] | None = None) -> None:
        """Args: given: the states that the call was given. begun: those that it goes on from, where these are others (a revision)."""
        self._given = tuple(given)
        self.states = list(self._given if begun is None else begun)
        self.short: set[int] = set()
        self.untouched: set[int] = set()
        self.failures: dict[int, Failure] = {}
        self.cost = ZERO
        self.uncertain = ZERO

    def charge(self, cost: Cost, uncertain: Cost = ZERO) -> None:
        """Add to what the call has cost, and to how much more it may have been."""
        self.cost, self.uncertain = self.cost + cost, self.uncertain + uncertain

    def goes_on(self, slot: int) -> bool:
        """Whether the slot may be moved on once more in this call."""
        return not (slot in self.failures or slot in self.short or slot in self.untouched)

    def had_moved(self) -> None:
        """Say, after a further step of the same call, that who is left waiting has moved in it: it stopped short of its steps."""
        self.short |= self.untouched
        self.untouched = set()

    def result(self, done: Callable[[T], bool]) -> Advance[tuple[T, ...]]:
        """The outcome; `done` says of a state whether it is finished."""
        back = {*self.failures, *self.untouched}
        states = tuple([self._given[i] if i in back else state for i, state in enumerate(self.states)])
        n = len(states)
        return Advance(
            states=states,
            done=np.array([done(state) for state in states], dtype=bool),
            log_ratio=np.zeros(n),
            cost=self.cost,
            failures=self.failures,
            short=_among(self.short - set(self.failures), n),
            untouched=_among(self.untouched, n),
            uncertain=self.uncertain,
        )


def _among(slots: Iterable[int], n: int) -> BoolArray:
    found = np.zeros(n, dtype=bool)
    found[list(slots)] = True
    return found
