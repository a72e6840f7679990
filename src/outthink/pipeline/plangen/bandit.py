"""Which algorithm next: an upper-confidence bandit with a prior from a model, a bonus for what was tried little, and one for recoveries.

    arms = Arms.fresh(3)
    k = arms.choose(prior, rule)
    arms = arms.after(k, reward, passed=False, best=True)

Rewards lie in [0, 1]. `normalise = "paper"` divides the summed reward of an arm by its uses and by the largest sum of all: for the arm that
is used most this is about 1 over its uses whatever it earned, so what is learned is forgotten (500 pulls of Bernoulli arms end up no better
than choosing at random; a test shows it). `"mean"`, the default, is the mean reward. The weight of the prior is lambda / (1 + trials), from
the constant lambda each time; the paper's listing changes the variable itself, which would compound.

Source: spec 09, step 6 (PlanGEN, arXiv 2502.16111). Not printed there, chosen as the sheet says: the weights, and what counts as failure
and as recovery.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from outthink.core.checkpoint import Saved
from outthink.core.settings import NonNegativeFloat, Settings
from outthink.numerics.types import FloatArray


class Bandit(Settings):
    """The weights of the bandit's terms.

    Attributes:
        normalise: of an arm's reward: its mean, or as the paper's formula has it.
        prior: weight of the model's view at the first trial. diversity: of the bonus for arms that were used little. recovery: of the bonus
            for arms that succeeded after a failure.
        most_exploration: cap of the exploration term.
    """

    normalise: Literal["mean", "paper"] = "mean"
    prior: NonNegativeFloat = 1.0
    diversity: NonNegativeFloat = 0.5
    recovery: NonNegativeFloat = 0.5
    most_exploration: NonNegativeFloat = 5.0


@dataclass(frozen=True)
class Arms(Saved):
    """What is known of k arms; immutable, so it can be stored and carried on.

    Attributes:
        reward, uses: sum of rewards and number of trials, [k]. failures: trials that did not pass, [k].
        recovered: trials after a failure that passed or were the best so far, [k]; `after_failure`: all trials after a failure, [k].
        trials: of all arms. failed: whether the last one, of whichever arm, did not pass.
    """

    reward: FloatArray
    uses: FloatArray
    failures: FloatArray
    recovered: FloatArray
    after_failure: FloatArray
    trials: int = 0
    failed: bool = False

    @classmethod
    def fresh(cls, k: int) -> Arms:
        """Nothing known of k arms."""
        zero = np.zeros(k)
        return cls(zero, zero, zero, zero, zero)

    def values(self, prior: Sequence[float], rule: Bandit) -> FloatArray:
        """The bandit's value of each arm, [k]: what it earned, what is not known of it, and the three bonuses."""
        uses = np.maximum(self.uses, 1.0)
        largest = float(self.reward.max())
        earned = (
            self.reward / uses if rule.normalise == "mean" else self.reward / (uses * (largest if largest > 0 else 1.0))
        )
        explored = np.zeros(len(self.uses))
        if self.trials:
            with np.errstate(divide="ignore"):
                explored = np.minimum(np.sqrt(2 * math.log(self.trials + 1) / self.uses), rule.most_exploration)
        weight = rule.prior / (1 + self.trials)
        bonus = rule.diversity / (self.uses + 1) + rule.recovery * self.recovered / np.maximum(1.0, self.after_failure)
        values: FloatArray = earned + explored + weight * np.asarray(prior, float) + bonus
        return values

    def choose(self, prior: Sequence[float], rule: Bandit) -> int:
        """The arm of the largest value; the first declared on ties."""
        return int(np.argmax(self.values(prior, rule)))

    def after(self, arm: int, reward: float, *, passed: bool, best: bool) -> Arms:
        """The same after a trial. `reward` in [0, 1]; `best`: whether it raised the best score so far."""
        one = np.zeros(len(self.uses))
        one[arm] = 1.0
        late = one if self.failed else 0 * one
        return replace(
            self,
            reward=self.reward + reward * one,
            uses=self.uses + one,
            failures=self.failures + (0.0 if passed else 1.0) * one,
            recovered=self.recovered + (1.0 if passed or best else 0.0) * late,
            after_failure=self.after_failure + late,
            trials=self.trials + 1,
            failed=not passed,
        )
