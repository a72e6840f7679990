"""A report in sentences: how much was run, how far samples agree, and whether scores and votes mean what they say."""

from __future__ import annotations

import math

from outthink.bench.report import wording
from outthink.bench.report.study import Study
from outthink.bench.statistics import Choices
from outthink.numerics.reliability import Calibration

GAP = (
    "Chosen from one stored pool, so that only the choice differs. The gap is what the best possible choice among the same samples "
    "(oracle) would solve besides; more samples do not close it."
)


BILL = (
    "Means of one question. Methods that choose from a stored pool are billed what their samples and judgements cost when they were drawn; "
    "their seconds are those of choosing alone. All seconds are by the clock, while other questions were under way."
)


def lead(study: Study) -> str:
    """How much there is."""
    stored = study.stored
    bad = f"{wording.counted(len(stored.problems), 'bad row')} left out." if stored.problems else "No bad rows."
    return (
        f"{wording.counted(len({o.method for o in stored.outcomes}), 'method')}, "
        f"{wording.counted(len({o.size for o in stored.outcomes}), 'size')}, "
        f"{wording.counted(len(stored.questions), 'question')}, "
        f"{wording.counted(len({o.seed for o in stored.outcomes}), 'seed')}: "
        f"{wording.counted(len(stored.outcomes), 'outcome')}. {bad}"
    )


def unfinished(study: Study) -> str:
    """How much of the run is missing; "" where nothing is."""
    stored = study.stored
    if stored.record is None or stored.record.ended == "done":
        return ""
    return (
        f"The run is not whole: {len(stored.outcomes):,} of {stored.record.total:,} outcomes ({stored.record.ended})."
    )


def of_choices(one: Choices) -> list[str]:
    """Agreement and calibration of one pool under one verifier."""
    by = one.score or "no verifier"
    agreed = f"{by}: of {one.size} samples the most frequent answer has {wording.percent(one.agreement)} of the votes on average"
    found = [f"{agreed}; {wording.percent(one.silent)} of the samples give no answer."]
    if one.votes is not None:
        found.append(f"Vote shares as probabilities of being right: {_calibrated(one.votes)}.")
    if one.scores is not None:
        found.append(f"Scores of {one.score} as probabilities: {_calibrated(one.scores)}.")
    pooled, within = one.told_apart
    if not math.isnan(pooled):
        inside = "" if math.isnan(within) else f", {within:.2f} within a question, which is what choosing needs"
        found.append(f"A right sample scores above a wrong one with probability {pooled:.2f} over all samples{inside}.")
    return found


def _calibrated(c: Calibration) -> str:
    return f"off by {100 * c.error:.1f} points on average ({100 * c.noise:.1f} would be by chance), Brier {c.brier:.3f}"
