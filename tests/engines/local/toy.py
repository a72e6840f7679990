"""A model whose next logits are a hash of everything before: one stale or missing token in the cache and they are others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.engines.engine import Sampling
from outthink.engines.local.backend import StepBatch, StepOutput
from outthink.engines.local.parts import Limits, Vocabulary
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.work import Job, Order

VOCABULARY = 40
END = 0


@dataclass(frozen=True, eq=False)
class Cell:
    """One token in the cache, shared by every sequence that goes through it."""

    token: int
    before: Cell | None
    key: bytes

    @classmethod
    def after(cls, before: Cell | None, token: int) -> Cell:
        key = hashlib.blake2b((before.key if before else b"") + token.to_bytes(4, "little"), digest_size=16).digest()
        return cls(token, before, key)

    def logits(self) -> np.ndarray[Any, Any]:
        rng = np.random.Generator(np.random.Philox(key=int.from_bytes(self.key, "little")))
        return (2.0 * rng.standard_normal(VOCABULARY)).astype(np.float32)


class ToyBackend:
    """Exact arithmetic, a real cache: positions must follow on, and no more cells may be in use than there are.

    `reclaims=False` plays a backend whose forgotten cells stay in use until `clear`.
    """

    vocabulary = VOCABULARY

    def __init__(self, cells: int = 1000, sequences: int = 24, *, reclaims: bool = True) -> None:
        self.cells, self.sequences, self.reclaims = cells, sequences, reclaims
        self.rows: dict[int, list[Cell]] = {s: [] for s in range(sequences)}
        self.dead: list[Cell] = []
        self.batches: list[StepBatch] = []
        self.shares = 0
        self.most_cells = 0
        self.before_decode: Callable[[], None] = lambda: None

    def decode(self, batch: StepBatch) -> StepOutput:
        self.before_decode()
        self.batches.append(batch)
        out = []
        for token, position, sequence, wanted in zip(
            batch.tokens.tolist(),
            batch.positions.tolist(),
            batch.sequences.tolist(),
            batch.wanted.tolist(),
            strict=True,
        ):
            row = self.rows[sequence]
            assert position == len(row), "a token was put where it does not belong"
            row.append(Cell.after(row[-1] if row else None, token))
            if wanted:
                out.append(row[-1].logits())
        used = {id(cell) for row in self.rows.values() for cell in row} | {id(cell) for cell in self.dead}
        self.most_cells = max(self.most_cells, len(used))
        assert len(used) <= self.cells, "more was cached than fits"
        logits = np.stack(out) if out else np.empty((0, VOCABULARY), dtype=np.float32)
        return StepOutput(logits, logits[:, :8].copy() if batch.hidden else None)

    def share(self, source: int, target: int, length: int) -> None:
        assert not self.rows[target], "a share into a sequence that was not empty"
        assert length <= len(self.rows[source])
        self.rows[target] = self.rows[source][:length]
        self.shares += 1

    def shorten(self, sequence: int, length: int) -> None:
        if not self.reclaims:
            self.dead += self.rows[sequence][length:]
        del self.rows[sequence][length:]

    def clear(self) -> None:
        self.dead.clear()
        for row in self.rows.values():
            row.clear()

    def close(self) -> None:
        self.clear()


def piece(token: int) -> bytes:
    """Token 7 is "h", and so on; the end token has no text."""
    return b"" if token == END else bytes([96 + token % 26 + 1])


def scheduler_of(
    backend: ToyBackend,
    *,
    places: int = 4,
    rows: int = 16,
    retained: int = 16,
    context: int = 200,
    ends: bool = True,
    checks: int | None = None,
) -> Scheduler:
    vocabulary = Vocabulary(frozenset({END}) if ends else frozenset(), piece)
    return Scheduler(backend, vocabulary, Limits(places, rows, retained, context, checks))


def job(tokens: Sequence[int], limit: int = 8, *, seed: int = 0, owner: str = "", **changes: Any) -> Job:
    """A job that remembers when it finished, in `finished_order`."""
    return Job(Order(tokens=tuple(tokens), limit=limit, seed=seed, owner=owner, **changes), lambda _: None)


def run(scheduler: Scheduler, jobs: Sequence[Job], *, most_steps: int = 5000) -> int:
    """Submit and serve everything; the number of steps."""
    scheduler.submit(jobs)
    steps = 0
    while scheduler.busy:
        scheduler.step()
        steps += 1
        assert steps < most_steps, "the scheduler does not come to an end"
    return steps


def alone(order: Order, *, ends: bool = True) -> Job:
    """The same order, served alone in a fresh engine: what every reply must equal."""
    fresh = Job(Order(**{f: getattr(order, f) for f in order.__dataclass_fields__}), lambda _: None)
    run(scheduler_of(ToyBackend(), ends=ends), [fresh])
    return fresh


def greedy() -> Sampling:
    return Sampling(temperature=0.0)
