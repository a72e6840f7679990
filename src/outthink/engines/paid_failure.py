"""A failure that was billed, or may have been: the reply broke off, or nobody answered in time.

Whoever counts costs adds `cost` and `uncertain` of such a failure as those of a generation; a plain `Failure` cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from outthink.core.cost import Cost
from outthink.core.errors import Failure


@dataclass(frozen=True)
class PaidFailure(Failure):
    """A failure that cost between `cost` and `cost + uncertain`."""

    cost: Cost = field(default_factory=Cost)
    uncertain: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Ungiven(PaidFailure):
    """One of several replies to one request that a backend left out. Asked for again, it gets a request of its own.

    Whoever claims for requests claims for that one too: a process hands the slot back untouched, a judge has promised each by itself.
    """


def unpaid(failure: Failure) -> Failure:
    """The failure alone, once what it cost is charged."""
    return Failure(failure.kind, failure.message, failure.status, failure.retryable)
