"""An event loop on virtual time: when nothing is ready, the clock jumps to the next timer. Hours pass in milliseconds, exactly.

    assert run_virtual(session_of_an_hour()) == ...

Speed is proved by counts on this clock (rounds, calls in flight, virtual seconds), never by wall-clock time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for the next timer, tells the loop that its time has come."""

    def __init__(self, patience: float, wire: float) -> None:
        super().__init__()
        self.now = 0.0
        self.jumps: list[float] = []
        self._patience = patience
        self._wire = wire

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # No timer is set: only another thread can wake the loop.
            events = super().select(self._patience)
            if not events:
                raise RuntimeError(
                    f"Nothing is scheduled on the virtual clock and no thread woke the loop for {self._patience} s: a deadlock."
                )
            return events
        if timeout > 0:
            if self._wire and (events := super().select(self._wire)):
                return events
            self.now += timeout
            self.jumps.append(self.now)
            timeout = 0
        return super().select(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` is virtual and starts at 0. `jumps` holds the times at which a timer woke it.

    Work in other threads takes no virtual time: a timer may overtake it. So may it overtake data between two sockets of this process,
    unless `wire` says how long, in real seconds, to look for it before each jump.
    """

    def __init__(self, patience: float = 10.0, *, wire: float = 0.0) -> None:
        self._jumping = _Jumping(patience, wire)
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    @property
    def jumps(self) -> tuple[float, ...]:
        """The times at which a timer woke the loop, in virtual seconds, each once."""
        return tuple(dict.fromkeys(self._jumping.jumps))


def run_virtual(work: Coroutine[Any, Any, T], *, patience: float = 10.0, wire: float = 0.0) -> T:
    """Run a coroutine to its end on a fresh virtual loop.

    Args:
        patience: real seconds to wait for another thread while nothing is scheduled, before calling it a deadlock.
        wire: real seconds to look for data on sockets before the clock jumps; 0.005 where client and server are both in this process.
    Raises: `RuntimeError` for a deadlock, and when the work leaves tasks behind.
    """

    async def alone() -> T:
        result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            raise RuntimeError(f"{len(left)} tasks were left behind: {sorted(task.get_name() for task in left)}")
        return result

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience, wire=wire)) as runner:
        return runner.run(alone())
