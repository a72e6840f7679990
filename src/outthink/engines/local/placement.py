"""Where a job's tokens come from: a retained sequence that it goes on with, a prefix that it forks, or a leader that it waits for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outthink.engines.local.backend import Backend, TokenArray
from outthink.engines.local.first_logits import FirstLogits
from outthink.engines.local.residence import Residence, State
from outthink.engines.local.work import Job
from outthink.numerics.types import IntArray

FADING = 0.998
"""How much of the largest batch is still remembered after one more request: its members end one by one."""

SPARE = 1.25
"""Cells for finished sequences, by those that were running together: all of these, and some older ones."""


class Placement:
    """Gives jobs sequences of the cache, and keeps the backend in step with the table."""

    def __init__(
        self, backend: Backend, residence: Residence, first_logits: FirstLogits, *, checks: int | None = None
    ) -> None:
        self._backend, self._residence, self._first_logits = backend, residence, first_logits
        self._checks = checks
        self._lately_running, self._lately_held = 0.0, 0.0
        self.forgotten = 0

    def take(self, job: Job) -> None:
        """Give `job` a sequence: the retained one that it continues whole, a free one, or the least recently used."""
        tokens = job.array
        sequences, shared = self._residence.common(tokens)
        longest = int(shared.max(initial=0))
        whole = (shared == self._residence.computed[sequences]) & (self._residence.state[sequences] == State.RETAINED)
        taken = np.flatnonzero(whole & (shared == longest) & (shared <= job.first))
        if len(taken) > 0:
            found = int(sequences[taken[0]])
        else:
            free = self._residence.free_sequence()
            found = (
                self._oldest(keep=int(sequences[shared.argmax()]) if len(sequences) else -1) if free is None else free
            )
            if free is None:
                self.forget(found)
        self._residence.open(found, tokens)
        job.sequence = found

    def attach(self, job: Job, earlier: Sequence[Job]) -> None:
        """Fork the longest computed beginning of `job`, or let it wait for one of the `earlier` jobs that is going to have a longer one."""
        job.leader, job.target = None, 0
        own, tokens = int(self._residence.computed[job.sequence]), job.array
        sequences, shared = self._residence.common(tokens)
        others = sequences != job.sequence
        sequences, shared = sequences[others], shared[others]
        computed = np.minimum(shared, self._residence.computed[sequences])
        best = int(computed.max(initial=0))
        if not job.rates and not job.generated and best >= len(tokens):
            job.ready = self._first_logits.get(tokens)
        # One token at least must be computed, for its logits, unless they are known.
        cap = len(tokens) if job.ready is not None else job.first if job.rates else len(tokens) - 1
        best = min(best, cap)
        leader, target = _leader(job, earlier, sequences, shared, cap)
        if leader is not None and target > max(own, best):
            job.leader, job.target = leader, target
        elif best > own:
            self.fork(int(sequences[computed.argmax()]), job, best)

    def fork(self, source: int, job: Job, length: int) -> None:
        """Let `job` share the first `length` computed tokens of sequence `source`, in place of what it has."""
        if self._residence.computed[job.sequence] > 0:
            self._backend.shorten(job.sequence, 0)
            self._residence.release(job.sequence)
            self._residence.open(job.sequence, job.array)
        self._backend.share(source, job.sequence, length)
        self._residence.share(source, job.sequence, length)

    def leave(self, job: Job, *, keep: int) -> None:
        """`job` needs its sequence no more. At most `keep` sequences are retained, the most recently used, as far as it is worth it."""
        idle = self._worth_keeping()
        self._residence.retain(job.sequence)
        if self._residence.computed[job.sequence] == 0:
            self._residence.release(job.sequence)
        job.sequence = -1
        retained = self._residence.retained()
        for at, sequence in enumerate(retained.tolist()):
            if len(retained) - at <= keep and self._residence.idle <= idle:
                break
            self.forget(sequence)

    def evict(self, job: Job) -> None:
        """Take everything from a running `job`."""
        if self._residence.computed[job.sequence] > 0:
            self._backend.shorten(job.sequence, 0)
        self._residence.release(job.sequence)
        job.sequence, job.leader, job.target, job.ready = -1, None, 0, None

    def forget(self, sequence: int) -> None:
        """Give up a retained sequence."""
        self._backend.shorten(sequence, 0)
        self._residence.release(sequence)
        self.forgotten += 1

    def _worth_keeping(self) -> int:
        """Cells for finished sequences: at most half of the cache.

        Where each of them slows down every row of a step, also no more than cost `checks` looks, unless the running sequences held as many
        together: a search goes on from what it has just finished.
        """
        half = self._residence.cells // 2
        if self._checks is None:
            return half
        running = int((self._residence.state == State.RUNNING).sum())
        self._lately_running = max(running, FADING * self._lately_running)
        self._lately_held = max(self._residence.held, FADING * self._lately_held)
        return min(half, max(int(self._checks / self._lately_running), int(SPARE * self._lately_held)))

    def _oldest(self, keep: int) -> int:
        retained = self._residence.retained().tolist()
        return int(next((sequence for sequence in retained if sequence != keep), retained[0]))


def _leader(
    job: Job, earlier: Sequence[Job], sequences: IntArray, shared: IntArray, cap: int
) -> tuple[Job | None, int]:
    """The earlier job that is going to have the longest beginning of `job`, and how much of it can be shared."""
    by_sequence = {other.sequence: other for other in earlier if other.ready is None}
    leader, best = None, 0
    for sequence, length in zip(sequences.tolist(), shared.tolist(), strict=True):
        other = by_sequence.get(sequence)
        if other is not None:
            target = len(job.content) if job.same_prompt(other) else min(length, cap)
            if target > best:
                leader, best = other, target
    return leader, best


def unplaced(tokens: TokenArray, residence: Residence) -> int:
    """How many of `tokens` no sequence holds or is about to hold."""
    _, shared = residence.common(tokens)
    return len(tokens) - int(shared.max(initial=0))
