"""Who does the paid work: this process, or others. What it makes and what it cost come back; nothing else differs.

An executor does one unit at a time for whoever asks, as many as are asked for at once. A unit that the cap of the whole run kept from
being itself says so, and is asked for again when less is under way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from outthink.bench.grid.workbench import Workbench
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.events import Trace
from outthink.core.key import Key
from outthink.core.ledger import Ledger
from outthink.core.session import Session, loop_time

KEY = Key(0)
"""Every unit's randomness is below this key, at its own name."""


@dataclass(frozen=True)
class PoolUnit:
    """A pool to be drawn: of which of the workbench's pools, under which seed, for which question."""

    pool: int
    seed: int
    question: str


@dataclass(frozen=True)
class SearchUnit:
    """A search to be run: by which of the workbench's growing entrants; `budget` in place of its recipe's."""

    entrant: int
    seed: int
    question: str
    budget: Budget | None = None


Unit = PoolUnit | SearchUnit


@dataclass(frozen=True)
class Done:
    """What became of a unit. `row` is None where a limit of the whole run, or a cut, kept it from being whole; `limit` says which."""

    row: Pool | Outcome | None
    limit: str = ""


class Executor(ABC):
    """Does units."""

    name: str = ""

    @abstractmethod
    async def do(self, unit: Unit) -> Done:
        """One unit, paid for by the run's ledger."""

    async def close(self) -> None:
        """Let go of what it holds. By default there is nothing."""


async def work(bench: Workbench, unit: Unit, session: Session) -> Done:
    """Do a unit at a workbench, in a session."""
    question = bench.questions[unit.question]
    if isinstance(unit, PoolUnit):
        drawn = await bench.draw(bench.pools[unit.pool], question, unit.seed, session)
        return Done(drawn.pool, drawn.limit)
    entrant = bench.growing[unit.entrant]
    grown = await bench.grow(entrant, question, unit.seed, unit.budget, session)
    limit = grown.kept_from_being_whole(session)
    return Done(None, limit) if limit else Done(grown.outcome)


def session_of(ledger: Ledger, cut: Cut) -> Session:
    """A session for units, whose events nobody keeps."""
    return Session(KEY, ledger, Trace(), cut, began=loop_time())


class LocalExecutor(Executor):
    """Everything in this process, on one workbench."""

    name = "local"

    def __init__(self, bench: Workbench, ledger: Ledger, cut: Cut) -> None:
        self._bench = bench
        self._session = session_of(ledger, cut)

    async def do(self, unit: Unit) -> Done:
        return await work(self._bench, unit, self._session)
