"""What a tuner believes after its measurements: quality and cost of every candidate, and what one more measurement would tell.

    beliefs = Beliefs.after(points, table, spent, groups)
    beliefs.quality.mean(points), beliefs.cost(points)

Quality is a Gaussian process over configurations plus a difficulty for each question, so configurations are compared on the questions that
they share. The logarithm of an answer's cost is another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.numerics.types import FloatArray, IntArray
from outthink.tune.evidence import Counts, Evidence, Noises, PairedTable, paired, repeated
from outthink.tune.fitting import Fitted, fit
from outthink.tune.kernels import Matern
from outthink.tune.posterior import Posterior

FLOOR = 1e-4
"""Least variance of a value's noise: values are rates over few questions, never exact."""
COST_NOISE = 0.01
FITTED_ON = 120
"""Candidates that hyperparameters are sought from, at most: the cost is cubic. Beliefs rest on all."""
OWN = 0.004
"""Share of the values' variance that each configuration has for itself: three points of a rate near one half."""


@dataclass(frozen=True)
class Beliefs:
    """Attributes:
    quality: posterior of the mean value over all questions. fitted: its hyperparameters. noises: of values.
    cost_log: posterior of the log of an answer's cost, or None where no cost is known.
    rows: which candidates have been measured, [q].
    """

    fitted: Fitted
    noises: Noises
    cost_log: Posterior | None
    rows: IntArray

    @property
    def quality(self) -> Posterior:
        """Of the mean value."""
        return self.fitted.known

    def cost(self, x: FloatArray) -> FloatArray:
        """Tokens that an answer is believed to cost at x [m, d]: [m]; 1 where nothing is known."""
        return np.ones(len(x)) if self.cost_log is None else np.exp(self.cost_log.mean(x))

    @classmethod
    def after(
        cls,
        points: FloatArray,
        table: PairedTable,
        spent: FloatArray,
        groups: IntArray,
        *,
        earlier: Beliefs | None = None,
    ) -> Beliefs:
        """From counts and sums by candidate and question, and mean tokens an answer by candidate (nan: unknown), [candidates].

        groups: which candidates are computed from the same samples, [candidates].

        earlier: whose hyperparameters are kept; None: they are sought.
        """
        rows = np.flatnonzero(table.n.sum(1))
        own = PairedTable(table.n[rows], table.total[rows], table.squares)
        x = points[rows]
        cells = np.maximum(own.n.sum(), 1)
        level = float(own.total.sum() / cells)
        variance = max(float(own.squares / cells - level**2), FLOOR)

        same = np.unique(groups[rows], return_inverse=True)[1]
        nested, shared = len(np.unique(same)) < len(rows), own.n.shape[1] > 1

        def evidence(variances: FloatArray) -> Evidence:
            return paired(own, noises_of(variances, nested, shared), same)

        if earlier is not None and len(earlier.fitted.noises) == 1 + nested + shared:
            past = earlier.fitted
            known = Posterior(past.known.kernel, x, evidence(past.noises), level)
            fitted = Fitted(known, past.noises, past.signal)
        else:
            prior = Matern(np.full(points.shape[1], 0.5), variance / 8.0, variance, OWN * variance)
            begin = np.full(1 + nested + shared, variance / (1 + nested + shared))
            some = _some(len(rows))
            part = PairedTable(own.n[some], own.total[some], float((own.total[some] ** 2).sum()))

            def evidence_of_some(variances: FloatArray) -> Evidence:
                return paired(part, noises_of(variances, nested, shared), same[some])

            found = fit(x[some], evidence_of_some, level=level, noises=begin, kernel=prior)
            known = Posterior(found.known.kernel, x, evidence(found.noises), level)
            fitted = Fitted(known, found.noises, found.signal)
        return cls(fitted, noises_of(fitted.noises, nested, shared), _cost(points, spent), rows)


def _some(n: int) -> IntArray:
    """At most `FITTED_ON` of n rows, always the same ones."""
    return np.sort(np.random.default_rng(n).permutation(n)[:FITTED_ON])


def noises_of(variances: FloatArray, nested: bool, shared: bool) -> Noises:
    """The noises that a vector of variances stands for."""
    return Noises(
        max(float(variances[0]), FLOOR), float(variances[1]) if nested else 0.0, float(variances[-1]) if shared else 0.0
    )


def _cost(points: FloatArray, spent: FloatArray) -> Posterior | None:
    rows = np.flatnonzero(np.isfinite(spent) & (spent > 0.0))
    if len(rows) == 0:
        return None
    logs = np.log(spent[rows])
    width = max(float(logs.var()), 0.25)
    kernel = Matern(np.full(points.shape[1], 0.7), width, width)
    return Posterior(
        kernel, points[rows], repeated(Counts.of(len(rows), np.arange(len(rows)), logs), COST_NOISE), float(logs.mean())
    )
