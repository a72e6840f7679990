"""Numbers, times and texts as people read them, in one place for all pages."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from outthink.core.task import in_words
from outthink.store.stored import RunLine

THOUSAND, MILLION = 1e3, 1e6
MINUTE, HOUR, DAY = 60, 3600, 86400
STATES = {
    "running": "running",
    "killed": "killed",
    "failed": "failed",
    "done": "done",
    "budget": "budget spent",
    "interrupted": "interrupted",
    "max-steps": "all steps taken",
}


def count(value: float) -> str:
    """A whole number, thousands apart: 12,345."""
    return f"{value:,.0f}"


def brief(value: float) -> str:
    """A number in at most five characters: 812, 4.1k, 120k, 3.2M."""
    for unit, letter in ((MILLION, "M"), (THOUSAND, "k")):
        if value >= unit:
            scaled = value / unit
            return f"{scaled:.1f}{letter}" if scaled < 100 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}"


def number(value: float | None) -> str:
    """A score or a weight in four digits; a dash for none."""
    return "–" if value is None else f"{value:.4g}"


def duration(seconds: float) -> str:
    """A length of time: 0.42 s, 12 s, 3 min 5 s, 2 h 4 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes < MINUTE:
        return f"{minutes} min {rest} s"
    return f"{minutes // MINUTE} h {minutes % MINUTE} min"


def ago(then: float, now: float | None = None) -> str:
    """How long ago, roughly; the date of what is older than a week."""
    passed = (time.time() if now is None else now) - then
    if passed < MINUTE:
        return "just now"
    if passed < HOUR:
        return f"{passed // MINUTE:.0f} min ago"
    if passed < DAY:
        return f"{passed // HOUR:.0f} h ago"
    if passed < 7 * DAY:
        return f"{passed // DAY:.0f} d ago"
    return time.strftime("%Y-%m-%d", time.gmtime(then))


def moment(then: float) -> str:
    """A date and a time, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(then))


def state(line: RunLine) -> str:
    """How a run stands, in a word or two."""
    return STATES.get(line.stop or line.status, line.stop or line.status)


def tone(line: RunLine) -> str:
    """The class of a run's sign: live, good, cut or bad."""
    if line.status == "running":
        return "live"
    if line.status in ("killed", "failed"):
        return "bad"
    return "cut" if line.stop in ("budget", "interrupted") else "good"


def content(value: Any) -> str:
    """A candidate's content as text; of arrays and bytes what they are."""
    if (text := in_words(value)) is not None:
        return text
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, np.ndarray):
        return f"an array {list(value.shape)}"
    return str(value)


def line_of(text: str, most: int) -> str:
    """A text in one line of at most so many characters."""
    one = " ".join(text.split())
    return one if len(one) <= most else one[: most - 1].rstrip() + "…"
