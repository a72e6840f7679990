"""How one budget is spread over many tasks.

`Even` gives each the same share. `Marginal` gives each a first turn within that share, and then every further turn to the task that is
predicted to gain most for its price (`Algorithm.gain`): what easy tasks leave over goes to those that it may still help. Tasks that nobody
can tell apart get the same, so on tasks that are all alike it is `Even`.

A search asks for its turn before each step and waits until nobody is at work; then the turns of a round are dealt, so that who gets what
does not depend on who answers first. Each has its own limit in a round, and the limits of a round never add up to more than is left.

Source: spec 07, budget by predicted difficulty; the greedy rule is that of the knapsack with concave values.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from outthink.core.cost import Budget
from outthink.core.errors import BudgetExhausted
from outthink.core.session import Session
from outthink.core.task import Task


class Allocator(ABC):
    """Spreads what is left of one budget over many tasks."""

    @abstractmethod
    def split(self, tasks: Sequence[Task], session: Session) -> list[Budget]:
        """One budget a task: what it may use, or what it may use at first where turns are taken."""

    def turns(self, tasks: Sequence[Task], session: Session, in_flight: int) -> Turns | None:
        """Who deals the turns; None where each task simply uses its budget."""
        return None


class Even(Allocator):
    """Every task gets the same share of each counted limit; time is shared by all."""

    def split(self, tasks: Sequence[Task], session: Session) -> list[Budget]:
        shares: dict[str, Any] = {}
        for column in session.ledger.columns():
            share = session.ledger.remaining(column) / max(1, len(tasks))
            whole = column != "money"
            if share <= 0 or (whole and share < 1):
                raise BudgetExhausted(column, f"The budget's {column} cannot be split over {len(tasks)} tasks.")
            shares[column] = int(share) if whole else share
        return [Budget(**shares) for _ in tasks]


class Marginal(Even):
    """A first turn for everybody, further ones by predicted gain per cost; see the module."""

    def turns(self, tasks: Sequence[Task], session: Session, in_flight: int) -> Turns:
        return Turns(session, len(tasks), in_flight)


@dataclass
class _Player:
    """One task: what it has, whether it waits and with what prediction, and how its last turn was limited."""

    session: Session
    turns: int = 0
    gain: float = math.nan
    waits: asyncio.Future[None] | None = None
    alone: bool = False


class Turns:
    """Deals turns to `n` tasks, at most `in_flight` at a time. Used from one event loop."""

    def __init__(self, session: Session, n: int, in_flight: int) -> None:
        ledger = session.ledger
        self._ledger = ledger
        self._whole = {column: ledger.remaining(column) for column in ledger.columns()}
        self._share = {column: left / max(1, n) for column, left in self._whole.items()}
        self._players: dict[int, _Player] = {}
        self._working, self._in_flight = n, in_flight
        self._group, self._refused = in_flight, False

    def join(self, index: int, session: Session) -> Turn:
        """The handle of one task; every task joins once and leaves once."""
        self._players[index] = _Player(session)
        return Turn(self, index)

    def leave(self, index: int) -> None:
        """The task is over."""
        player = self._players.pop(index, None)
        if player is None or player.waits is None:
            self._working -= 1
            self._deal()

    async def wait(self, index: int, gain: float) -> None:
        """Until it is this task's turn; `gain` as of `Algorithm.gain`."""
        player = self._players[index]
        dealt = asyncio.get_running_loop().create_future()
        player.gain, player.waits = gain, dealt
        self._working -= 1
        self._deal()
        await dealt

    def refused(self, index: int) -> bool:
        """The turn was too small for anything useful. Whether to wait for a larger one: not if it had all that is left."""
        self._refused = True
        return not self._players[index].alone

    def _deal(self) -> None:
        waiting = [(i, p) for i, p in self._players.items() if p.waits is not None]
        if self._working > 0 or not waiting:
            return
        first = [one for one in waiting if one[1].turns == 0]
        # After a turn that was too small fewer share what is left; alone a task gets something, or is at its end.
        self._group = max(1, self._group // 2) if self._refused else min(self._in_flight, 2 * self._group)
        self._refused = False
        left = {column: self._ledger.remaining(column) for column in self._whole}
        chosen = sorted(first or waiting, key=lambda one: self._rank(*one))[: self._size(left)]
        for _, player in chosen:
            for column, amount in left.items():
                if not first:  # a first turn has the even share that the task came with
                    player.session.ledger.allow(column, amount / len(chosen))
            player.turns, player.alone = player.turns + 1, len(chosen) == 1 and not first
            done, player.waits = player.waits, None
            if done is not None and not done.done():
                done.set_result(None)
        self._working = len(chosen)

    def _size(self, left: dict[str, float]) -> int:
        """How many get a turn: as many as leave each at least an even share."""
        fits = [left[column] / share for column, share in self._share.items() if share > 0]
        return max(1, min(self._group, *[int(fit + 1e-9) for fit in fits]) if fits else self._group)

    def _rank(self, index: int, player: _Player) -> tuple[float, float, int]:
        """The best gain per cost, then the cheapest so far, then the first."""
        spent = self._spent(player)
        gain = math.inf if math.isnan(player.gain) or spent == 0 else player.gain / spent
        return (-gain, spent, index)

    def _spent(self, player: _Player) -> float:
        """What a task has used, as a share of the whole in the column that it weighs most on; tokens where nothing is limited."""
        total = player.session.ledger.total
        shares = [total.column(column) / whole for column, whole in self._whole.items() if whole > 0]
        return max(shares, default=float(total.tokens))


@dataclass(frozen=True)
class Turn:
    """One task's place among many: what its search asks before each step."""

    turns: Turns = field(repr=False)
    index: int

    async def wait(self, gain: float) -> None:
        """Until it is this task's turn."""
        await self.turns.wait(self.index, gain)

    def refused(self) -> bool:
        """Nothing useful fitted into this turn; whether to wait for another."""
        return self.turns.refused(self.index)
