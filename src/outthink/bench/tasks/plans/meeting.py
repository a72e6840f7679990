"""Meeting planning: meet as many people as can be met, each at a place and within a time, with ways between the places.

    problem = Meeting.drawn(rng, people=4)
    problem.most(), problem.words(), problem.made(text)

An answer is a list of steps that is played through: start, travel, wait (only forward), meet (at the right place, inside the time, long
enough, nobody twice). It ends at its first error; what was made until then counts, and the problem is solved when nobody can do better.

Source: spec 09, step 9 (google-deepmind/natural-plan).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from outthink.bench.tasks.plans.calendar import NAMES, clock

PLACES = ("Old Harbour", "Castle Hill", "Botanic Garden", "Market Square", "North Station", "Lake Park")
START = 9 * 60
_STEP = re.compile(r"^[\s>*_\-\d.)]*(travel|go|walk|wait|meet)\b(.*)$", re.IGNORECASE | re.MULTILINE)
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_MINUTES = re.compile(r"(\d+)\s*min", re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """Somebody to be met: where, from and until when, in minutes of the day, and for how many minutes."""

    name: str
    place: str
    start: int
    end: int
    minutes: int


@dataclass(frozen=True)
class Meeting:
    """A day of meetings.

    Attributes:
        start: where one is at 9:00. ways: minutes from place to place.
    """

    start: str
    people: tuple[Person, ...]
    ways: Mapping[tuple[str, str], int]

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, people: int = 4) -> Meeting:
        """A problem in which somebody can be met, and, where there is more than one, a poor order loses somebody."""
        while True:
            places = [PLACES[i] for i in rng.permutation(len(PLACES))[: min(people + 1, len(PLACES))]]
            ways = {(a, b): int(rng.integers(2, 9)) * 5 for a in places for b in places if a < b}
            ways |= {(b, a): minutes for (a, b), minutes in ways.items()}
            found = []
            for i in range(people):
                minutes, start = 15 * int(rng.integers(1, 6)), START + 15 * int(rng.integers(0, 17))
                end = start + minutes + 15 * int(rng.integers(0, 7))
                found.append(Person(NAMES[i], places[1 + i % (len(places) - 1)], start, end, minutes))
            problem = cls(places[0], tuple(found), ways)
            counts = {problem._made_in(order) for order in permutations(problem.people)}
            if max(counts) > 0 and (people == 1 or len(counts) > 1):
                return problem

    def most(self) -> int:
        """How many people can be met at most."""
        return max(self._made_in(order) for order in permutations(self.people))

    def words(self) -> str:
        """The problem as it is asked."""
        ways = [f"From {a} to {b}: {minutes} minutes." for (a, b), minutes in sorted(self.ways.items()) if a < b]
        return "\n".join(
            [
                f"You are at {self.start} at 9:00. Meet as many of these people as you can.",
                *(
                    f"{p.name} is at {p.place} from {clock(p.start)} to {clock(p.end)}; meet {p.name} for at least {p.minutes} minutes."
                    for p in self.people
                ),
                *ways,
                "The way back takes as long. Write one step a line, in these forms:",
                "Travel to Castle Hill\nWait until 10:15\nMeet Ana for 30 minutes",
            ]
        )

    @property
    def answer(self) -> str:
        """A solution in the form that is asked for."""
        order = max(permutations(self.people), key=self._made_in)
        lines, place, now = [], self.start, START
        for person in order:
            arrived = now + self._way(place, person.place)
            begin = max(arrived, person.start)
            if begin + person.minutes > person.end:
                continue
            lines += [f"Travel to {person.place}"] if person.place != place else []
            lines += [f"Wait until {clock(begin)}"] if begin > arrived else []
            lines.append(f"Meet {person.name} for {person.minutes} minutes")
            place, now = person.place, begin + person.minutes
        return "\n".join(lines)

    def mark(self, text: str) -> float:
        """The share of the meetings that can be made which the text makes; 1 is solved."""
        return min(1.0, self.made(text) / self.most())

    def made(self, text: str) -> int:
        """Meetings that the steps of a text make, up to its first error."""
        place, now, met = self.start, START, set[str]()
        for found in _STEP.finditer(text):
            word, rest = found.group(1).lower(), found.group(2)
            if word == "wait":
                until = _TIME.search(rest)
                if until is None or (then := 60 * int(until.group(1)) + int(until.group(2))) < now:
                    return len(met)
                now = then
            elif word == "meet":
                person = next((p for p in self.people if re.search(rf"\b{re.escape(p.name)}\b", rest)), None)
                if person is None or person.name in met:
                    return len(met)
                asked = _MINUTES.search(rest)
                minutes = int(asked.group(1)) if asked else person.minutes
                if place != person.place or minutes < person.minutes:
                    return len(met)
                if now < person.start or now + minutes > person.end:
                    return len(met)
                now += minutes
                met.add(person.name)
            else:
                there = next((name for name in PLACES if name.casefold() in rest.casefold()), None)
                if there is None or (there != place and (place, there) not in self.ways):
                    return len(met)
                now += self._way(place, there)
                place = there
        return len(met)

    def _way(self, here: str, there: str) -> int:
        return 0 if here == there else self.ways[(here, there)]

    def _made_in(self, order: tuple[Person, ...]) -> int:
        """How many are met when they are visited in this order, whoever cannot be met being passed over."""
        place, now, made = self.start, START, 0
        for person in order:
            begin = max(now + self._way(place, person.place), person.start)
            if begin + person.minutes <= person.end:
                place, now, made = person.place, begin + person.minutes, made + 1
        return made
