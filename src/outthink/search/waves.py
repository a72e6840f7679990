"""How many members a round draws: a schedule, or as many as the stopping rule needs before it can stop.

`"posterior"` asks the rule (`StoppingRule.least`). For a vote that is the fewest further samples that could decide it, so no sample is
drawn that drawing one by one would not draw; for a threshold the number that holds a hit as likely as not, which doubles: 1, 2, 4, 8.

Source: spec 07, the batched form 1, 1, 2, 4, 8.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from outthink.core.settings import Positive
from outthink.search.stopping import Seen, StoppingRule

SCHEDULE = (1, 1, 2, 4, 8)

Waves = Literal["posterior"] | Annotated[tuple[Positive, ...], Meta(min_length=1)]


def wave(waves: Waves, number: int, rule: StoppingRule, seen: Seen) -> int:
    """The size of wave `number` (from 0), at least 1 and never more than are left; past the schedule's end its last size repeats."""
    wanted = rule.least(seen) if isinstance(waves, str) else waves[min(number, len(waves) - 1)]
    return min(seen.left, max(1, wanted))
