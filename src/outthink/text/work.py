"""What one call of `TextProcess` has in hand: the requests that it makes, and what has become of every slot so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure
from outthink.core.process import Advance
from outthink.engines.engine import Request
from outthink.text.partial import Partial, Texts


@dataclass(frozen=True)
class Call:
    """One request in the making: where it starts from, what it is for."""

    start: Partial
    request: Request
    whole: bool
    room: int


@dataclass
class Work:
    """What has become of the slots of one call so far."""

    states: list[Partial]
    short: set[int] = field(default_factory=set)
    untouched: set[int] = field(default_factory=set)
    failures: dict[int, Failure] = field(default_factory=dict)
    cost: Cost = ZERO
    uncertain: Cost = ZERO

    def result(self, given: Texts) -> Advance[Texts]:
        """The outcome; a failed slot holds the state that was given."""
        states = tuple(given[i] if i in self.failures else state for i, state in enumerate(self.states))
        n = len(states)
        return Advance(
            states=states,
            done=np.array([state.done for state in states], dtype=bool),
            log_ratio=np.zeros(n),
            cost=self.cost,
            failures=self.failures,
            short=np.isin(np.arange(n), list(self.short)),
            untouched=np.isin(np.arange(n), list(self.untouched)),
            uncertain=self.uncertain,
        )
