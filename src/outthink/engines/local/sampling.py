"""Drawing one token for every row of a batch, in numpy, without sorting a vocabulary.

    tokens = draw(logits, rules, uniforms)       # rows [n, vocabulary], one rule and one uniform a row

A row's token is the inverse of its cumulative distribution at the row's own uniform, so it depends on its logits, its rule and its uniform
alone, never on the other rows. Three passes keep it cheap: exponentials in single precision over the whole batch, sums over blocks of
128 tokens, and a cumulative sum within the one block that the uniform falls into. Top-k and top-p first bound their candidates: the k-th
largest block maximum is a lower bound of the k-th largest logit, so only tokens above it need be sorted.

Order, as `Sampling` promises: temperature, top-k, top-p, min-p; bias, constraint and penalties were applied to the logits before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outthink.engines.engine import Sampling
from outthink.engines.local.backend import LogitArray
from outthink.numerics.types import FloatArray, IntArray

BLOCK = 128
FLAT = 256
"""The largest vocabulary that is summed without blocks."""

NUCLEUS = 256
"""Candidates that a first look at a nucleus takes; widened while they do not reach top_p."""


@dataclass(frozen=True)
class Rules:
    """Sampling settings by column, [n] each."""

    temperature: NDArray[np.float32]
    top_k: IntArray
    top_p: FloatArray
    min_p: NDArray[np.float32]

    @classmethod
    def of(cls, settings: Sequence[Sampling]) -> Rules:
        """One row for each of `settings`."""
        return cls(
            temperature=np.array([s.temperature for s in settings], dtype=np.float32),
            top_k=np.array([s.top_k for s in settings], dtype=np.int64),
            top_p=np.array([s.top_p for s in settings]),
            min_p=np.array([s.min_p for s in settings], dtype=np.float32),
        )


def draw(logits: LogitArray, rules: Rules, uniforms: FloatArray) -> IntArray:
    """One token a row, [n].

    Args:
        logits: nats, [n, vocabulary]; not changed. -inf forbids a token; at least one a row is finite.
        uniforms: in [0, 1), [n]; a greedy row does not use its own.
    """
    best: IntArray = logits.argmax(axis=1)
    drawn = np.flatnonzero(rules.temperature > 0)
    if len(drawn) == 0:
        return best
    rows = logits if len(drawn) == len(logits) else logits[drawn]
    top = np.take_along_axis(logits, best[:, None], axis=1)[drawn]
    weights = rows - top
    weights *= 1.0 / rules.temperature[drawn][:, None]
    np.exp(weights, out=weights)
    limited = (rules.top_k[drawn] > 0) | (rules.top_p[drawn] < 1)
    floor = rules.min_p[drawn]
    for i in np.flatnonzero((floor > 0) & ~limited):
        weights[i, weights[i] < floor[i]] = 0
    tokens: IntArray = best.copy()
    free = np.flatnonzero(~limited)
    if len(free) > 0:
        chosen = weights if len(free) == len(weights) else weights[free]
        tokens[drawn[free]] = _inverse(chosen, uniforms[drawn[free]])
    for i in np.flatnonzero(limited):
        row = drawn[i]
        tokens[row] = _limited(
            weights[i], int(rules.top_k[row]), float(rules.top_p[row]), float(rules.min_p[row]), float(uniforms[row])
        )
    return tokens


def log_prob(logits: LogitArray, tokens: IntArray) -> FloatArray:
    """Log-probability of one token a row at temperature 1, nats, [n]."""
    top = logits.max(axis=1, keepdims=True)
    totals = np.exp(logits - top).sum(axis=1, dtype=np.float64)
    at = np.take_along_axis(logits, tokens[:, None], axis=1) - top
    return np.asarray(at[:, 0].astype(np.float64) - np.log(totals))


def _inverse(weights: LogitArray, uniforms: FloatArray) -> IntArray:
    """The token at which each row's cumulative weight passes its uniform share, [n]."""
    n, size = weights.shape
    if size <= FLAT:
        return _inverse_flat(weights, uniforms)
    blocks = size // BLOCK
    sums = np.empty((n, blocks + 1))
    sums[:, :blocks] = weights[:, : blocks * BLOCK].reshape(n, blocks, BLOCK).sum(axis=2)
    sums[:, blocks] = weights[:, blocks * BLOCK :].sum(axis=1)
    reached = np.cumsum(sums, axis=1)
    target = uniforms * reached[:, -1]
    block = (reached <= target[:, None]).sum(axis=1)
    tokens = np.empty(n, dtype=np.int64)
    for i in range(n):
        at = int(block[i]) if block[i] <= blocks else int(np.flatnonzero(sums[i])[-1])
        part = weights[i, at * BLOCK : (at + 1) * BLOCK].astype(np.float64)
        inside = np.cumsum(part)
        # The share of the block, not the remainder: the block's own sum was rounded to single precision.
        share = (target[i] - (reached[i, at] - sums[i, at])) / sums[i, at]
        tokens[i] = at * BLOCK + _pick(part, inside, share)
    return tokens


def _inverse_flat(weights: LogitArray, uniforms: FloatArray) -> IntArray:
    """The same for a small vocabulary: one cumulative sum over all rows at once costs less than a look at each row."""
    reached = np.cumsum(weights, axis=1, dtype=np.float64)
    tokens = np.asarray((reached <= (uniforms * reached[:, -1])[:, None]).sum(axis=1))
    # A product that rounds up to the whole sum lies behind every token: the last one with any weight is meant.
    beyond = tokens == weights.shape[1]
    tokens[beyond] = weights.shape[1] - 1 - (weights[beyond, ::-1] > 0).argmax(axis=1)
    return tokens


def _pick(weights: FloatArray, reached: FloatArray, uniform: float) -> int:
    """The index whose stretch of `reached`, the cumulative sum of `weights`, holds the share `uniform`; never one of weight 0."""
    at = int(np.searchsorted(reached, uniform * reached[-1], side="right"))
    if at >= len(weights) or weights[at] <= 0:
        positive = np.flatnonzero(weights > 0)
        at = int(positive[min(int(np.searchsorted(positive, at)), len(positive) - 1)])
    return at


def _limited(weights: LogitArray, top_k: int, top_p: float, min_p: float, uniform: float) -> int:
    """A token drawn from a row of weights (1 at the most likely token) under top-k, top-p and min-p."""
    size = len(weights)
    ids = _largest(weights, min(top_k, size) if top_k else min(NUCLEUS, size))
    kept = weights[ids].astype(np.float64)
    total = float(kept.sum()) if top_k else float(weights.sum(dtype=np.float64))
    if top_p < 1:
        reached = np.cumsum(kept)
        while not top_k and reached[-1] < top_p * total and len(ids) < size:
            ids = _largest(weights, min(16 * len(ids), size))
            kept = weights[ids].astype(np.float64)
            reached = np.cumsum(kept)
        # The smallest set that reaches top_p; a cumulative sum that falls short by rounding reaches it.
        keep = min(int(np.searchsorted(reached, (top_p - 1e-12) * total)) + 1, len(ids))
        ids, kept = ids[:keep], kept[:keep]
    if min_p > 0:
        keep = int((kept >= min_p * kept[0]).sum())
        ids, kept = ids[:keep], kept[:keep]
    return int(ids[_pick(kept, np.cumsum(kept), uniform)])


def _largest(values: LogitArray, k: int) -> IntArray:
    """Indices of the `k` largest of `values`, largest first, lower index first on ties, [k]."""
    blocks = len(values) // BLOCK
    if k <= blocks:
        maxima = values[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1)
        bound = np.partition(maxima, blocks - k)[blocks - k]
    else:
        bound = np.partition(values, len(values) - k)[len(values) - k]
    ids = np.flatnonzero(values >= bound)
    return np.asarray(ids[np.lexsort((ids, -values[ids]))[:k]])
