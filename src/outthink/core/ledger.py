"""One ledger, kept before the money is spent.

Counted limits hold inside a step: before each backend call a slot claims the most that it can cost (the verifier's share included), and
what was not used returns when the call is settled. Claims are made in slot order, so what fits does not depend on who answers first.
Ledgers nest: a child's claims must fit the child and every ledger above it, and its costs add up in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from outthink.core.cost import ROLES, ZERO, Budget, Cost, Role, total_of
from outthink.core.cut import Cut
from outthink.core.errors import Incompatible, explain


@dataclass(frozen=True)
class Bill:
    """What a run cost, by role.

    Attributes:
        uncertain: how much more it may be than the sum says, where a backend could not tell (aborted requests).
        overshoot: by how much a limit was passed by backends that ignore reply limits, by column.
    """

    by_role: dict[str, Cost]
    uncertain: Cost = ZERO
    overshoot: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> Cost:
        """All roles together."""
        return total_of(self.by_role.values())


class Ledger:
    """What was spent, what is promised, and what is left. Used from one event loop."""

    def __init__(self, budget: Budget | None = None, *, parent: Ledger | None = None) -> None:
        self.budget = budget or Budget()
        self.parent = parent
        self._limits = {name: limit for name, limit in self.budget.limits().items() if name != "seconds"}
        self._spent: dict[Role, Cost] = dict.fromkeys(ROLES, ZERO)
        self._total = ZERO
        self._claimed = ZERO
        self._uncertain = ZERO

    @property
    def total(self) -> Cost:
        """Everything settled so far."""
        return self._total

    @property
    def claimed(self) -> Cost:
        """What is promised to calls under way and to scores still to come."""
        return self._claimed

    def bill(self, seconds: float = 0.0) -> Bill:
        """What was spent, by role; `seconds` of wall clock go to the role "generate"."""
        by_role: dict[str, Cost] = {str(role): cost for role, cost in self._spent.items() if cost != ZERO}
        if seconds:
            by_role["generate"] = by_role.get("generate", ZERO) + Cost(seconds=seconds)
        over = {name: self._total.column(name) - limit for name, limit in self._limits.items()}
        return Bill(by_role, self._uncertain, {name: value for name, value in over.items() if value > 0})

    def remaining(self, column: str) -> float:
        """What may still be claimed of a column, over this ledger and those above; inf without a limit."""
        own = math.inf
        if column in self._limits:
            own = (
                self._limits[column]
                - self._total.column(column)
                - self._claimed.column(column)
                - self._uncertain.column(column)
            )
        return min(own, self.parent.remaining(column)) if self.parent else own

    def columns(self) -> tuple[str, ...]:
        """Columns that are limited here or above."""
        above = self.parent.columns() if self.parent else ()
        return tuple(dict.fromkeys((*self._limits, *above)))

    def units(self, fixed: Cost, unit: Cost, most: int) -> tuple[int, str]:
        """How many units fit beside a fixed part, at most `most`, and the column that bounds it ("" when `most` fits).

        -1 when not even the fixed part fits. Raises `Incompatible` when a limited column's price is unknown.
        """
        best, bound = most, ""
        for column in self.columns():
            start, each = fixed.column(column), unit.column(column)
            if math.isnan(start) or math.isnan(each):
                raise Incompatible(
                    explain(
                        f"The budget limits {column}, but what a call costs in {column} is not known.",
                        got=f"{column} = unknown",
                        expected="a known price",
                        remedy=f"Give the model's prices, or limit tokens or calls instead of {column}.",
                    )
                )
            left = self.remaining(column) - start
            # Sums of prices round; a millionth of a millionth of the limit is not a breach.
            fits = most if each == 0 else math.floor(left / each + 1e-12)
            if left < -1e-12 * max(1.0, start):
                fits = -1
            if fits < best:
                best, bound = max(fits, -1), column
        return best, bound

    def allow(self, column: str, more: float) -> None:
        """From now on `more` of a column may still be claimed here, whatever was before: how a shared budget is handed out in turns."""
        self._limits[column] = (
            self._total.column(column) + self._claimed.column(column) + self._uncertain.column(column) + more
        )

    def claim(self, most: Cost) -> None:
        """Promise up to `most` to a call. The caller has checked with `units` that it fits."""
        self._claimed = self._claimed + most
        if self.parent:
            self.parent.claim(most)

    def release(self, claimed: Cost) -> None:
        """Take back a promise that will not be used."""
        self._claimed = self._claimed - claimed
        if self.parent:
            self.parent.release(claimed)

    def settle(self, claimed: Cost, cost: Cost, role: Role, uncertain: Cost = ZERO) -> None:
        """The call is over: the promise ends, the true cost is charged. The only place where anything is charged."""
        self._claimed = self._claimed - claimed
        self._spent[role] = self._spent[role] + cost
        self._total = self._total + cost
        self._uncertain = self._uncertain + uncertain
        if self.parent:
            self.parent.settle(claimed, cost, role, uncertain)

    @property
    def uncertain(self) -> Cost:
        """How much more than `total` it may have been."""
        return self._uncertain

    def state(self) -> dict[Role, Cost]:
        """What was spent, for a checkpoint."""
        return dict(self._spent)

    def restore(self, spent: Mapping[Role, Cost], uncertain: Cost = ZERO) -> None:
        """Start from what an interrupted run had spent."""
        for role in ROLES:
            self.settle(ZERO, spent.get(role, ZERO), role)
        self.settle(ZERO, ZERO, "generate", uncertain)


class Allowance:
    """What one call of a process may draw on. Slots claim in slot order, once each, before anything is sent.

    `extra` is the verifier's share of each slot: it is claimed with the slot and stays promised until the slot is scored.
    """

    def __init__(self, ledger: Ledger | None = None, *, extra: Cost = ZERO, cut: Cut | None = None) -> None:
        self._ledger = ledger or Ledger()
        self._extra = extra
        self.cut = cut
        self.claimed = ZERO
        self.slots = 0
        self._full = False
        self.limit = ""
        """The column that kept a slot from being served in full; "" while all were."""

    def claim(self, *, fixed: Cost = ZERO, unit: Cost = ZERO, most: int = 0, least: int = 0) -> int | None:
        """Claim `fixed` plus as many units as fit, for the next slot.

        Args:
            fixed: the part that cannot shrink (the prompt, the call itself).
            unit: what one unit costs at most (one token, one denoiser evaluation).
            most: units wanted.
            least: the fewest that are of use.
        Returns: units granted, or None when nothing useful fits. While earlier slots of the same call are still unsettled, a slot is
            either granted in full or told to wait (None): what the others return may serve it whole. Nobody overtakes: once a slot
            waits, all that follow wait too, so that what fits is the same however the slots are spread over calls.
        """
        if self._full:
            return None
        got, bound = self._ledger.units(fixed + self._extra, unit, most)
        if bound:
            self.limit = bound
        if got < most and (self.slots > 0 or got < max(least, 0)):
            self._full = True
            return None
        self._grant(fixed + self._extra + unit.times(got), 1)
        return got

    def claim_each(
        self, n: int, *, fixed: Cost = ZERO, unit: Cost = ZERO, most: int = 0, least: int = 0
    ) -> list[int | None]:
        """What `claim` would give n slots that all ask for the same, in one look at the ledger."""
        if self._full:
            return [None] * n
        whole = fixed + self._extra + unit.times(most)
        served, bound = self._ledger.units(ZERO, whole, n)
        served = max(served, 0)
        if bound:
            self.limit = bound
        if served:
            self._grant(whole.times(served), served)
        granted: list[int | None] = [most] * served
        if served < n and self.slots == 0:
            granted.append(self.claim(fixed=fixed, unit=unit, most=most, least=least))
        self._full = len(granted) < n or None in granted
        return granted + [None] * (n - len(granted))

    def _grant(self, cost: Cost, slots: int) -> None:
        self._ledger.claim(cost)
        self.claimed = self.claimed + cost
        self.slots += slots
