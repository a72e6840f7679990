"""How fast a reply came: time to the first token, time between tokens, latency, and throughput over many replies.

Source: the survey of inference engines (arXiv 2505.01658) writes latency = TTFT + TBT * n; with n - 1 gaps between n tokens the sum that
equals the time of the last token is TTFT + TBT * (n - 1), which is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outthink.core.errors import InputError


@dataclass(frozen=True)
class Timing:
    """One reply; seconds.

    Attributes:
        first: from the request to the first token. `between`: mean time between later tokens, 0 for a single one.
        tokens: how many there were.
    """

    first: float
    between: float
    tokens: int

    @property
    def latency(self) -> float:
        """From the request to the last token."""
        return self.first + self.between * (self.tokens - 1)


def timing(arrivals: Sequence[float], start: float = 0.0) -> Timing:
    """The timing of a reply whose tokens arrived at these moments, ascending. Raises `InputError` without any."""
    if not arrivals:
        raise InputError("A reply without tokens has no timing.")
    n = len(arrivals)
    between = (arrivals[-1] - arrivals[0]) / (n - 1) if n > 1 else 0.0
    return Timing(arrivals[0] - start, between, n)


def throughput(tokens: int, seconds: float) -> float:
    """Output tokens of all replies per second of wall-clock time."""
    if seconds <= 0:
        raise InputError("Throughput needs a duration above zero.")
    return tokens / seconds
