"""The arithmetic under every search: log-weights, resampling, votes, order statistics, intervals and paired tests.

Plain numpy functions on host arrays of length n, one entry a member. Nothing here knows the project's types, and
nothing draws randomness that it was not handed: what is random takes a `numpy.random.Generator`.
"""

from __future__ import annotations

from outthink.numerics.ancestors import fork_count, in_place
from outthink.numerics.binomial import binomial_pmf, two_sided_half
from outthink.numerics.cost_ratio import Curve, Ratio, cost_to_reach, ratio_at_levels
from outthink.numerics.count_laws import CountBounds, count_bounds, count_variance
from outthink.numerics.intervals import (
    Interval,
    bootstrap_basic,
    bootstrap_percentile,
    normal_quantile,
    paired_bootstrap,
    wilson,
)
from outthink.numerics.log_weights import (
    LogScores,
    effective_sample_size,
    log_mean_exp,
    log_normalise,
    log_odds,
    log_probability,
    log_sum_exp,
    normalise,
)
from outthink.numerics.matched import Matched, difference_at_cost
from outthink.numerics.order_statistics import best_of_k, pass_at_k, selection_probabilities
from outthink.numerics.paired import PairCounts, count_pairs, difference_interval, mcnemar, sign_test
from outthink.numerics.pareto import frontier_share, pareto_frontier
from outthink.numerics.reliability import Calibration, calibration
from outthink.numerics.resampled import (
    mean_intervals,
    percentile_ends,
    rate_interval,
    rate_intervals,
    resample_counts,
    student_quantile,
)
from outthink.numerics.resampling import (
    RESAMPLERS,
    Resampler,
    killing,
    multinomial,
    residual,
    stratified,
    systematic,
)
from outthink.numerics.revision import RevisionRates, revision_rates
from outthink.numerics.separation import separation, separation_interval, separation_within
from outthink.numerics.ssp import ssp
from outthink.numerics.subsets import subset_majority, subset_mean
from outthink.numerics.types import BoolArray, FloatArray, IntArray, SeedArray
from outthink.numerics.votes import Group, agreement, best_member, majority_accuracy, min_max_weights, tally

__all__ = [
    "RESAMPLERS",
    "BoolArray",
    "Calibration",
    "CountBounds",
    "Curve",
    "FloatArray",
    "Group",
    "IntArray",
    "Interval",
    "LogScores",
    "Matched",
    "PairCounts",
    "Ratio",
    "Resampler",
    "RevisionRates",
    "SeedArray",
    "agreement",
    "best_member",
    "best_of_k",
    "binomial_pmf",
    "bootstrap_basic",
    "bootstrap_percentile",
    "calibration",
    "cost_to_reach",
    "count_bounds",
    "count_pairs",
    "count_variance",
    "difference_at_cost",
    "difference_interval",
    "effective_sample_size",
    "fork_count",
    "frontier_share",
    "in_place",
    "killing",
    "log_mean_exp",
    "log_normalise",
    "log_odds",
    "log_probability",
    "log_sum_exp",
    "majority_accuracy",
    "mcnemar",
    "mean_intervals",
    "min_max_weights",
    "multinomial",
    "normal_quantile",
    "normalise",
    "paired_bootstrap",
    "pareto_frontier",
    "pass_at_k",
    "percentile_ends",
    "rate_interval",
    "rate_intervals",
    "ratio_at_levels",
    "resample_counts",
    "residual",
    "revision_rates",
    "selection_probabilities",
    "separation",
    "separation_interval",
    "separation_within",
    "sign_test",
    "ssp",
    "stratified",
    "student_quantile",
    "subset_majority",
    "subset_mean",
    "systematic",
    "tally",
    "two_sided_half",
    "wilson",
]
