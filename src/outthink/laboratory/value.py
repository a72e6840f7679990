"""What can still come of a solution under way, exactly: a problem's solutions are a finite set of texts, so they can be enumerated.

    place = follow("3 5 7 -> 22", "5*3=15\\n")
    place.wrong                 # "" while every line so far is true and allowed
    reachable(place)            # whether some continuation solves the problem
    list(continuations(place))  # every text that does: ["15+7=22", "7+15=22"]
    chance(place)               # how often somebody does who draws true and allowed lines at random

`reachable` is the value of the best possible writer, `chance` that of a random one who never miscalculates. The value under a model, the
chance that its own continuation is right, is the sum of the model's probabilities over `continuations`: `outthink.laboratory.model_value`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from outthink.laboratory.family import Rules, State
from outthink.laboratory.problems import rules_of

MEMORY = 1 << 16

States = frozenset[State]


@dataclass(frozen=True)
class Place:
    """Where a text stands in its problem.

    Attributes:
        states: what may be left to do after the complete lines; several where a line can be read in several ways; none after a wrong one.
        open: the beginning of a line that is not complete.
        wrong: the first line that is untrue or not allowed.
    """

    rules: Rules
    states: States
    open: str = ""
    wrong: str = ""

    @property
    def solved(self) -> bool:
        """Whether nothing is left to do; what a finished text is asked."""
        return _solved(self.rules, self.states)


def follow(question: str, text: str, *, final: bool = False) -> Place:
    """Where `text` stands. The last line of a finished text is complete without a line end.

    Raises `InputError` when the question is no problem of the laboratory's.
    """
    rules = rules_of(question)
    states: States = frozenset({rules.read(question)})
    *lines, last = text.split("\n")
    for line in [*lines, last] if final else lines:
        following = _after(rules, states, line)
        if not following:
            return Place(rules, frozenset(), wrong=line)
        states = following
    return Place(rules, states, open="" if final else last)


def solved(question: str, text: str) -> bool:
    """Whether a finished text is a solution: every line true and allowed, and nothing left to do."""
    return follow(question, text, final=True).solved


def reachable(place: Place) -> bool:
    """Whether some continuation of an unfinished text solves the problem."""
    return any(_solvable(place.rules, states) for _, states in _next_lines(place))


def continuations(place: Place) -> Iterator[str]:
    """Every text that, put behind an unfinished one, makes it a solution; each comes once."""
    for line, states in _next_lines(place):
        for rest in _endings(place.rules, states):
            yield line[len(place.open) :] + rest


def chance(place: Place) -> float:
    """The chance that allowed and true lines, each as likely as the others, solve the problem from here."""
    lines = _next_lines(place)
    return sum(_chance(place.rules, states) for _, states in lines) / len(lines) if lines else 0.0


def _next_lines(place: Place) -> list[tuple[str, States]]:
    """Lines that begin as the open one does, each with the states that it leads to."""
    every = _lines(place.rules, place.states)
    return [(line, states) for line, states in every.items() if line.startswith(place.open)]


def _solved(rules: Rules, states: States) -> bool:
    return any(rules.solved(state) for state in states)


def _after(rules: Rules, states: States, line: str) -> States:
    """The states that a line leads to; none when it is untrue or not allowed in any of `states`."""
    return frozenset[State]().union(*(_moves(rules, state).get(line, frozenset()) for state in states))


@lru_cache(MEMORY)
def _moves(rules: Rules, state: State) -> dict[str, States]:
    return rules.moves(state)


@lru_cache(MEMORY)
def _lines(rules: Rules, states: States) -> dict[str, States]:
    """Every line that one of `states` allows, with all states that it may lead to."""
    lines = sorted({line for state in states for line in _moves(rules, state)})
    return {line: _after(rules, states, line) for line in lines}


@lru_cache(MEMORY)
def _solvable(rules: Rules, states: States) -> bool:
    if _solved(rules, states):
        return True
    return any(_solvable(rules, following) for state in states for following in _moves(rules, state).values())


@lru_cache(MEMORY)
def _endings(rules: Rules, states: States) -> tuple[str, ...]:
    """What may stand behind a complete line that led to `states`, its line end included, so that the whole is a solution."""
    found = [""] if _solved(rules, states) else []
    for line, following in _lines(rules, states).items():
        found += [f"\n{line}{rest}" for rest in _endings(rules, following)]
    return tuple(found)


@lru_cache(MEMORY)
def _chance(rules: Rules, states: States) -> float:
    if _solved(rules, states):
        return 1.0
    lines = _lines(rules, states)
    return sum(_chance(rules, following) for following in lines.values()) / len(lines) if lines else 0.0
