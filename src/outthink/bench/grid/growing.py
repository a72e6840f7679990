"""A search of its own below a cap: whether its answer is the method's, or what the cap or a cut left of it, is known afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from outthink.bench.contest import Contestant, Question, play, unrecorded
from outthink.bench.grid.spending import UnitLedger
from outthink.bench.outcome import Outcome
from outthink.core.cost import Budget
from outthink.core.session import Session


@dataclass(frozen=True)
class Grown:
    """What became of a search: its outcome, and the limit of the whole run that kept it from being its own, "" for none."""

    outcome: Outcome
    capped: str = ""

    def kept_from_being_whole(self, session: Session) -> str:
        """The limit of the whole run, or the reason of the session's cut, that ended it; "" for none."""
        cut = session.cut.reason
        return self.capped or (cut if cut is not None and self.outcome.limit == cut else "")


async def grow(contestant: Contestant, question: Question, seed: int, budget: Budget | None, session: Session) -> Grown:
    """A contestant's own search on a question, under a budget of its own below the session's."""
    ledger = UnitLedger(budget, parent=session.ledger)
    name = f"{contestant.method}/{contestant.size}/{seed}/{question.task.id}"
    child = unrecorded(replace(session.child(name, budget=budget), ledger=ledger))
    outcome = await play(contestant, seed, question, child)
    out_of_budget = outcome.limit or ("cap" if outcome.failure.startswith("BudgetExhausted") else "")
    return Grown(outcome, out_of_budget if ledger.capped else "")
