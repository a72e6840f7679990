"""Planning problems with exact checkers: calendars, trips, and days of meetings, after the three kinds of NATURAL PLAN.

    problem = Calendar.drawn(np.random.default_rng(0), people=3)
    problem.words(), problem.answer, problem.mark("Monday, 9:00 - 9:30")

Everything is made here; no data set is read. If unsure which: calendars are the easiest for small models.
"""

from outthink.bench.tasks.plans.calendar import Calendar
from outthink.bench.tasks.plans.meeting import Meeting, Person
from outthink.bench.tasks.plans.trip import Trip

__all__ = ["Calendar", "Meeting", "Person", "Trip"]
