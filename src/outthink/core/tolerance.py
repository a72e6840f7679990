"""How much of a run may fail before there is an error in place of an answer.

A run goes on with its survivors, marks the result as degraded and tells the causes; with a quorum, fewer survivors than that are an error.
If unsure leave it at 0: an answer of the few that were left, which says so, is worth more than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outthink.core.checkpoint import Saved
from outthink.core.errors import BelowQuorum, Failure
from outthink.core.settings import Fraction, Settings


class Tolerance(Settings):
    """What may fail.

    Attributes:
        quorum: the least share that must succeed of all moves of members, and of all judgements; 0: any survivor will do.
    """

    quorum: Fraction = 0.0

    def check_share(self, what: str, kept: int, lost: Sequence[Failure]) -> None:
        """Raises `BelowQuorum` where `kept` is less than the quorum of all."""
        asked = kept + len(lost)
        if lost and kept < self.quorum * asked:
            raise BelowQuorum(lost, what, kept, asked, self.quorum)


@dataclass(frozen=True)
class Survival(Saved):
    """How many moves of members came back well, and why the others did not."""

    kept: int = 0
    lost: tuple[Failure, ...] = ()

    def with_kept(self, n: int) -> Survival:
        """`n` more that came back well."""
        return replace(self, kept=self.kept + n)

    def with_lost(self, failure: Failure) -> Survival:
        """One more that did not."""
        return replace(self, lost=(*self.lost, failure))
