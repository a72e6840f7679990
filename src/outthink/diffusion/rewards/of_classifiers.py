"""Rewards of classifiers: the log-probability of a class, in nats, so that a strength of 1 multiplies the model by the classifier.

from outthink.diffusion.laboratory import classifier

threes = class_log_probability(classifier().log_probabilities, 3)
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from outthink.core.errors import VerifierError, explain
from outthink.diffusion.rewards.differentiable import DifferentiableReward, differentiable

LogProbabilities = Callable[[torch.Tensor], torch.Tensor]
"""Decoded samples [n, ...] to log-probabilities of classes [n, classes], in nats and in torch."""


def class_log_probability(
    log_probabilities: LogProbabilities, class_: int, *, partial: bool = True, floor: float | None = -50.0
) -> DifferentiableReward:
    """Log-probability of one class, at most 0.

    Args:
        floor: no less than this, in nats, so that a classifier that is certain of another class cannot alone decide a search; its gradient
            stays as it is without the floor. None for no floor.
    """

    def of_class(samples: torch.Tensor) -> torch.Tensor:
        table = log_probabilities(samples)
        if table.ndim != 2 or len(table) != len(samples) or not 0 <= class_ < table.shape[1]:
            raise VerifierError(
                explain(
                    "The classifier says nothing of this class.",
                    got=f"log-probabilities of shape {list(table.shape)} for {len(samples)} samples, class {class_}",
                    expected=f"[{len(samples)}, more than {class_}]",
                    remedy="Give a function from samples to log-probabilities [n, classes], and one of its classes.",
                )
            )
        value = table[:, class_]
        return value if floor is None else value + (value.clamp_min(floor) - value).detach()

    return differentiable(of_class, partial=partial, high=1e-6, name=f"log-probability of class {class_}")
