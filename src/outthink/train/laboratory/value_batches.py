"""Batches for the value model: worked problems with a mark behind each line, where the line's worth is to be told.

The layout is the one of the format "laboratory-value": the question and each line of the solution end with a line end, and the tokens +
and - as the next one after a line stand for the two worths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outthink.core.key import Key
from outthink.laboratory.family import apply
from outthink.laboratory.vocabulary import BEGIN, END, ids
from outthink.numerics.types import FloatArray, IntArray
from outthink.train.laboratory.batches import IGNORED
from outthink.train.laboratory.rollouts import Rollout

GOOD, BAD = ids("+-")
CHUNK = 8000
"""Rollouts that are sorted by length together."""

_EQUATION = re.compile(r"([0-9]+)([-+*/])([0-9]+)")


@dataclass(frozen=True)
class MarkedBatch:
    """Tokens [n, t], and what should follow each of them, [n, t], `IGNORED` where that is not learned.

    Attributes:
        rows, columns: where the marks stand, [marks] each. values: the worth at each, [marks].
    """

    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]
    rows: IntArray
    columns: IntArray
    values: FloatArray


def marked(rollouts: Sequence[Rollout]) -> MarkedBatch:
    """One batch of these."""
    written = [_written(one) for one in rollouts]
    tokens = np.full((len(written), max(len(row) for row, _ in written)), END, dtype=np.int64)
    labels = np.full(tokens.shape, IGNORED, dtype=np.int64)
    for i, ((row, marks), one) in enumerate(zip(written, rollouts, strict=True)):
        tokens[i, : len(row)] = row
        for at, wanted in _following(row, marks, one):
            labels[i, at] = wanted
    counts = [len(marks) for _, marks in written]
    return MarkedBatch(
        tokens,
        labels,
        np.repeat(np.arange(len(written)), counts),
        np.concatenate([marks for _, marks in written]),
        np.concatenate([one.values for one in rollouts]).astype(np.float32),
    )


def value_batches(rollouts: Sequence[Rollout], tokens: int, key: Key, start: int = 0) -> Iterator[MarkedBatch]:
    """Batches of about `tokens` tokens without end, each pass in another order; the first `start` are left out."""
    sizes = np.array([len(one.question) + 2 + sum(len(line) + 1 for line in one.lines) for one in rollouts])
    number = turn = 0
    while True:
        for batch in _turn(sizes, tokens, key.child("turn", turn).rng()):
            if number >= start:
                yield marked([rollouts[i] for i in batch])
            number += 1
        turn += 1


def _turn(sizes: IntArray, tokens: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Indices of one pass, batch by batch."""
    order = rng.permutation(len(sizes))
    for begin in range(0, len(order), CHUNK):
        part = order[begin : begin + CHUNK]
        made: list[list[int]] = [[]]
        for i in part[np.argsort(sizes[part], kind="stable")].tolist():
            if (len(made[-1]) + 1) * sizes[i] > tokens and made[-1]:
                made.append([])
            made[-1].append(i)
        for at in rng.permutation(len(made)).tolist():
            yield made[at]


def _written(rollout: Rollout) -> tuple[list[int], list[int]]:
    """Its tokens, and where its marks stand among them."""
    tokens, marks = [BEGIN, *ids(f"{rollout.question}\n")], list[int]()
    for line in rollout.lines:
        tokens += ids(f"{line}\n")
        marks.append(len(tokens) - 1)
    return tokens, marks


def _following(row: Sequence[int], marks: Sequence[int], rollout: Rollout) -> Iterator[tuple[int, int]]:
    """Places in the row, each with the token that should follow.

    A line that is worth something is learned as it stands. Of any other line the true result is, as far as what is written agrees with it:
    who computes it needs only to compare.
    """
    begin = len(rollout.question) + 1
    for line, value, mark in zip(rollout.lines, rollout.values, marks, strict=True):
        if value:
            yield from ((at, row[at + 1]) for at in range(begin, mark))
        else:
            left, _, said = line.partition("=")
            at = begin + len(left) + 1
            for place, digit in enumerate(_result(left)):
                yield at + place, ids(digit)[0]
                if not said[place:].startswith(digit):
                    break
        begin = mark


def _result(left: str) -> str:
    """What the left side of an equation comes to, in digits; "" where it is none of two numbers with a whole result."""
    found = _EQUATION.fullmatch(left)
    result = None if found is None else apply(int(found[1]), found[2], int(found[3]))
    return "" if result is None else str(result)
