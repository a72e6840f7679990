"""Training data without end, made as it is needed: problems of both families, worked, in batches of about equal numbers of tokens.

Problems are drawn a few thousand at a time and sorted by length, so that little of a batch is padding; the batches of one such chunk then
come in random order. Only the solution is learned, not the question: which numbers somebody asks about cannot be predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outthink.core.key import Key
from outthink.laboratory.family import Drawn
from outthink.laboratory.problems import drawn
from outthink.laboratory.vocabulary import BEGIN, END, ids
from outthink.train.laboratory.settings import Part, Training

CHUNK = 64
"""Batches that are drawn and sorted together."""

IGNORED = -100
"""Label of a token that is not learned."""


class Worked(NamedTuple):
    """The tokens of an example, and which stretches of them are learned: first token, and the one after the last."""

    tokens: list[int]
    learned: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TokenBatch:
    """Tokens [n, t] and what should follow each, [n, t], `IGNORED` where nothing is learned. `problems`: how many, n."""

    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def problems(self) -> int:
        return len(self.tokens)


def sequence(problem: Drawn) -> Worked:
    """The tokens of a worked problem, begin and end included; the solution is learned."""
    asked = [BEGIN, *ids(f"{problem.question}\n")]
    tokens = [*asked, *ids("\n".join(problem.lines)), END]
    return Worked(tokens, ((len(asked), len(tokens)),))


def problem_batches(settings: Training, start: int = 0) -> Iterator[TokenBatch]:
    """What a training of the laboratory model reads; the first `start` batches are left out."""
    return batches(settings.mixture, settings.tokens, Key(settings.seed).child("laboratory", "training"), start)


def batches(mixture: Sequence[Part], tokens: int, key: Key, start: int = 0) -> Iterator[TokenBatch]:
    """Batches of about `tokens` tokens, from the side of the split that may be trained on."""

    def worked(key: Key, rng: np.random.Generator) -> Iterator[list[Worked]]:
        shares = np.array([part.share for part in mixture])
        sources = [drawn(part.family, key.child(i), unseen=False) for i, part in enumerate(mixture)]
        while True:
            chosen = rng.choice(len(mixture), size=64, p=shares / shares.sum()).tolist()
            yield [sequence(next(sources[i])) for i in chosen]

    return in_batches(worked, tokens, key, start)


def in_batches(
    worked: Callable[[Key, np.random.Generator], Iterator[list[Worked]]], tokens: int, key: Key, start: int = 0
) -> Iterator[TokenBatch]:
    """Batches of about `tokens` tokens without end.

    Args:
        worked: examples without end, some at a time, from a key and a generator of it.
        start: batches to leave out at the beginning, for a training that goes on; whole chunks are skipped without being drawn.
    """
    chunk = start // CHUNK
    skip = start % CHUNK
    while True:
        part = key.child("chunk", chunk)
        rng = part.child("mixture").rng()
        made = _chunk(worked(part, rng), tokens, rng)
        yield from made[skip:]
        chunk, skip = chunk + 1, 0


def _chunk(source: Iterator[list[Worked]], tokens: int, rng: np.random.Generator) -> list[TokenBatch]:
    worked: list[Worked] = []
    size = 0
    while size < CHUNK * tokens:
        some = next(source)
        worked += some
        size += sum(len(one.tokens) for one in some)
    # Equal lengths come in random order.
    order = np.lexsort((rng.random(len(worked)), np.array([len(one.tokens) for one in worked])))
    sizes = np.cumsum([len(worked[i].tokens) for i in order])
    cuts = np.searchsorted(sizes, np.arange(1, CHUNK) * (sizes[-1] / CHUNK))
    made = [_batch([worked[i] for i in part]) for part in np.split(order, cuts)]
    return [made[i] for i in rng.permutation(CHUNK).tolist()]


def _batch(worked: Sequence[Worked]) -> TokenBatch:
    longest = max(len(one.tokens) for one in worked) - 1
    inputs = np.full((len(worked), longest), END, dtype=np.int64)
    labels = np.full((len(worked), longest), IGNORED, dtype=np.int64)
    for row, (tokens, learned) in enumerate(worked):
        inputs[row, : len(tokens) - 1] = tokens[:-1]
        for first, last in learned:
            labels[row, first - 1 : last - 1] = tokens[first:last]
    return TokenBatch(inputs, labels)
