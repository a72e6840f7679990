"""The next token of every job that can draw one: processors by sequence, then one draw over the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import EngineError, OutthinkError
from outthink.engines.local.backend import LogitArray, StepOutput
from outthink.engines.local.sampling import Rules, draw, log_prob
from outthink.engines.local.work import Job
from outthink.numerics.types import FloatArray, IntArray


@dataclass(frozen=True)
class Draw:
    """A job whose next token is drawn from row `row` of the step's logits, or from the ones it had ready."""

    job: Job
    row: int


@dataclass(frozen=True)
class Drawn:
    """One token a draw, [n], its log-probability before any processor, nats, [n] (0 unless wanted), and the jobs that failed."""

    tokens: IntArray
    log_probs: FloatArray
    errors: dict[int, OutthinkError]


def next_tokens(draws: Sequence[Draw], output: StepOutput | None) -> Drawn:
    """Draw for every job, each with its own settings and its own uniform, whatever the others are."""
    if not draws:
        return Drawn(np.empty(0, dtype=np.int64), np.empty(0), {})
    jobs = [drawn.job for drawn in draws]
    logits = _rows(draws, output)
    wanted = np.flatnonzero([job.order.log_probs for job in jobs])
    changed = any(job.order.log_probs and job.processors is not None for job in jobs)
    raw = logits.copy() if changed else logits
    errors: dict[int, OutthinkError] = {}
    for at, job in enumerate(jobs):
        if job.processors is not None:
            try:
                job.processors.apply(logits[at])
            except EngineError as error:
                errors[at] = error
                logits[at] = 0
    # Every job draws one uniform a token, so that the t-th token's uniform depends on seed and t alone.
    uniforms = np.array([job.rng.random() for job in jobs])
    tokens = draw(logits, Rules.of([job.order.sampling for job in jobs]), uniforms)
    log_probs = np.zeros(len(jobs))
    if len(wanted) > 0:
        log_probs[wanted] = log_prob(raw if len(wanted) == len(raw) else raw[wanted], tokens[wanted])
    return Drawn(tokens, log_probs, errors)


def _rows(draws: Sequence[Draw], output: StepOutput | None) -> LogitArray:
    """Logits of the drawing jobs, [draws, vocabulary], that may be changed in place."""
    if output is not None and [drawn.row for drawn in draws] == list(range(len(output.logits))):
        return output.logits
    return np.stack([_row(drawn, output) for drawn in draws])


def _row(drawn: Draw, output: StepOutput | None) -> LogitArray:
    if drawn.job.ready is not None:
        return drawn.job.ready
    if output is None:
        raise EngineError("A job was to draw from a step that did not happen.")
    row: LogitArray = output.logits[drawn.row]
    return row
