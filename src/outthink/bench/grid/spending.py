"""What a whole run spends and its cap, kept over kills: a ledger that writes down what it may come to before it comes to it.

    with Spending(folder / "spending.jsonl", cap, identity=..., finished=...) as spending:
        Session(..., ledger=spending.ledger)

A mark in the file is never below what was spent and promised at any moment until the next mark, so a run that is killed and resumed knows
an upper bound, in tokens and in whatever is capped. What the folder's finished work says that it cost is known; what lies between that and
the mark counts as spent, and is reported as uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from outthink.bench.journal import Journal
from outthink.core.cost import ZERO, Budget, Cost, Role, total_of
from outthink.core.ledger import Ledger

SLACK = 0.01
"""How far a mark stands above what is needed now, as a share of the cap: the fewer marks, the more a kill leaves uncertain."""
LEAST_SLACK = 2_000
"""Tokens that a mark stands above what is needed where tokens are not capped; a share of what was spent where that is more."""


COUNTED_APART = ("calls", "verifier_calls", "denoiser_evals")


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent by role, and how much more it may come to until the next mark."""

    spent: dict[Role, Cost]
    more: Cost = ZERO


class CapLedger(Ledger):
    """The ledger of a whole run."""

    def __init__(self, cap: Budget, journal: Journal[Mark], finished: Mapping[Role, Cost] | None = None) -> None:
        super().__init__(cap)
        self._journal = journal
        self._tracked = tuple(dict.fromkeys(("tokens", *cap.limits())))
        self._marked: dict[str, float] = dict.fromkeys(self._tracked, 0.0)
        last = journal.rows[-1] if journal.rows else Mark(spent={})
        known = brought_up(last, finished or {})
        self.restore(known.spent, known.more)

    def claim(self, most: Cost) -> None:
        super().claim(most)
        if any(self._high(name) > self._marked[name] for name in self._tracked):
            self.mark(exact=False)

    def mark(self, *, exact: bool) -> None:
        """Write down what was spent; `exact`: nothing is under way, so that it is all."""
        more = self.uncertain if exact else self.uncertain + self.claimed + self._slack()
        self._journal.add(Mark(spent=self.state(), more=more))
        top = self.total + more
        self._marked = {name: top.column(name) for name in self._tracked}

    def _high(self, name: str) -> float:
        return self.total.column(name) + self.claimed.column(name) + self.uncertain.column(name)

    def _slack(self) -> Cost:
        limits = self.budget.limits()
        whole = {
            name: int(value * SLACK) for name, value in limits.items() if name not in ("tokens", "money", "seconds")
        }
        free = limits["tokens"] * SLACK if "tokens" in limits else max(LEAST_SLACK, self._high("tokens") * SLACK)
        whole["output_tokens"] = max(whole.get("output_tokens", 0), int(free))
        return Cost(money=limits.get("money", 0.0) * SLACK, **whole)


class UnitLedger(Ledger):
    """The ledger of one unit below the run's: it knows whether what it was refused, it was refused for the cap alone."""

    capped = False

    def units(self, fixed: Cost, unit: Cost, most: int) -> tuple[int, str]:
        best, bound = super().units(fixed, unit, most)
        if bound and self.parent is not None:
            above, self.parent = self.parent, None
            try:
                alone, _ = super().units(fixed, unit, most)
            finally:
                self.parent = above
            self.capped = self.capped or alone > best
        return best, bound


class Spending:
    """The file of marks, and the ledger that writes them."""

    def __init__(self, path: Path, cap: Budget, *, identity: str, finished: Mapping[Role, Cost] | None = None) -> None:
        self._journal = Journal(path, Mark, identity=identity)
        self._cap, self._finished = cap, finished
        self.ledger: Ledger = Ledger(cap)

    def __enter__(self) -> Self:
        self._journal.__enter__()
        self.ledger = self._capped = CapLedger(self._cap, self._journal, self._finished)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capped.mark(exact=True)
        self._journal.__exit__(kind, error, trace)


def brought_up(mark: Mark, finished: Mapping[Role, Cost]) -> Mark:
    """The mark, or what finished work cost where that is more: then only what the mark allows beyond it is uncertain."""
    known, found = total_of(mark.spent.values()), total_of(finished.values())
    if found.tokens <= known.tokens:
        return mark
    high = known + mark.more
    rest = {name: max(0, int(high.column(name) - found.column(name))) for name in COUNTED_APART}
    money = high.money - found.money
    money = money if math.isnan(money) else max(0.0, money)
    more = Cost(output_tokens=max(0, high.tokens - found.tokens), money=money, **rest)
    return Mark(spent=dict(finished), more=more)
