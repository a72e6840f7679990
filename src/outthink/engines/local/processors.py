"""What happens to one sequence's logits before sampling: logit bias, constraint, penalties, in this order, each neutral unless set.

A sequence that sets none of them has no processors at all and costs nothing. Penalties look at the reply so far and at nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from outthink.core.errors import EngineError, SettingsError, explain
from outthink.engines.engine import Sampling
from outthink.engines.local.backend import LogitArray


class Mask(Protocol):
    """A constraint as it stands after the reply so far."""

    def apply(self, row: LogitArray) -> None:
        """Set the logits of forbidden tokens to -inf, in place."""

    def accept(self, token: int) -> bool:
        """Go on by `token`; whether the reply is complete, with nothing that may follow."""


class Processors:
    """The logits processors of one sequence."""

    def __init__(self, sampling: Sampling, mask: Mask | None, begun: Sequence[int] = ()) -> None:
        """`begun`: tokens of the reply that were generated before; penalties count them."""
        self._sampling, self._mask = sampling, mask
        self._biased = np.array([int(token) for token in sampling.logit_bias], dtype=np.int64)
        self._bias = np.array(list(sampling.logit_bias.values()), dtype=np.float32)
        self._penalises = sampling.penalises
        self._counts = Counter(begun)

    def apply(self, row: LogitArray) -> None:
        """Change one row of logits in place, [vocabulary] nats."""
        if len(self._biased):
            row[self._biased] += self._bias
        if self._mask is not None:
            self._mask.apply(row)
        if self._penalises and self._counts:
            seen = np.fromiter(self._counts, dtype=np.int64, count=len(self._counts))
            times = np.fromiter(self._counts.values(), dtype=np.float32, count=len(self._counts))
            values, penalty = row[seen], self._sampling.repetition_penalty
            values = np.where(values > 0, values / penalty, values * penalty)
            row[seen] = values - self._sampling.presence_penalty - self._sampling.frequency_penalty * times
        if row.max() == -np.inf:
            raise EngineError("Logit bias and constraint together forbid every token.")

    def accept(self, token: int) -> bool:
        """Take note of a sampled token; whether a constraint says that the reply is complete."""
        if self._penalises:
            self._counts[token] += 1
        return self._mask is not None and self._mask.accept(token)


def check_bias(sampling: Sampling, vocabulary: int) -> None:
    """Raise `SettingsError` for a bias on something that is no token of this vocabulary."""
    for token, value in sampling.logit_bias.items():
        if not token.isdecimal() or int(token) >= vocabulary:
            raise SettingsError(
                explain(
                    "A logit bias names a token that the model does not have.",
                    got=token,
                    expected=f"a token id from 0 to {vocabulary - 1}, written as text",
                    remedy="Use ids of the model's own tokenizer.",
                )
            )
        if np.isnan(value) or value == np.inf:
            raise SettingsError(
                explain(
                    "A logit bias cannot be this number.",
                    got=value,
                    expected="a number, or -inf to forbid a token",
                    remedy="Correct it.",
                )
            )


def needed(sampling: Sampling) -> bool:
    """Whether any setting needs a processor."""
    return bool(sampling.logit_bias) or sampling.penalises
