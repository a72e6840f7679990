"""What one stored pool says about choosing: how much is lost by it, how far samples agree, and whether scores and votes mean what they say.

    choices = choices_of(table, "head", size=16)
    choices.gap["best-of-n"]           # the share of questions that were solvable by choosing and were not solved, with its interval

The selection gap is oracle@n less what the choice gives: more samples cannot close it, a better choice can. Calibration is that of a
verifier's scores, where they are in [0, 1], and of the winner's share of the votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.numerics.intervals import Interval
from outthink.numerics.reliability import Calibration, calibration
from outthink.numerics.resampled import mean_intervals, resample_counts
from outthink.numerics.separation import separation, separation_within
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.replay import Line, SampleTable, replay
from outthink.replay.stopping import votes_of


@dataclass(frozen=True)
class Gap:
    """oracle@n less what a choice gives, with its interval over questions."""

    gap: float
    interval: Interval


@dataclass(frozen=True)
class Choices:
    """One pool under one verifier.

    Attributes:
        score: the verifier, "" for none. size: samples of a question, seeds: pools of a question.
        lines: by way of choosing, at that size. gap: by way of choosing.
        agreement: the winner's mean share of the votes. silent: share of samples without an answer.
        votes: calibration of vote shares. scores: of the verifier's scores; None where they are no probabilities.
        told_apart: probability that a right sample scores above a wrong one, over all pairs and within questions; nan without scores.
        ties: share of questions in which more than nine in ten samples have the same score.
    """

    score: str
    size: int
    seeds: int
    lines: dict[str, Line]
    gap: dict[str, Gap]
    agreement: float
    silent: float
    votes: Calibration | None
    scores: Calibration | None
    told_apart: tuple[float, float]
    ties: float


NEITHER = (float("nan"), float("nan"))
UNSCORED = ("single", "vote", "oracle")
SCORED = ("single", "vote", "best-of-n", "weighted", "oracle")


def choices_of(table: SampleTable, score: str, size: int, *, seed: int = 0, resamples: int = 1000) -> Choices:
    """Everything about choosing among `size` samples of each question. `score`: a name of the table's scores; "" for none."""
    select: Sequence[str] = UNSCORED
    if score:
        negative = bool((table.scores[score] < 0).any())
        select = [name if name != "weighted" or not negative else "weighted-min-max" for name in SCORED]
    lines = {line.select: line for line in replay(table, select=select, sizes=(size,), score=score or None, seed=seed)}
    best = lines["oracle"].right
    there = ~np.isnan(best)
    counts = resample_counts(int(there.sum()), resamples, np.random.default_rng([seed, 1]))
    gap = {}
    for name, line in lines.items():
        if name not in ("oracle", "single"):
            lost = (best - line.right)[there]
            gap[name] = Gap(float(lost.mean()), mean_intervals(lost[:, None], counts)[0])
    shares, won = _shares(table)
    known = table.usable
    marks, values, rows = table.right[known], np.zeros(0), np.nonzero(known)[0]
    if score:
        values = table.scores[score][known]
    opinion = ~np.isnan(values)
    return Choices(
        score=score,
        size=size,
        seeds=len(table) // max(1, len(table.units[0])),
        lines=lines,
        gap=gap,
        agreement=float(shares.mean()) if len(shares) else float("nan"),
        silent=float((table.answer[known] < 0).mean()) if known.any() else float("nan"),
        votes=calibration(shares, won.astype(float)) if len(shares) else None,
        scores=_of_scores(values[opinion], marks[opinion]) if score else None,
        told_apart=_told_apart(values[opinion], marks[opinion], table.units[1][rows[opinion]]) if score else NEITHER,
        ties=_ties(table, score) if score else 0.0,
    )


def _shares(table: SampleTable) -> tuple[FloatArray, BoolArray]:
    """The winner's share of the votes and whether it is right, for each row in which anybody votes."""
    shares, won = [], []
    for answer, right in zip(table.answer, table.right, strict=True):
        votes = votes_of(answer)
        if votes:
            first = next(i for i, a in enumerate(answer.tolist()) if a >= 0 and _leads(answer, a, max(votes)))
            shares.append(max(votes) / sum(votes))
            won.append(bool(right[first]))
    return np.array(shares, float), np.array(won, bool)


def _leads(answer: IntArray, one: int, most: int) -> bool:
    return int((answer == one).sum()) == most


def _of_scores(values: FloatArray, right: BoolArray) -> Calibration | None:
    if len(values) == 0 or values.min() < 0.0 or values.max() > 1.0:
        return None
    return calibration(values, right.astype(float))


def _told_apart(values: FloatArray, right: BoolArray, question: IntArray) -> tuple[float, float]:
    # `separation` is the chance that the right one is lower; scores are better when higher.
    return separation(-values, right), separation_within(-values, right, question)


def _ties(table: SampleTable, score: str) -> float:
    tied = []
    for values, known in zip(table.scores[score], table.usable, strict=True):
        own = values[known & ~np.isnan(values)]
        if len(own) > 1:
            tied.append(np.unique(own, return_counts=True)[1].max() > 0.9 * len(own))
    return float(np.mean(tied)) if tied else 0.0
