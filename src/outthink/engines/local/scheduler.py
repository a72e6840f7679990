"""Continuous batching: every decode step carries one token of each request that generates, and pieces of the prompts that wait behind.

    scheduler = Scheduler(backend, tokens_table, max_sequences=32, ...)
    scheduler.submit(jobs)
    while scheduler.busy:
        scheduler.step()          # one decode; finished jobs call back

Between two decodes: cancelled jobs leave, waiting ones take free places (round robin over owners), jobs whose shared prefix has been
computed fork it. A request that shares a beginning with one that is being computed takes a place and waits for it instead of computing it
again. A finished sequence leaves at once, and what it computed is retained under its content. When cells run out, retained sequences
are forgotten, the least recently used first; then the youngest request is interrupted and computed again later. Nothing ever fails for
want of cache, because one request alone always fits.

Notation of spec 15: slots are places here, reordering is the library's, and `Residence` keeps per-sequence identity and positions.
Thread use: one thread calls `step`; any thread may call `submit`, `cancel`, `promised` and the properties.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import EngineError, Failure, SettingsError
from outthink.engines.engine import StopReason
from outthink.engines.local.backend import Backend, LogitArray, StepBatch, StepOutput
from outthink.engines.local.first_logits import FirstLogits
from outthink.engines.local.promises import Earlier, Promises
from outthink.engines.local.queues import FairQueue
from outthink.engines.local.residence import Residence, State
from outthink.engines.local.sampling import Rules, draw, log_prob
from outthink.engines.local.statistics import EngineStatistics
from outthink.engines.local.work import Job

DEAD_CELLS = 4096
"""Dead cells that are worth a clean-up, where the backend does not reclaim them by itself."""


@dataclass(frozen=True)
class Limits:
    """Sizes of a scheduler: places, tokens a step, retained sequences, and the longest content in tokens."""

    places: int
    rows: int
    retained: int
    context: int


@dataclass(frozen=True)
class Vocabulary:
    """What the scheduler must know of the tokens: which end a reply, and the bytes of each (none for control tokens)."""

    ends: frozenset[int]
    piece: Callable[[int], bytes]


@dataclass(frozen=True)
class _Share:
    """Part of a step that belongs to one job: `count` tokens, whose wanted rows begin at `row`."""

    job: Job
    count: int
    row: int
    wanted: int


@dataclass(frozen=True)
class _Draw:
    """A job whose next token is drawn from row `row` of the step's logits, or from its own `ready` row."""

    job: Job
    row: int


class Scheduler:
    """Serves jobs on a backend. See the module's text."""

    def __init__(self, backend: Backend, vocabulary: Vocabulary, limits: Limits) -> None:
        self._backend, self._vocabulary, self.limits = backend, vocabulary, limits
        self._residence = Residence(backend.sequences, limits.context, backend.cells, reclaims=backend.reclaims)
        self._first_logits = FirstLogits()
        self._promises = Promises(self._residence, self._first_logits)
        self._queue: FairQueue[Job] = FairQueue()
        self._running: list[Job] = []
        self._lock = threading.RLock()
        self._numbers = 0
        self._hold = False
        self._counters = ZERO
        self._statistics = EngineStatistics()

    # -- from any thread --------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        with self._lock:
            return bool(self._running) or len(self._queue) > 0

    @property
    def counters(self) -> Cost:
        """Everything billed so far."""
        with self._lock:
            return self._counters

    @property
    def statistics(self) -> EngineStatistics:
        """Everything done so far."""
        with self._lock:
            return self._statistics.copy()

    def promised(self, jobs: Sequence[Job]) -> list[int]:
        """Uncached input that each job would be billed if these were submitted now, in this order."""
        earlier, promised = Earlier(), []
        with self._lock:
            for job in jobs:
                promised.append(self._promises.uncached(job, earlier))
                earlier.add(job)
        return promised

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs in this order; each calls back when it is finished."""
        with self._lock:
            for job in jobs:
                job.number = self._numbers
                self._numbers += 1
                job.billable = self._promises.uncached(job)
                if job.order.max_uncached is not None:
                    job.billable = min(job.billable, job.order.max_uncached)
                self._promises.note_waiting(job)
                self._promises.note_awaited(job)
                self._queue.add(job)

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Let these end before the next decode, with what they have."""
        with self._lock:
            for job in jobs:
                job.cancelled = True

    def cancel_all(self) -> None:
        """End everything now, with what it has. Only when no step is under way."""
        with self._lock:
            for job in [*self._running, *self._queue]:
                job.cancelled = True
            gone = self._drop_cancelled(closing=True)
        for job in gone:
            job.finish()

    def fail_all(self, error: BaseException) -> None:
        """End everything with a failure; nothing of it is billed."""
        with self._lock:
            jobs = [*self._running, *self._queue]
            self._running.clear()
            self._queue.remove(jobs)
            for job in jobs:
                self._refund(job, error)
        for job in jobs:
            job.finish()

    # -- the engine's thread ----------------------------------------------------------------------------------------

    def step(self) -> int:
        """One decode and what belongs around it; how many jobs finished."""
        began = time.perf_counter()
        with self._lock:
            finished = self._drop_cancelled()
            self._tidy()
            self._admit()
            batch, shares = self._plan()
        planned = time.perf_counter()
        output = self._backend.decode(batch) if len(batch.tokens) else None
        decoded = time.perf_counter()
        with self._lock:
            draws = self._absorb(shares, output)
        absorbed = time.perf_counter()
        tokens, log_probs, broken = self._sample(draws, output)
        sampled = time.perf_counter()
        with self._lock:
            for job, error in broken:
                self._break(job, error)
                finished.append(job)
            for at, drawn in enumerate(draws):
                if drawn.job.failure is None and not self._settled(drawn.job, int(tokens[at]), float(log_probs[at])):
                    finished.append(drawn.job)
            finished += self._collect_finished()
            self._count(began, planned, decoded, absorbed, sampled)
        for job in finished:
            job.finish()
        return len(finished)

    def _count(self, began: float, planned: float, decoded: float, absorbed: float, sampled: float) -> None:
        done = self._statistics
        done.decode_ms += 1e3 * (decoded - planned)
        done.sampling_ms += 1e3 * (sampled - absorbed)
        done.python_ms += 1e3 * (planned - began + absorbed - decoded + time.perf_counter() - sampled)

    # -- who is served ----------------------------------------------------------------------------------------------

    def _drop_cancelled(self, *, closing: bool = False) -> list[Job]:
        # A job that only waits for its last hidden state is let through: it ends with this very step.
        waiting = [job for job in self._queue if job.cancelled]
        self._queue.remove(waiting)
        for job in waiting:
            self._promises.forget_waiting(job)
            self._forget_awaited(job)
        running = [job for job in self._running if job.cancelled and (job.stop is None or closing)]
        for job in running:
            self._bill_partial(job)
            self._remove(job)
        for job in (*waiting, *running):
            job.stop = job.stop or StopReason.CANCELLED
        return [*waiting, *running]

    def _tidy(self) -> None:
        """Clean up when dead cells, which attention still walks through, have become more than the living."""
        if self._residence.dead > max(DEAD_CELLS, 2 * self._residence.held):
            self._clean_up()

    def _admit(self) -> None:
        """Fill free places in turn, as far as cells reach. After an interruption nothing is admitted until something finished."""
        while len(self._running) < self.limits.places and not (self._hold and self._running):
            job = self._queue.next()
            if job is None or not self._fits(job):
                return
            self._queue.take()
            self._promises.forget_waiting(job)
            sequence = self._take_sequence(job)
            job.sequence = sequence
            self._running.append(job)
            if job.cost.calls == 0:
                self._charge(job, Cost(calls=1))
            self._attach(job)

    def _fits(self, job: Job) -> bool:
        if not self._running:
            return True
        coming = sum(len(j.content) - max(int(self._residence.computed[j.sequence]), j.target) for j in self._running)
        sequences, shared = self._residence.common(job.array)
        needed = len(job.content) - int(shared.max(initial=0)) + coming + len(self._running) + 1
        if needed <= self._residence.attainable:
            return True
        if not self._residence.reclaims and self._residence.dead > 0:
            self._clean_up()
            return needed <= self._residence.attainable
        return False

    def _take_sequence(self, job: Job) -> int:
        """A sequence for `job`: the retained one that it continues whole, a free one, or the least recently used."""
        tokens = job.array
        sequences, shared = self._residence.common(tokens)
        for sequence, length in zip(sequences.tolist(), shared.tolist(), strict=True):
            whole = self._residence.state[sequence] == State.RETAINED and length == self._residence.computed[sequence]
            if whole and 0 < length <= job.first and length == int(shared.max()):
                self._residence.open(sequence, tokens)
                return int(sequence)
        found = self._residence.free_sequence()
        if found is None:
            found = self._oldest_retained(keep=int(sequences[int(shared.argmax())]) if len(sequences) else -1)
            self._forget(found)
        self._residence.open(found, tokens)
        return found

    def _oldest_retained(self, keep: int) -> int:
        retained = self._residence.retained().tolist()
        return next((sequence for sequence in retained if sequence != keep), retained[0])

    def _attach(self, job: Job) -> None:
        """Fork the longest computed beginning of a running job's content, or wait for one that is being computed."""
        job.leader, job.target = None, 0
        own = int(self._residence.computed[job.sequence])
        tokens = job.array
        sequences, shared = self._residence.common(tokens)
        others = sequences != job.sequence
        sequences, shared = sequences[others], shared[others]
        computed = np.minimum(shared, self._residence.computed[sequences])
        best = int(computed.max(initial=0))
        if not job.rates and not job.generated and max(best, own) >= len(tokens):
            job.ready = self._first_logits.get(tokens)
        cap = len(tokens) if job.ready is not None else job.first if job.rates else len(tokens) - 1
        reachable = max(own, min(best, cap))
        leader, target = self._leader(job, sequences, shared, cap)
        if leader is not None and target > reachable:
            job.leader, job.target = leader, target
        elif min(best, cap) > own:
            source = int(sequences[int(computed.argmax())])
            if own > 0:
                self._backend.shorten(job.sequence, 0)
                self._release_to_running(job, tokens)
            self._backend.share(source, job.sequence, min(best, cap))
            self._residence.share(source, job.sequence, min(best, cap))

    def _release_to_running(self, job: Job, tokens: np.ndarray) -> None:  # type: ignore[type-arg]
        self._residence.release(job.sequence)
        self._residence.open(job.sequence, tokens)

    def _leader(
        self,
        job: Job,
        sequences: np.ndarray,
        shared: np.ndarray,
        cap: int,  # type: ignore[type-arg]
    ) -> tuple[Job | None, int]:
        """The earlier running job that is going to have the longest beginning of `job`, and how long it is."""
        by_sequence = {other.sequence: other for other in self._running[: self._running.index(job)]}
        best: tuple[Job | None, int] = (None, 0)
        for sequence, length in zip(sequences.tolist(), shared.tolist(), strict=True):
            other = by_sequence.get(sequence)
            if other is None or other.ready is not None:
                continue
            target = len(job.content) if job.same_prompt(other) else min(length, cap)
            if target > best[1]:
                best = (other, target)
        return best

    # -- one step ---------------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[StepBatch, list[_Share]]:
        """The next step's tokens: one of each request that generates, then pieces of prompts in order of admission."""
        self._follow_on()
        while True:
            chosen = self._choose()
            needed = sum(count for _, count in chosen)
            if needed <= self._residence.free:
                break
            self._make_room(needed)
        if len(self._queue) > 0:
            self._statistics.busy_places += len(self._running)
            self._statistics.places += self.limits.places
        tokens: list[int] = []
        positions: list[int] = []
        sequences: list[int] = []
        wanted: list[bool] = []
        shares: list[_Share] = []
        row = 0
        for job, count in chosen:
            start = int(self._residence.computed[job.sequence])
            self._residence.extend(job.sequence, count)
            tokens += job.content[start : start + count]
            positions += range(start, start + count)
            sequences += [job.sequence] * count
            first = job.first if job.rates else len(job.content) - 1
            flags = [start + i >= first for i in range(count)]
            wanted += flags
            shares.append(_Share(job, count, row, sum(flags)))
            row += sum(flags)
        batch = StepBatch(
            np.array(tokens, dtype=np.int32),
            np.array(positions, dtype=np.int32),
            np.array(sequences, dtype=np.int32),
            np.array(wanted, dtype=np.int8),
            hidden=any(share.job.stop is not None for share in shares),
        )
        return batch, shares

    def _choose(self) -> list[tuple[Job, int]]:
        room = self.limits.rows
        left = {id(job): len(job.content) - int(self._residence.computed[job.sequence]) for job in self._running}
        able = [job for job in self._running if job.leader is None and job.ready is None and left[id(job)] > 0]
        one = [(job, 1) for job in able if left[id(job)] == 1]
        room -= len(one)
        more: list[tuple[Job, int]] = []
        for job in able:
            if left[id(job)] > 1 and room > 0:
                count = min(left[id(job)], room)
                more.append((job, count))
                room -= count
        return [*one, *more]

    def _follow_on(self) -> None:
        """Jobs whose leader has come far enough go on by themselves."""
        for job in self._running:
            leader = job.leader
            if leader is None:
                continue
            if job.target == len(job.content) and job.same_prompt(leader):
                continue
            if self._residence.computed[leader.sequence] >= min(job.target, len(job.content) - 1):
                self._attach(job)

    def _absorb(self, shares: list[_Share], output: StepOutput | None) -> list[_Draw]:
        """Note what was computed; the jobs that can draw their next token."""
        draws = [_Draw(job, -1) for job in self._running if job.ready is not None]
        if output is not None:
            self._statistics.steps += 1
        for share in shares:
            job = share.job
            self._note_computed(job, share.count)
            if job.rates:
                self._rate(job, share, output)
            elif share.wanted and job.stop is not None and output is not None and output.hidden is not None:
                job.hidden = output.hidden[share.row].copy()
            elif share.wanted and output is not None:
                draws.append(_Draw(job, share.row))
                draws += self._share_first(job, share.row, output.logits[share.row])
        for drawn in draws:
            self._bill_input(drawn.job)
        return draws

    def _note_computed(self, job: Job, count: int) -> None:
        self._statistics.rows += count
        before, job.reached = job.reached, max(job.reached, int(self._residence.computed[job.sequence]))
        fresh = min(count, max(0, job.reached - before)) if job.input_billed else 0
        if job.input_billed:
            self._statistics.decoded += fresh
            self._statistics.recomputed += count - fresh
        else:
            paid = min(count, job.billable - job.paid)
            job.paid += paid
            self._statistics.prefilled += paid
            self._statistics.recomputed += count - paid

    def _share_first(self, leader: Job, row: int, logits: LogitArray) -> list[_Draw]:
        """Jobs with the same prompt fork it whole and draw from the same logits."""
        if leader.generated:
            return []
        followers = [job for job in self._running if job.leader is leader and job.same_prompt(leader)]
        for job in followers:
            job.leader, job.target = None, 0
            self._restart(job)
            self._backend.share(leader.sequence, job.sequence, len(job.content))
            self._residence.share(leader.sequence, job.sequence, len(job.content))
        self._first_logits.put(leader.array, logits)
        return [_Draw(job, row) for job in followers]

    def _restart(self, job: Job) -> None:
        if self._residence.computed[job.sequence] > 0:
            self._backend.shorten(job.sequence, 0)
            self._residence.release(job.sequence)
            self._residence.open(job.sequence, job.array)

    def _rate(self, job: Job, share: _Share, output: StepOutput | None) -> None:
        if output is not None and share.wanted:
            done = len(job.log_probs)
            given = np.array(job.order.continuation[done : done + share.wanted], dtype=np.int64)
            job.log_probs += log_prob(output.logits[share.row : share.row + share.wanted], given).tolist()
        if len(job.log_probs) == len(job.order.continuation):
            self._bill_input(job)
            job.stop = StopReason.LENGTH

    # -- sampling ---------------------------------------------------------------------------------------------------

    def _sample(
        self, draws: list[_Draw], output: StepOutput | None
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[Job, BaseException]]]:  # type: ignore[type-arg]
        if not draws:
            return np.empty(0, dtype=np.int64), np.empty(0), []
        logits = self._rows(draws, output)
        jobs = [drawn.job for drawn in draws]
        raw = logits.copy() if any(job.order.log_probs and job.processors for job in jobs) else logits
        broken: list[tuple[Job, BaseException]] = []
        for at, job in enumerate(jobs):
            if job.processors is not None:
                try:
                    job.processors.apply(logits[at])
                except (EngineError, SettingsError) as error:
                    broken.append((job, error))
                    logits[at] = 0
        uniforms = np.array([job.rng.random() for job in jobs])
        tokens = draw(logits, Rules.of([job.order.sampling for job in jobs]), uniforms)
        log_probs = np.zeros(len(jobs))
        asked = np.flatnonzero([job.order.log_probs for job in jobs])
        if len(asked):
            rows = raw if len(asked) == len(raw) else raw[asked]
            log_probs[asked] = log_prob(rows, tokens[asked])
        return tokens, log_probs, broken

    def _rows(self, draws: list[_Draw], output: StepOutput | None) -> LogitArray:
        """Logits of the drawing jobs, [draws, vocabulary], that may be changed in place."""
        if output is not None and [drawn.row for drawn in draws] == list(range(len(output.logits))):
            return output.logits
        rows = [drawn.job.ready if drawn.job.ready is not None else _row(output, drawn.row) for drawn in draws]
        return np.stack(rows)

    def _settled(self, job: Job, token: int, log_prob: float) -> bool:
        try:
            self._settle(job, token, log_prob)
        except EngineError as error:
            self._break(job, error)
            return False
        return True

    def _break(self, job: Job, error: BaseException) -> None:
        """One job fails alone."""
        self._remove(job)
        self._refund(job, error)

    def _settle(self, job: Job, token: int, log_prob: float) -> None:
        """Give `job` its next token and see whether it ends."""
        job.ready = None
        job.generated.append(token)
        self._statistics.sampled += 1
        self._charge(job, Cost(output_tokens=1))
        if job.order.log_probs:
            job.log_probs.append(log_prob)
        complete = job.processors is not None and job.processors.accept(token)
        if token in self._vocabulary.ends:
            job.stop = StopReason.END
        else:
            job.stop_text = job.stream.push(self._vocabulary.piece(token))
            if job.stop_text:
                job.stop = StopReason.STOP
            elif complete:
                job.stop = StopReason.END
            elif len(job.generated) >= job.order.limit:
                job.stop = StopReason.LENGTH
        if job.stop is None or job.order.hidden:
            job.content.append(token)
            self._residence.plan(job.sequence, token)

    def _collect_finished(self) -> list[Job]:
        done = [
            job
            for job in self._running
            if job.stop is not None and (job.rates or not job.order.hidden or job.hidden is not None)
        ]
        for job in done:
            self._remove(job)
        return done

    # -- leaving, forgetting, interrupting ---------------------------------------------------------------------------

    def _remove(self, job: Job) -> None:
        """Take a job out of service; what it computed stays, as far as it may be retained."""
        self._running.remove(job)
        self._hold = False
        self._forget_awaited(job)
        self._residence.retain(job.sequence)
        if self._residence.computed[job.sequence] == 0:
            self._residence.release(job.sequence)
        job.sequence = -1
        self._let_go(job)
        retained = self._residence.retained()
        for sequence in retained[: max(0, len(retained) - self.limits.retained)].tolist():
            self._forget(sequence)

    def _let_go(self, leader: Job) -> None:
        """Those who waited for `leader` go on without it."""
        for job in self._running:
            if job.leader is leader:
                self._attach(job)

    def _forget(self, sequence: int) -> None:
        self._backend.shorten(sequence, 0)
        self._residence.release(sequence)
        self._statistics.evicted += 1

    def _make_room(self, needed: int) -> None:
        """Free at least one cell more: forget what is retained, clean up dead cells, or interrupt the youngest request."""
        retained = self._residence.retained()
        if self._residence.reclaims and len(retained) > 0:
            self._forget(int(retained[0]))
            return
        if not self._residence.reclaims and (self._residence.dead > 0 or len(retained) > 0):
            self._clean_up()
            return
        youngest = max(self._running, key=lambda job: job.number)
        if len(self._running) == 1:
            raise EngineError(f"{needed} tokens do not fit into a cache of {self._residence.cells}.")
        self._interrupt(youngest)

    def _interrupt(self, job: Job) -> None:
        """Put a running job back to the front of its owner's line; what it has is computed again later."""
        self._running.remove(job)
        if self._residence.computed[job.sequence] > 0:
            self._backend.shorten(job.sequence, 0)
        self._residence.release(job.sequence)
        job.sequence, job.leader, job.target, job.ready = -1, None, 0, None
        self._promises.note_waiting(job)
        self._queue.put_back(job)
        self._hold = True
        self._statistics.preempted += 1
        self._let_go(job)

    def _clean_up(self) -> None:
        """Start from an empty cache; running jobs compute theirs again, sharing what they share."""
        self._backend.clear()
        self._residence.reset()
        self._statistics.cleared += 1
        for job in self._running:
            self._attach(job)

    # -- bills ------------------------------------------------------------------------------------------------------

    def _charge(self, job: Job, cost: Cost) -> None:
        job.cost = job.cost + cost
        self._counters = self._counters + cost

    def _bill_input(self, job: Job) -> None:
        if not job.input_billed:
            job.input_billed = True
            job.reached = max(job.reached, job.input_size)
            self._forget_awaited(job)
            self._charge(job, Cost(input_tokens=job.input_size, cached_input_tokens=job.input_size - job.billable))

    def _bill_partial(self, job: Job) -> None:
        """Of a cancelled job's prompt only what was done is billed."""
        if not job.input_billed:
            size = min(int(self._residence.computed[job.sequence]), job.input_size)
            paid = min(job.paid, size)
            job.input_billed = True
            self._charge(job, Cost(input_tokens=size, cached_input_tokens=size - paid))

    def _refund(self, job: Job, error: BaseException) -> None:
        """A failure carries no bill, so what was charged is the engine's own expense."""
        self._charge(job, ZERO - job.cost)
        job.failure = Failure.of(error)

    def _forget_awaited(self, job: Job) -> None:
        if job.awaited:
            job.awaited = False
            self._promises.forget_awaited(job)


def _row(output: StepOutput | None, row: int) -> LogitArray:
    if output is None:
        raise EngineError("A job was to draw from a step that did not happen.")
    return output.logits[row]
