"""How much the holder of a key may use, over all gateways that share a store."""

from __future__ import annotations

import math

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Positive, PositiveFloat, Settings


class Quota(Settings):
    """Limits of one key; None for none.

    Attributes:
        requests_per_minute: requests begun in any 60 seconds.
        tokens_per_minute: tokens (output and uncached input, all roles) of searches that were at work in any 60 seconds. What a search can
            cost at most is set aside before it starts, so this is never passed.
        searches: searches at work at once.
        money_per_day: in the price file's currency, for each day in UTC, set aside in the same way.
    """

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    searches: Positive | None = None
    money_per_day: PositiveFloat | None = None

    def check(self) -> None:
        if self.money_per_day is not None and not math.isfinite(self.money_per_day):
            raise SettingsError(
                explain(
                    "A limit on money must be finite.",
                    got=self.money_per_day,
                    expected="a positive number",
                    remedy="Leave it out for no limit.",
                )
            )

    @property
    def limits(self) -> dict[str, float]:
        """The limits there are, by name."""
        return {name: float(value) for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}

    @property
    def sets_aside(self) -> bool:
        """Whether the most that a search can cost must be known before it starts."""
        return self.tokens_per_minute is not None or self.money_per_day is not None
