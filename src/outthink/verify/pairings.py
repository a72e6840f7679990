"""Who is compared with whom. Each candidate stands in at most one comparison a round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outthink.numerics.types import FloatArray

Pair = tuple[int, int]


def round_robin(order: Sequence[int], rounds: int) -> list[list[Pair]]:
    """Rounds in which everyone meets someone new, by the circle method; at most as many as there are opponents.

    n - 1 rounds (n where n is odd, each time without one) make every pair exactly once. `order`: the players, shuffled.
    """
    seats: list[int | None] = [*order, *([None] if len(order) % 2 else [])]
    found: list[list[Pair]] = []
    for _ in range(min(rounds, len(seats) - 1)):
        half = len(seats) // 2
        pairs = zip(seats[:half], reversed(seats[half:]), strict=True)
        found.append([(a, b) for a, b in pairs if a is not None and b is not None])
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return found


def swiss_round(order: Sequence[int], points: FloatArray, met: set[frozenset[int]]) -> list[Pair]:
    """Neighbours in the standing that have not met, best first. `points` [n]; equal ones stand in the order given."""
    standing = sorted(order, key=lambda player: -points[player])
    found: list[Pair] = []
    while standing:
        first = standing.pop(0)
        rival = next((other for other in standing if frozenset((first, other)) not in met), None)
        if rival is not None:
            standing.remove(rival)
            found.append((first, rival))
    return found


def win_rates(wins: FloatArray) -> FloatArray:
    """Share of each player's comparisons that it won, ties half, [n]; nan for one that was in none. `wins` [n, n]."""
    played = (wins + wins.T).sum(axis=1)
    return np.where(played > 0, wins.sum(axis=1) / np.where(played > 0, played, 1.0), np.nan)
