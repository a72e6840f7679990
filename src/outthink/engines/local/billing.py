"""Bills and statistics of the scheduler, kept in one place: what a request pays, and what computing it really took."""

from __future__ import annotations

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure
from outthink.engines.local.promises import Promises
from outthink.engines.local.statistics import EngineStatistics
from outthink.engines.local.work import Job


class Bills:
    """Charges jobs. `counters` is the sum of all bills, `statistics` the physical side."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises
        self.counters = ZERO
        self.statistics = EngineStatistics()

    def call(self, job: Job) -> None:
        """`job` is being served."""
        if job.cost.calls == 0:
            self._charge(job, Cost(calls=1))

    def computed(self, job: Job, count: int, reached: int) -> None:
        """`count` tokens of `job` were computed, the last of them the `reached`-th of its content."""
        self.statistics.rows += count
        fresh = min(count, max(0, reached - job.reached))
        job.reached = max(job.reached, reached)
        if job.input_billed:
            self.statistics.decoded += fresh
            self.statistics.recomputed += count - fresh
        else:
            paid = min(count, job.billable - job.paid)
            job.paid += paid
            self.statistics.prefilled += paid
            self.statistics.recomputed += count - paid

    def prompt(self, job: Job) -> None:
        """The prompt of `job` is ready: its input is billed as promised, once."""
        if not job.input_billed:
            job.input_billed = True
            job.reached = max(job.reached, job.input_size)
            self.settle_promise(job)
            self._charge(job, Cost(input_tokens=job.input_size, cached_input_tokens=job.input_size - job.billable))

    def part_of_prompt(self, job: Job, size: int) -> None:
        """`job` was cancelled with `size` tokens of its content ready: only what was done is billed."""
        if not job.input_billed:
            job.input_billed = True
            size = min(size, job.input_size)
            self._charge(job, Cost(input_tokens=size, cached_input_tokens=size - min(job.paid, size)))

    def token(self, job: Job) -> None:
        """One more token was drawn for `job`."""
        self.statistics.sampled += 1
        self._charge(job, Cost(output_tokens=1))

    def refund(self, job: Job, error: BaseException) -> None:
        """A failure carries no bill, so what was charged is the engine's own expense."""
        self._charge(job, ZERO - job.cost)
        job.failure = Failure.of(error)

    def settle_promise(self, job: Job) -> None:
        """Nobody may count on the logits after the prompt of `job` any more."""
        if job.awaited:
            job.awaited = False
            self._promises.forget_awaited(job)

    def _charge(self, job: Job, cost: Cost) -> None:
        job.cost = job.cost + cost
        self.counters = self.counters + cost
