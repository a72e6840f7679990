"""The measurement behind `deterministic`: is a sequence's arithmetic bit-identical alone, in company, in pieces and elsewhere in the cache?

It runs when a process first opens a model deterministically (some 250 tokens, about a second for the embedded model) on the library, model
and machine at hand, and refuses to promise what it does not find.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from outthink.core.errors import Incompatible, explain
from outthink.engines.local.backend import Backend, LogitArray, StepBatch

LENGTH = 16
COMPANY = 3
OFFSET = 40


_proven: set[Hashable] = set()


def probe_exactness(backend: Backend, rows: int, subject: Hashable) -> None:
    """Raise `Incompatible` unless every way of computing the same tokens gives the same logits. The cache is empty afterwards.

    Args:
        subject: what is measured: file, build, threads. What has passed once in this process is not measured again.
    """
    if subject in _proven:
        return
    tokens = [(17 * i * i + 5 * i + 3) % backend.vocabulary for i in range(LENGTH)]
    reference = _logits(backend, tokens, piece=min(rows, LENGTH), company=0, offset=0)
    for piece, company, offset in ((5, 0, 0), (1, 0, 0), (1, COMPANY, OFFSET), (rows // 2, 1, OFFSET)):
        got = _logits(backend, tokens, piece=max(1, min(piece, rows - company)), company=company, offset=offset)
        if not np.array_equal(got, reference):
            raise Incompatible(
                explain(
                    "This model's arithmetic depends on what runs beside it, so it cannot be deterministic here.",
                    got=f"logits that differ by {np.abs(got - reference).max():.2g} (pieces of {piece}, {company} others)",
                    expected="the same bits",
                    remedy="Leave `deterministic` off, or use a model of another quantisation, such as Q8_0.",
                )
            )
    _proven.add(subject)


def _logits(backend: Backend, tokens: list[int], *, piece: int, company: int, offset: int) -> LogitArray:
    """Logits after every token, computed `piece` tokens at a time beside `company` others, behind `offset` foreign cells."""
    backend.clear()
    others = [(7 * i + 11) % backend.vocabulary for i in range(max(offset, len(tokens)))]
    if offset:
        _decode(backend, [(others[i], i, company + 1) for i in range(offset)])
    rows: list[LogitArray] = []
    for step, start in enumerate(range(0, len(tokens), piece)):
        mates = [(others[step] + k, step, k + 1) for k in range(company)]
        own = [(token, start + i, 0) for i, token in enumerate(tokens[start : start + piece])]
        rows.append(_decode(backend, [*mates, *own])[company:])
    backend.clear()
    return np.concatenate(rows)


def _decode(backend: Backend, entries: list[tuple[int, int, int]]) -> LogitArray:
    columns = np.array(entries, dtype=np.int32)
    every = np.ones(len(entries), dtype=np.int8)
    return backend.decode(StepBatch(columns[:, 0], columns[:, 1], columns[:, 2], every)).logits.copy()
