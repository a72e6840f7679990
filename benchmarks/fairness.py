"""How fairly an embedded engine serves many runs: tokens by run while all of them wait for more, and Jain's index of these.

    watch = FairnessWatch(engine)          # looks at the engine before and after each of its steps
    ...                                    # many runs
    watch.index, watch.fill

Source of the index: Jain, Chiu and Hawe, A quantitative measure of fairness (1984); 1 is even, 1/n is everything to one of n.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.serving import ServingEngine
from outthink.engines.local.work import Job


def jain(values: Sequence[float]) -> float:
    """The square of the sum over n times the sum of squares; 1 for no values."""
    x = np.asarray(values, dtype=np.float64)
    squares = float(np.sum(x * x))
    return float(np.sum(x)) ** 2 / (len(x) * squares) if squares > 0 else 1.0


class FairnessWatch:
    """Tokens drawn by each run in the longest stretch of steps during which the same runs, as many as ever, had work waiting.

    Attributes:
        runs: how many runs waited at once in that stretch. `steps`: how long it was. `tokens`: drawn by each of them in it.
    """

    def __init__(self, engine: ServingEngine) -> None:
        self.runs, self.steps = 0, 0
        self.tokens: Counter[str] = Counter()
        self._now: tuple[frozenset[str], int, Counter[str]] = (frozenset(), 0, Counter())
        self._before = engine.statistics
        self._engine = engine
        self._watch(engine.scheduler)

    @property
    def index(self) -> float:
        """Jain's index of the tokens of the stretch."""
        return jain(list(self.tokens.values()))

    @property
    def fill(self) -> float:
        """Share of the engine's places that were busy while work waited."""
        return (self._engine.statistics - self._before).fill

    def _watch(self, scheduler: Scheduler) -> None:
        inner = scheduler.step

        def step() -> int:
            waits, runs = scheduler.standing
            waiting = frozenset(job.owner for job in waits)
            jobs = [(job, len(job.generated)) for job in (*waits, *runs)]
            finished = inner()
            self._note(waiting, Counter({o: n for o, n in _drawn(jobs).items() if o in waiting}))
            return finished

        scheduler.step = step  # type: ignore[method-assign]

    def _note(self, waiting: frozenset[str], drawn: Counter[str]) -> None:
        runs, steps, tokens = self._now
        if waiting != runs:
            runs, steps, tokens = waiting, 0, Counter(dict.fromkeys(waiting, 0))
        tokens.update(drawn)
        self._now = (runs, steps + 1, tokens)
        if (len(runs), steps + 1) > (self.runs, self.steps):
            self.runs, self.steps, self.tokens = len(runs), steps + 1, tokens.copy()


def _drawn(jobs: Sequence[tuple[Job, int]]) -> Counter[str]:
    drawn: Counter[str] = Counter()
    for job, before in jobs:
        drawn[job.owner] += len(job.generated) - before
    return drawn
