"""Planning problems: the sheet's calendars, one solution and no other, and plans that are played through to their first error."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from outthink.bench.tasks import PlanningTasks
from outthink.bench.tasks.plans import Calendar, Meeting, Person, Trip
from outthink.bench.tasks.plans.calendar import given
from outthink.core.task import Candidate


def spans(text: str) -> tuple[tuple[int, int], ...]:
    """ "9-9:30, 11:30-12" in minutes of the day."""

    def minute(clock: str) -> int:
        hours, _, minutes = clock.partition(":")
        return 60 * int(hours) + int(minutes or 0)

    return tuple((minute(a), minute(b)) for a, _, b in (one.strip().partition("-") for one in text.split(",")))


def calendar(duration: int, **busy: str) -> Calendar:
    return Calendar("Monday", duration, tuple((name, spans(text)) for name, text in busy.items()))


FIRST = calendar(
    60,
    Michelle="11-12",
    Steven="9-9:30, 11:30-12, 13:30-14, 15:30-16",
    Jerry="9-9:30, 10-11, 11:30-12:30, 13-14:30, 15:30-16, 16:30-17",
)
SECOND = calendar(
    30,
    Alexander="9:30-10, 10:30-11, 12:30-13, 14:30-15, 16-17",
    Elizabeth="9-9:30, 11:30-12:30, 13-14:30",
    Walter="9-14:30, 15:30-17",
)


def test_the_sheets_calendars_have_the_slots_that_the_sheet_says() -> None:
    assert FIRST.free() == [(14 * 60 + 30, 15 * 60 + 30)]
    assert SECOND.free() == [(15 * 60, 15 * 60 + 30)]
    assert FIRST.mark("So: Monday, 14:30 - 15:30.") == 1.0
    assert SECOND.mark("Monday, 14:30 - 15:00") == 0.0  # Alexander is busy
    assert SECOND.mark("Tuesday, 15:00 - 15:30") == 0.0
    assert SECOND.mark("I do not know.") == 0.0


def test_the_first_time_counts_and_minutes_are_read_as_they_are() -> None:
    assert given("Monday, 9:15 - 9:45, or Tuesday, 10:00 - 10:30") == ("Monday", (555, 585))
    assert given("Monday, 9:15 - 9:45", published=True) == ("Monday", (540, 540))
    assert SECOND.mark("Monday, 15:10 - 15:30") == 0.0
    assert SECOND.mark("Monday, 15:10 - 15:30", published=True) == 1.0  # as the published parser has it
    assert given("on someday, 9:00 - 9:30") is None


@pytest.mark.parametrize("kind", ["calendar", "trip", "meeting"])
def test_problems_are_the_same_for_a_seed_and_their_solutions_are_right(kind: str) -> None:
    first, again = (PlanningTasks(kind=kind, limit=12, seed=3).load() for _ in range(2))  # type: ignore[arg-type]
    other = PlanningTasks(kind=kind, limit=12, seed=4).load()  # type: ignore[arg-type]
    prompts = [q.task.prompt for q in first.questions]
    assert prompts == [q.task.prompt for q in again.questions]
    assert prompts != [q.task.prompt for q in other.questions]
    assert len(set(prompts)) == 12
    for question in first.questions:
        assert question.right(Candidate(content=f"Here it is.\n{question.task.reference}"))
        assert not question.right(Candidate(content="Nothing fits."))
    answers = [q.task.reference for q in first.questions]
    crossed = [
        q.right(Candidate(content=a or "")) for q, a in zip(first.questions, answers[1:] + answers[:1], strict=True)
    ]
    assert sum(crossed) <= 1


@pytest.mark.parametrize("cities", [3, 4, 5])
def test_a_trip_has_one_order_and_no_other(cities: int) -> None:
    for seed in range(5):
        trip = Trip.drawn(np.random.default_rng(seed), cities=cities)
        (order,) = trip.orders()
        length = dict(trip.stays)
        assert trip.given(trip.answer) == [(name, length[name]) for name in order]
        assert trip.mark(trip.answer) == 1.0
        marks = [trip.mark(_written(trip, other)) for other in permutations(order)]
        assert sum(marks) == 1.0
        assert trip.mark(trip.answer.replace("Day ", "Day 1", 1)) == 0.0


def _written(trip: Trip, order: tuple[str, ...]) -> str:
    length, lines, day = dict(trip.stays), [], 1
    for here, there in pairwise(order):
        day += length[here] - 1
        lines.append(f"**Day {day}:** Fly from {here} to {there}.")
    return "\n".join([*lines, f"**Day {day}-{trip.days}:** Visit {order[-1]}."])


PLACES = ("Old Harbour", "Castle Hill", "Lake Park")
DAY = Meeting(
    "Old Harbour",
    (Person("Ana", "Castle Hill", 600, 660, 30), Person("Bo", "Lake Park", 630, 720, 45)),
    {(a, b): 20 for a in PLACES for b in PLACES if a != b},
)


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        (
            "Travel to Castle Hill\nWait until 10:00\nMeet Ana for 30 minutes\nTravel to Lake Park\nMeet Bo for 45 minutes",
            2,
        ),
        ("1. Travel to Castle Hill in 20 minutes\n2. Meet Ana for 30 minutes", 0),  # too early
        ("Travel to Castle Hill\nWait until 10:00\nMeet Ana for 20 minutes", 0),  # too short
        ("Travel to Castle Hill\nWait until 10:40\nMeet Ana for 30 minutes", 0),  # too late
        ("Wait until 10:00\nMeet Ana for 30 minutes", 0),  # elsewhere
        ("Travel to Castle Hill\nWait until 10:00\nMeet Ana for 30 minutes\nMeet Ana for 30 minutes", 1),  # twice
        ("Travel to Castle Hill\nWait until 10:00\nMeet Ana for 30 minutes\nWait until 10:00\nTravel to Lake Park", 1),
        ("Travel to the moon\nMeet Ana for 30 minutes", 0),
        ("", 0),
    ],
)
def test_a_day_is_played_through_to_its_first_error(steps: str, made: int) -> None:
    assert DAY.most() == 2
    assert DAY.made(steps) == made
    assert DAY.mark(steps) == made / 2


def test_no_order_does_better_than_the_most() -> None:
    for seed in range(10):
        problem = Meeting.drawn(np.random.default_rng(seed), people=4)
        assert problem.made(problem.answer) == problem.most()
        assert 1 <= problem.most() <= 4
