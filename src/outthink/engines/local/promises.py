"""What a request will be billed for its input, said before it is sent and kept to the token.

A prompt's tokens are uncached unless, when it was submitted, they were in the cache or requests submitted before it were going to compute
them. So of n equal prompts one pays, whatever order the scheduler then works in, and the sum of the bills is the number of distinct tokens.
If the cache has to forget something in between, computing it again is the engine's own expense.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from outthink.engines.local.first_logits import FirstLogits
from outthink.engines.local.queues import Prefixes
from outthink.engines.local.residence import Residence
from outthink.engines.local.work import Job


class Promises:
    """Predicts uncached input from what is in the cache and what waits."""

    def __init__(self, residence: Residence, first_logits: FirstLogits) -> None:
        self._residence, self._first_logits = residence, first_logits
        self._waiting = Prefixes()
        self._awaited: Counter[int] = Counter()

    def uncached(self, job: Job, before: Earlier | None = None) -> int:
        """Input tokens that `job` would have to pay if it were submitted now, after the jobs noted in `before`."""
        size, tokens = len(job.content), job.array
        sequences, shared = self._residence.common(tokens)
        known = max(int(shared.max(initial=0)), self._waiting.common(job.keys))
        if before is not None:
            known = max(known, before.prefixes.common(job.keys))
        last = job.keys[-1]
        awaited = self._awaited[last] > 0 or (before is not None and last in before.awaited)
        if not job.rates and awaited:
            return 0
        computed = np.minimum(shared, self._residence.computed[sequences])
        if not job.rates and int(computed.max(initial=0)) >= size and tokens in self._first_logits:
            return 0
        # The first token whose logits are needed has to be computed, whoever has its keys and values.
        return size - min(known, job.first)

    def note_waiting(self, job: Job) -> None:
        """`job` waits: what it will compute is known to come."""
        self._waiting.add(job.keys)

    def forget_waiting(self, job: Job) -> None:
        """`job` waits no longer."""
        self._waiting.remove(job.keys)

    def note_awaited(self, job: Job) -> None:
        """The logits after the prompt of `job` are going to be there for all that ask for the same."""
        if not job.rates:
            self._awaited[job.keys[-1]] += 1

    def forget_awaited(self, job: Job) -> None:
        """They have been used, or will not come through this job."""
        if not job.rates:
            key = job.keys[-1]
            self._awaited[key] -= 1
            if self._awaited[key] <= 0:
                del self._awaited[key]


class Earlier:
    """Requests of the same call that come before."""

    def __init__(self) -> None:
        self.prefixes = Prefixes()
        self.awaited: set[int] = set()

    def add(self, job: Job) -> None:
        """`job` will be submitted first."""
        self.prefixes.add(job.keys)
        if not job.rates:
            self.awaited.add(job.keys[-1])
