"""Everything that one task's work shares: a key, a ledger, a trace, a deadline.

Child sessions extend the key and the ledger; the trace and the cut are one. The clock is the event loop's own, so that tests may run
on virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.events import Sink, Trace
from outthink.core.key import Key
from outthink.core.ledger import Ledger

if TYPE_CHECKING:
    from outthink.core.allocation import Turn


def loop_time() -> float:
    """Seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


@dataclass
class Session:
    """Open one with `Session.open` inside a running loop; close it when the work is done.

    `turn`: what a search waits for before each step, where one budget is dealt out among many tasks.
    """

    key: Key
    ledger: Ledger
    trace: Trace
    cut: Cut
    name: str = ""
    began: float = 0.0
    turn: Turn | None = None
    _timer: asyncio.TimerHandle | None = field(default=None, repr=False)
    _unlink: Callable[[], None] | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        *,
        seed: int = 0,
        budget: Budget | None = None,
        sinks: Sequence[Sink] = (),
        cut: Cut | None = None,
        name: str = "",
    ) -> Session:
        """A fresh session whose time limit starts now."""
        session = cls(Key(seed), Ledger(budget), Trace(tuple(sinks)), cut or Cut(), name, loop_time())
        session.start_clock(budget)
        return session

    def child(self, name: str, *, budget: Budget | None = None) -> Session:
        """A session inside this one: its own key and run name, costs charged in both.

        A time limit of its own gives it a cut of its own, which this session's cut fires as well.
        """
        ledger = Ledger(budget, parent=self.ledger)
        inner = replace(
            self,
            key=self.key.child(name),
            ledger=ledger,
            name=f"{self.name}/{name}" if self.name else name,
            began=loop_time(),
            turn=None,
            _timer=None,
            _unlink=None,
        )
        if budget is not None and budget.seconds is not None:
            inner.cut = Cut()
            inner.follow(self.cut)
            inner.start_clock(budget)
        return inner

    def follow(self, outer: Cut) -> None:
        """Fire this session's cut when `outer` fires, for as long as this session is open."""
        self._unlink = outer.on_fire(lambda: self.cut.fire(outer.reason or "interrupt"))

    def elapsed(self) -> float:
        """Seconds since this session began."""
        return loop_time() - self.began

    def close(self) -> None:
        """Stop the clock; a session above no longer reaches this one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._unlink is not None:
            self._unlink()
            self._unlink = None

    def start_clock(self, budget: Budget | None) -> None:
        """Fire the cut when the budget's seconds are over."""
        if budget is not None and budget.seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(budget.seconds, self.cut.fire, "seconds")
