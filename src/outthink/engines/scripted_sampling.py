"""Sampling settings applied exactly to a known distribution: what every engine's sampler should agree with.

The logits are the log-probabilities of the script. Order: logit bias, penalties, temperature, top-k, top-p, min-p.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.engines.engine import Sampling


def checked(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The distribution without its zeros. Raises `InputError` unless it is one: non-negative, summing to 1 within 1e-6."""
    total = math.fsum(probabilities.values())
    if not probabilities or min(probabilities.values()) < 0 or not abs(total - 1.0) <= 1e-6:
        raise InputError(
            explain(
                "The script did not return a distribution over next tokens.",
                got=dict(list(probabilities.items())[:8]),
                expected="non-negative probabilities that sum to 1",
                remedy="Correct the script's next_token.",
            )
        )
    return {text: p / total for text, p in probabilities.items() if p > 0}


def processed(logits: Mapping[int, float], sampling: Sampling, counts: Mapping[int, int]) -> dict[int, float]:
    """Probabilities by token id after every setting, most likely first (lowest id first on ties).

    Args:
        logits: nats, by token id; ids that are not there have probability zero.
        counts: how often each id occurs in the reply so far; the penalties look at nothing else.
    """
    penal = sampling.repetition_penalty
    values: dict[int, float] = {}
    for token, logit in logits.items():
        value = logit + sampling.logit_bias.get(str(token), 0.0)
        seen = counts.get(token, 0)
        if seen:
            value = value / penal if value > 0 else value * penal
            value -= sampling.presence_penalty + sampling.frequency_penalty * seen
        values[token] = value
    order = sorted(values, key=lambda token: (-values[token], token))
    if sampling.temperature == 0.0:
        return {order[0]: 1.0}
    top = values[order[0]]
    weights = np.array([math.exp((values[token] - top) / sampling.temperature) for token in order])
    keep = len(order) if sampling.top_k == 0 else min(sampling.top_k, len(order))
    weights = weights[:keep] / weights[:keep].sum()
    if sampling.top_p < 1.0:
        # The smallest set that reaches top_p; a cumulative sum that falls short by rounding reaches it.
        keep = int(np.searchsorted(np.cumsum(weights), sampling.top_p - 1e-12)) + 1
        weights = weights[:keep] / weights[:keep].sum()
    if sampling.min_p > 0.0:
        keep = int((weights >= sampling.min_p * weights[0]).sum())
        weights = weights[:keep] / weights[:keep].sum()
    return dict(zip(order, weights.tolist(), strict=False))


def drawn(probabilities: Mapping[int, float], uniform: float) -> int:
    """The token at `uniform` in [0, 1) of the cumulative distribution, in the mapping's order."""
    reached, token = 0.0, -1
    for token, p in probabilities.items():  # noqa: B007 - the last one takes what rounding left over
        reached += p
        if uniform < reached:
            break
    return token
