"""Continuous batching: every decode step carries one token of each request that generates, and pieces of the prompts that wait behind.

    scheduler = Scheduler(backend, vocabulary, limits)
    scheduler.submit(jobs)
    while scheduler.busy:
        scheduler.step()          # one decode; finished jobs call back

Between two decodes: cancelled jobs leave, waiting ones take free places (first the owner that has had the fewest tokens), jobs whose
shared prefix has been computed fork it. A request that shares a beginning with one that is being computed takes a place and waits for it
instead of computing it again. A finished sequence leaves at once, and what it computed is retained under its content. When cells run out,
retained sequences are forgotten, the least recently used first; then the youngest request is interrupted and computed again later. Nothing
ever fails for want of cache, because one request alone always fits.

Source: spec 15 (Flover, arXiv 2305.13484, temporal fusion). Its slots are places here; its reordering of buffers is the library's.
Threads: one thread calls `step`; any thread may call `submit`, `cancel`, `promised` and read the properties.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np

from outthink.core.cost import Cost
from outthink.core.errors import EngineError
from outthink.engines.engine import StopReason
from outthink.engines.local.backend import Backend, LogitArray, StepBatch, StepOutput
from outthink.engines.local.billing import Bills
from outthink.engines.local.first_logits import FirstLogits
from outthink.engines.local.next_tokens import Draw, Drawn, next_tokens
from outthink.engines.local.parts import Limits, Share, Vocabulary
from outthink.engines.local.placement import Placement, unplaced
from outthink.engines.local.promises import Earlier, Promises
from outthink.engines.local.queues import FairQueue
from outthink.engines.local.residence import Residence
from outthink.engines.local.sampling import log_prob
from outthink.engines.local.statistics import EngineStatistics
from outthink.engines.local.work import Job

DEAD_CELLS = 4096
"""Dead cells that are worth a clean-up, where the backend does not reclaim them by itself."""


class Scheduler:
    """Serves jobs on a backend. See the module's text."""

    def __init__(self, backend: Backend, vocabulary: Vocabulary, limits: Limits) -> None:
        self._backend, self._vocabulary, self.limits = backend, vocabulary, limits
        self._residence = Residence(backend.sequences, limits.context, backend.cells, reclaims=backend.reclaims)
        self._first_logits = FirstLogits()
        self._promises = Promises(self._residence, self._first_logits)
        self._placement = Placement(backend, self._residence, self._first_logits, checks=limits.checks)
        self._bills = Bills(self._promises)
        self._queue: FairQueue[Job] = FairQueue()
        self._running: list[Job] = []
        self._lock = threading.RLock()
        self._submitted = 0
        self._hold = False

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
            return self._bills.counters

    @property
    def statistics(self) -> EngineStatistics:
        """Everything done so far."""
        with self._lock:
            self._bills.statistics.evicted = self._placement.forgotten
            return self._bills.statistics.copy()

    @property
    def standing(self) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
        """The jobs that wait and those that run, for who watches."""
        with self._lock:
            return tuple(self._queue), tuple(self._running)

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
                job.number = self._submitted
                self._submitted += 1
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

    # -- the scheduler's own thread ---------------------------------------------------------------------------------

    def step(self) -> int:
        """One decode and what belongs around it; how many jobs finished."""
        clock = [time.perf_counter()]
        with self._lock:
            finished = self._drop_cancelled()
            self._tidy()
            self._admit()
            batch, shares = self._plan()
        clock.append(time.perf_counter())
        output = self._backend.decode(batch) if len(batch.tokens) > 0 else None
        clock.append(time.perf_counter())
        with self._lock:
            draws = self._absorb(shares, output)
        clock.append(time.perf_counter())
        drawn = next_tokens(draws, output)
        clock.append(time.perf_counter())
        with self._lock:
            finished += self._settle(draws, drawn)
            finished += self._finished()
            clock.append(time.perf_counter())
            self._bills.statistics.timed(clock)
        for job in finished:
            job.finish()
        return len(finished)

    def cancel_all(self) -> None:
        """End everything now, with what it has. Only when no step is under way."""
        with self._lock:
            self.cancel([*self._running, *self._queue])
            gone = self._drop_cancelled(closing=True)
        for job in gone:
            job.finish()

    def fail_all(self, error: BaseException) -> None:
        """End everything with a failure; nothing of it is billed. The scheduler is not to be used again."""
        with self._lock:
            jobs = [*self._running, *self._queue]
            self._running.clear()
            self._queue.remove(jobs)
            for job in jobs:
                self._bills.refund(job, error)
        for job in jobs:
            job.finish()

    # -- who is served ----------------------------------------------------------------------------------------------

    def _drop_cancelled(self, *, closing: bool = False) -> list[Job]:
        waiting = [job for job in self._queue if job.cancelled]
        self._queue.remove(waiting)
        for job in waiting:
            self._promises.forget_waiting(job)
            self._bills.settle_promise(job)
        # A job that only waits for its last hidden state is let through: it ends with this very step.
        running = [job for job in self._running if job.cancelled and (job.stop is None or closing)]
        for job in running:
            self._bills.part_of_prompt(job, int(self._residence.computed[job.sequence]))
            self._remove(job)
        for job in (*waiting, *running):
            job.stop = job.stop or StopReason.CANCELLED
        return [*waiting, *running]

    def _tidy(self) -> None:
        """Clean up when dead cells, which attention still walks through, have become more than the living."""
        if self._residence.dead > max(DEAD_CELLS, 2 * self._residence.held):
            self._clean_up()

    def _admit(self) -> None:
        """Fill free places in turn, as far as cells reach. After an interruption nothing is admitted until something has finished."""
        while len(self._running) < self.limits.places and not (self._hold and self._running):
            job = self._queue.next()
            if job is None or not self._fits(job):
                break
            self._queue.take()
            self._promises.forget_waiting(job)
            self._bills.call(job)
            self._placement.take(job)
            self._placement.attach(job, self._running)
            self._running.append(job)
        if len(self._queue) > 0:
            self._bills.statistics.busy_places += len(self._running)
            self._bills.statistics.places += self.limits.places

    def _fits(self, job: Job) -> bool:
        if not self._running:
            return True
        coming = sum(len(j.content) - max(int(self._residence.computed[j.sequence]), j.target) for j in self._running)
        needed = unplaced(job.array, self._residence) + coming + len(self._running) + 1
        if needed > self._residence.attainable and self._residence.dead > 0:
            self._clean_up()
        return needed <= self._residence.attainable

    # -- one step ---------------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[StepBatch, list[Share]]:
        """The next step: one token of each request that generates, then pieces of prompts in order of admission."""
        self._follow_on()
        chosen = self._choose()
        while sum(count for _, count in chosen) > self._residence.free:
            self._make_room()
            chosen = self._choose()
        columns: list[tuple[int, int, int, bool]] = []
        shares: list[Share] = []
        row = 0
        for job, count in chosen:
            start = int(self._residence.computed[job.sequence])
            self._residence.extend(job.sequence, count)
            first = job.first if job.rates else len(job.content) - 1
            columns += [(job.content[i], i, job.sequence, i >= first) for i in range(start, start + count)]
            wanted = max(0, start + count - max(start, first))
            shares.append(Share(job, count, row, wanted))
            row += wanted
        return StepBatch.of(columns, hidden=any(share.job.stop is not None for share in shares)), shares

    def _choose(self) -> list[tuple[Job, int]]:
        own = [job for job in self._running if job.leader is None and job.ready is None]
        able = [(job, left) for job in own if (left := len(job.content) - int(self._residence.computed[job.sequence]))]
        chosen = [(job, 1) for job, left in able if left == 1]
        room = self.limits.rows - len(chosen)
        for job, left in able:
            if left > 1 and room > 0:
                chosen.append((job, min(left, room)))
                room -= min(left, room)
        return chosen

    def _follow_on(self) -> None:
        """Jobs whose leader has come far enough go on by themselves."""
        for at, job in enumerate(self._running):
            leader = job.leader
            if leader is None or (job.target == len(job.content) and job.same_prompt(leader)):
                continue
            if self._residence.computed[leader.sequence] >= min(job.target, len(job.content) - 1):
                self._placement.attach(job, self._running[:at])

    def _absorb(self, shares: list[Share], output: StepOutput | None) -> list[Draw]:
        """Note what was computed; the jobs that can draw their next token."""
        draws = [Draw(job, -1) for job in self._running if job.ready is not None]
        for share in shares:
            job = share.job
            self._bills.computed(job, share.count, int(self._residence.computed[job.sequence]))
            if output is None or not share.wanted:
                continue
            if job.rates:
                self._rate(job, output.logits[share.row : share.row + share.wanted])
            elif job.stop is not None and output.hidden is not None:
                job.hidden = output.hidden[share.row].copy()
            else:
                draws.append(Draw(job, share.row))
                if not job.generated:
                    draws += self._share_first(job, share.row, output.logits[share.row])
        if output is not None:
            self._bills.statistics.steps += 1
        for drawn in draws:
            self._bills.prompt(drawn.job)
        return draws

    def _share_first(self, leader: Job, row: int, logits: LogitArray) -> list[Draw]:
        """Jobs with the same prompt fork it whole and draw from the same logits."""
        followers = [job for job in self._running if job.leader is leader and job.same_prompt(leader)]
        for job in followers:
            job.leader, job.target = None, 0
            self._placement.fork(leader.sequence, job, len(job.content))
        self._first_logits.put(leader.array, logits)
        return [Draw(job, row) for job in followers]

    def _rate(self, job: Job, logits: LogitArray) -> None:
        done, given = len(job.log_probs), job.order.continuation
        job.log_probs += log_prob(logits, np.array(given[done : done + len(logits)], dtype=np.int64)).tolist()
        if len(job.log_probs) == len(given):
            self._bills.prompt(job)
            job.stop = StopReason.LENGTH

    def _settle(self, draws: list[Draw], drawn: Drawn) -> list[Job]:
        """Give every job its token; the jobs that failed over it."""
        broken = []
        for at, (job, token) in enumerate(zip((d.job for d in draws), drawn.tokens.tolist(), strict=True)):
            try:
                if at in drawn.errors:
                    raise drawn.errors[at]
                self._give(job, token, float(drawn.log_probs[at]))
            except EngineError as error:
                self._remove(job)
                self._bills.refund(job, error)
                broken.append(job)
        return broken

    def _give(self, job: Job, token: int, log_prob: float) -> None:
        job.ready = None
        job.generated.append(token)
        self._bills.token(job)
        if job.order.log_probs:
            job.log_probs.append(log_prob)
        complete = job.processors is not None and job.processors.accept(token)
        if token not in self._vocabulary.ends:
            job.stop_text = job.stream.push(self._vocabulary.piece(token))
        if job.stop_text:
            job.stop = StopReason.STOP
        elif complete or token in self._vocabulary.ends:
            job.stop = StopReason.END
        elif len(job.generated) >= job.order.limit:
            job.stop = StopReason.LENGTH
        if job.stop is None or job.order.hidden:
            job.content.append(token)
            self._residence.plan(job.sequence, token)

    # -- leaving, making room ---------------------------------------------------------------------------------------

    def _finished(self) -> list[Job]:
        done = [job for job in self._running if job.stop is not None and not job.lacks_hidden]
        for job in done:
            self._remove(job)
        return done

    def _remove(self, job: Job) -> None:
        """Take a job out of service; what it computed stays, as far as it may be retained."""
        self._running.remove(job)
        self._queue.served(job, len(job.generated) or len(job.order.continuation))
        self._hold = False
        self._bills.settle_promise(job)
        self._placement.leave(job, keep=self.limits.retained)
        self._let_go(job)

    def _let_go(self, leader: Job) -> None:
        """Those who waited for `leader` go on without it."""
        for at, job in enumerate(self._running):
            if job.leader is leader:
                self._placement.attach(job, self._running[:at])

    def _make_room(self) -> None:
        """Free some cells: forget what is retained, clean up dead cells, or interrupt the youngest request."""
        retained = self._residence.retained()
        if self._residence.reclaims and len(retained) > 0:
            self._placement.forget(int(retained[0]))
        elif not self._residence.reclaims and (self._residence.dead > 0 or len(retained) > 0):
            self._clean_up()
        elif len(self._running) > 1:
            self._interrupt(max(self._running, key=lambda job: job.number))
        else:
            raise EngineError(f"A request does not fit into a cache of {self._residence.cells} tokens.")

    def _interrupt(self, job: Job) -> None:
        """Put a running job back to the front of its owner's line; what it has is computed again later."""
        self._running.remove(job)
        self._placement.evict(job)
        self._promises.note_waiting(job)
        self._queue.put_back(job)
        self._hold = True
        self._bills.statistics.preempted += 1
        self._let_go(job)

    def _clean_up(self) -> None:
        """Start from an empty cache; running jobs compute theirs again, sharing what they share."""
        self._backend.clear()
        self._residence.reset()
        self._bills.statistics.cleared += 1
        for at, job in enumerate(self._running):
            if job.ready is None:
                self._placement.attach(job, self._running[:at])
