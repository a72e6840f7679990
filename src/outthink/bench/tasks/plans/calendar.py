"""Calendar planning: find the one slot of a working day in which everybody is free.

    problem = Calendar.drawn(rng, people=3, duration=60)
    problem.free(), problem.words(), problem.mark("Here is a time: Monday, 14:30 - 15:30")

Problems are drawn until exactly one slot fits, so a day and its times are right or wrong, as in NATURAL PLAN.

Source: spec 09, step 9 (google-deepmind/natural-plan). Its parser takes every minute but 30 for 0; `published=True` reads so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
NAMES = ("Ana", "Bo", "Chidi", "Dara", "Emil", "Fatima", "Goran", "Hana")
SLOT, OPENS, CLOSES = 30, 9 * 60, 17 * 60
LONGEST_BUSY = 3
_ANSWER = re.compile(r"([A-Za-z]+),?\s+(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")

Span = tuple[int, int]
"""From minute to minute of the day."""


@dataclass(frozen=True)
class Calendar:
    """A meeting to be found.

    Attributes:
        duration: minutes. busy: of each person, spans in which they cannot.
    """

    day: str
    duration: int
    busy: tuple[tuple[str, tuple[Span, ...]], ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, people: int = 3, duration: int = 30) -> Calendar:
        """A problem with exactly one solution."""
        while True:
            names = rng.permutation(len(NAMES))[:people]
            busy = tuple((NAMES[i], _busy(rng)) for i in names)
            problem = cls(DAYS[int(rng.integers(len(DAYS)))], duration, busy)
            if len(problem.free()) == 1:
                return problem

    def free(self) -> list[Span]:
        """Every slot, on the half hours of the working day, in which nobody is busy."""
        taken = [span for _, spans in self.busy for span in spans]
        starts = range(OPENS, CLOSES - self.duration + 1, SLOT)
        slots = [(start, start + self.duration) for start in starts]
        return [(a, b) for a, b in slots if all(b <= start or end <= a for start, end in taken)]

    def words(self) -> str:
        """The problem as it is asked."""
        who = ", ".join(name for name, _ in self.busy)
        lines = [
            f"Find a time for a meeting of {self.duration} minutes on {self.day}, between {clock(OPENS)} and {clock(CLOSES)}, for {who}.",
            *(
                f"{name} is busy " + ", ".join(f"{clock(a)} - {clock(b)}" for a, b in spans) + "."
                for name, spans in self.busy
            ),
            f'Give the time in this form: "{self.day}, 9:00 - {clock(OPENS + self.duration)}".',
        ]
        return "\n".join(lines)

    @property
    def answer(self) -> str:
        """The solution in the form that is asked for."""
        start, end = self.free()[0]
        return f"{self.day}, {clock(start)} - {clock(end)}"

    def mark(self, text: str, *, published: bool = False) -> float:
        """1 where the first time that the text gives is the solution."""
        found = given(text, published=published)
        return float(found is not None and found[0] == self.day and found[1] in self.free())


def given(text: str, *, published: bool = False) -> tuple[str, Span] | None:
    """The first day and time of a text; None without one. `published`: minutes other than 30 count as 0."""
    for found in _ANSWER.finditer(text):
        day = found.group(1).capitalize()
        if day in DAYS:
            hours, minutes = (int(found.group(2)), int(found.group(4))), (int(found.group(3)), int(found.group(5)))
            start, end = (
                60 * hour + ((30 if minute == 30 else 0) if published else minute)
                for hour, minute in zip(hours, minutes, strict=True)
            )
            return day, (start, end)
    return None


def clock(minute: int) -> str:
    """A minute of the day as 9:30."""
    return f"{minute // 60}:{minute % 60:02d}"


def _busy(rng: np.random.Generator) -> tuple[Span, ...]:
    spans: list[Span] = []
    at = OPENS + SLOT * int(rng.integers(0, 3))
    while at < CLOSES:
        end = min(CLOSES, at + SLOT * int(rng.integers(1, LONGEST_BUSY + 1)))
        spans.append((at, end))
        at = end + SLOT * int(rng.integers(1, 4))
    return tuple(spans)
