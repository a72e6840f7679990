"""One request of `TextProcess` in the making."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.engines.engine import Request
from outthink.text.partial import Partial


@dataclass(frozen=True)
class Call:
    """Where a request starts from, what it is for, and how many tokens its member may still have (`room`)."""

    start: Partial
    request: Request
    whole: bool
    room: int
