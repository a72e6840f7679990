"""What a node is worth, from what its children are worth. A parameter of `Tree`.

Children are independent draws from the process, so each counts the same, however often it was visited: with `log-mean-exp` the value
estimates (1 / strength) log E[exp(strength * reward)], and a mean weighted by visits would not. A value of nan (no opinion) is left out.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from outthink.core.settings import Tagged
from outthink.numerics.log_weights import log_mean_exp
from outthink.numerics.types import FloatArray


class BackupRule(Tagged):
    """Base of all rules."""

    def value(self, values: FloatArray, strength: float) -> float:
        """The parent's value from its children's, [m]; nan when none is known."""
        known = values[~np.isnan(values)]
        return self.combined(known, strength) if len(known) else float("nan")

    @abstractmethod
    def combined(self, values: FloatArray, strength: float) -> float:
        """The same for known values, at least one."""


class Mean(BackupRule):
    """The mean: what the process earns from here on its own. The limit of `LogMeanExp` as strength goes to 0."""

    def combined(self, values: FloatArray, strength: float) -> float:
        return float(np.mean(values))


class Max(BackupRule):
    """The best: what the best path found from here earned. The limit of `LogMeanExp` as strength grows."""

    def combined(self, values: FloatArray, strength: float) -> float:
        return float(np.max(values))


class LogMeanExp(BackupRule):
    """(1 / strength) log mean exp(strength * value): the soft value of spec 21. Hard zeros (-inf) count, and all of them give -inf."""

    def combined(self, values: FloatArray, strength: float) -> float:
        return log_mean_exp(strength * values) / strength


AnyBackup = Mean | Max | LogMeanExp
