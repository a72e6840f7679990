"""Planning tasks that are made here: calendar, trip and meeting planning, each marked by an exact checker.

PlanningTasks(kind="calendar", size=3, limit=50).load()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from outthink.bench.tasks.generated import GeneratedSource
from outthink.bench.tasks.plans import Calendar, Meeting, Trip
from outthink.bench.tasks.scorers.scorer import Scorer
from outthink.bench.tasks.source import Item
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.key import Key

USUAL_SIZE = {"calendar": 3, "trip": 4, "meeting": 3}


@dataclass(frozen=True)
class Planned(Scorer):
    """Right where the problem's own checker says so; meetings give part of the credit for a part of them."""

    problem: Calendar | Trip | Meeting

    def mark(self, text: str) -> float:
        return self.problem.mark(text)


class PlanningTasks(GeneratedSource, tag="planning"):
    """Calendars, trips or meetings to be planned; calendars and trips have exactly one solution.

    Attributes:
        kind: which problems. size: people of calendars and meetings, cities of trips; None for the usual 3, or 4 cities.
        minutes: of the meeting to be found in a calendar.
    """

    kind: Literal["calendar", "trip", "meeting"] = "calendar"
    size: Annotated[int, Meta(ge=2, le=6)] | None = None
    minutes: Literal[30, 60] = 30

    def _own_name(self) -> str:
        return self.kind

    def load(self) -> TaskSet:
        """The same seed makes the same problems."""
        items = []
        for place in range(1, self.made + 1):
            problem = self._problem(Key(self.seed).child("planning", self.kind, place).rng())
            items.append((str(place), Item(problem.words(), problem.answer, Planned(problem))))
        find = {"type": "usual", "otherwise": "line"} if self.kind == "calendar" else {"type": "whole-text"}
        return self._made_set(items, "", {"type": "plain", "find": find})

    def _problem(self, rng: np.random.Generator) -> Calendar | Trip | Meeting:
        size = self.size or USUAL_SIZE[self.kind]
        match self.kind:
            case "calendar":
                return Calendar.drawn(rng, people=size, duration=self.minutes)
            case "trip":
                return Trip.drawn(rng, cities=size)
            case "meeting":
                return Meeting.drawn(rng, people=size)
