"""Trip planning: the one order of cities in which all flights exist, all stays fit and every event is met.

    problem = Trip.drawn(rng, cities=4)
    problem.orders(), problem.words(), problem.mark(text)

A day on which one flies counts for both cities, as in NATURAL PLAN. An answer says on which day which flight is taken.

Source: spec 09, step 9: the stay in a city is the day of the next flight less the day of arrival, plus 1; cities and stays must be those of
the solution. City names are looked for as they are, with their spaces and accents (patterns of word characters lose them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np

CITIES = ("Oslo", "São Paulo", "Kraków", "New Delhi", "Lima", "Nairobi", "Zürich", "Hanoi", "Cape Town", "Porto")
SHORTEST, LONGEST = 2, 5
_FLIGHT = re.compile(r"\bfrom\s+(.+?)\s+to\s+(.+)", re.IGNORECASE)
_DAYS = re.compile(r"day\s+(\d+)(?:\s*[-–]\s*(\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class Trip:
    """A round of cities.

    Attributes:
        stays: days in each city, in the order in which the problem names them. flights: pairs of cities with a direct flight, both ways.
        event: a city, and the first and last day on which one must be there.
    """

    stays: tuple[tuple[str, int], ...]
    flights: frozenset[frozenset[str]]
    event: tuple[str, int, int]

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, cities: int = 4) -> Trip:
        """A problem with exactly one solution."""
        while True:
            names = [CITIES[i] for i in rng.permutation(len(CITIES))[:cities]]
            days = {name: int(rng.integers(SHORTEST, LONGEST + 1)) for name in names}
            flights = {frozenset(pair) for pair in pairwise(names)}
            others = [frozenset(pair) for pair in permutations(names, 2) if frozenset(pair) not in flights]
            flights |= {pair for pair in others if rng.random() < 0.3}
            at = int(rng.integers(cities))
            first = 1 + sum(days[name] - 1 for name in names[:at])
            named = sorted(names)
            problem = cls(
                tuple((name, days[name]) for name in named),
                frozenset(flights),
                (names[at], first, first + days[names[at]] - 1),
            )
            if len(problem.orders()) == 1:
                return problem

    @property
    def days(self) -> int:
        """Days of the whole trip."""
        return sum(days for _, days in self.stays) - len(self.stays) + 1

    def orders(self) -> list[tuple[str, ...]]:
        """Every order of the cities that keeps to all conditions."""
        return [order for order in permutations([name for name, _ in self.stays]) if self._fits(order)]

    def words(self) -> str:
        """The problem as it is asked."""
        city, first, last = self.event
        ways = sorted(" and ".join(sorted(pair)) for pair in self.flights)
        return "\n".join(
            [
                f"Plan a trip of {self.days} days to {len(self.stays)} cities. A day on which you fly counts for both cities.",
                *(f"You stay in {name} for {days} days." for name, days in self.stays),
                f"You must be in {city} from day {first} to day {last}.",
                "There are direct flights between " + "; between ".join(ways) + ". Take no others.",
                'Write one line for each flight, in this form: "Day 4: fly from Oslo to Lima", and a last line "Day 4-9: Lima".',
            ]
        )

    @property
    def answer(self) -> str:
        """The solution in the form that is asked for."""
        (order,) = self.orders()
        length, lines, day = dict(self.stays), [], 1
        for here, there in pairwise(order):
            day += length[here] - 1
            lines.append(f"Day {day}: fly from {here} to {there}")
        return "\n".join([*lines, f"Day {day}-{self.days}: {order[-1]}"])

    def mark(self, text: str) -> float:
        """1 where the cities and their stays are those of the solution."""
        (order,) = self.orders()
        length = dict(self.stays)
        return float(self.given(text) == [(name, length[name]) for name in order])

    def given(self, text: str) -> list[tuple[str, int]]:
        """Cities and stays as a text has them; empty where its flights make no journey."""
        flights: list[tuple[int, str, str]] = []
        for line in text.splitlines():
            found = _FLIGHT.search(line)
            on = list(_DAYS.finditer(line[: found.start()])) if found is not None else []
            if found is not None and on:
                day = int(on[-1].group(2) or on[-1].group(1))
                flights.append((day, self._city(found.group(1)), self._city(found.group(2))))
        if (
            not flights
            or any(one[2] != other[1] for one, other in pairwise(flights))
            or "" in [city for one in flights for city in one[1:]]
        ):
            return []
        last = max(int(found.group(2) or found.group(1)) for found in _DAYS.finditer(text))
        days = [1, *(day for day, _, _ in flights), last]
        cities = [flights[0][1], *(there for _, _, there in flights)]
        return [(city, end - start + 1) for city, (start, end) in zip(cities, pairwise(days), strict=True)]

    def _city(self, words: str) -> str:
        """The city with which some words begin; "" for none."""
        plain = words.strip(" *_.,:;").casefold()
        return next((name for name, _ in self.stays if plain.startswith(name.casefold())), "")

    def _fits(self, order: tuple[str, ...]) -> bool:
        if any(frozenset(pair) not in self.flights for pair in pairwise(order)):
            return False
        length, day = dict(self.stays), 1
        city, first, last = self.event
        for name in order:
            if name == city:
                return day <= first and last <= day + length[name] - 1
            day += length[name] - 1
        return False
