"""The scheduler's small parts: how large things may be, what it must know of tokens, and one job's part of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outthink.engines.local.work import Job


@dataclass(frozen=True)
class Limits:
    """Sizes of a scheduler: places, tokens a step, retained sequences, and the longest content in tokens.

    Attributes:
        checks: where attention looks at every cell in use for every row of a step: how many looks a step the cells of finished sequences
            may cost. None where they cost nothing, so that only room limits them.
    """

    places: int
    rows: int
    retained: int
    context: int
    checks: int | None = None


@dataclass(frozen=True)
class Vocabulary:
    """What the scheduler must know of the tokens: which end a reply, and the bytes of each (none for control tokens)."""

    ends: frozenset[int]
    piece: Callable[[int], bytes]


@dataclass(frozen=True)
class Share:
    """Part of a step that belongs to one job: `count` tokens, `wanted` of them with logits, whose rows begin at `row`."""

    job: Job
    count: int
    row: int
    wanted: int
