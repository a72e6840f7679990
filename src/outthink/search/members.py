"""Members with weights: what particle filters, Gibbs samplers and tempering know about each of theirs.

Log-weights count from the last resampling. A member that has finished waits: nothing multiplies its weight until the others are through.
Resampling may leave behind everyone who has finished. The best of those is held aside, without weight, so that a search that is cut before
anyone else comes to an end still has an answer.
"""

# Notation: w_t -> log_w, psi_t -> log_twist, alpha_t -> log_ratio (target over proposal), T -> heat
# log w_t = log w_{t-1} + alpha_t + (psi_t - psi_{t-1}) / T

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.batch import Batch
from outthink.core.errors import VerifierError, explain
from outthink.core.rows import Rows
from outthink.core.run import Moved
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.twists import AnyTwist, Twisted

P = TypeVar("P", bound="Members")


@dataclass(frozen=True)
class Members(Rows):
    """A weighted population.

    Attributes:
        log_w: log-weight since the last resampling, [n] nats.
        log_twist, memory: psi and what the twist remembers, [n].
        score: the verifier's last, [n]; nan for none.
    """

    batch: Batch
    log_w: FloatArray
    log_twist: FloatArray
    memory: FloatArray
    score: FloatArray


def moved_on(
    before: P, moved: Moved, score: FloatArray, log_score: FloatArray, twist: AnyTwist, heat: FloatArray | float = 1.0
) -> P:
    """The population after a move: new states, twists and weights.

    Args:
        score: the verifier's, [n], nan for no opinion. `log_score`: the same in nats, nan also for members that did not move.
        heat: temperature of the weights, one or [n].
    """
    batch = moved.batch
    twisted = twist.update(Twisted(before.log_twist, before.memory), log_score, batch.done)
    log_w = before.log_w + moved.log_ratio + increments(twisted.log_twist, before.log_twist) / heat
    log_w = np.where(batch.failed | (before.log_w == -np.inf), -np.inf, log_w)
    _check(log_w, batch)
    return replace(before, batch=batch, log_w=log_w, log_twist=twisted.log_twist, memory=twisted.memory, score=score)


def increments(new: FloatArray, old: FloatArray) -> FloatArray:
    """new - old, [n] nats, where a weight that has become zero stays zero."""
    dead = (new == -np.inf) | (old == -np.inf)
    return np.where(dead, -np.inf, new - np.where(dead, 0.0, old)) if dead.any() else new - old


def held_aside(now: Members, stay: IntArray, held: Members | None) -> Members | None:
    """The best of the finished members that are left behind, and of the one held so far; [1], or None while there is none.

    Args:
        stay: rows of `now` that go on.
    """
    left = now.batch.finished & np.isfinite(now.log_w)
    left[stay] = False
    if not left.any():
        return held
    gone = Members(now.batch, now.log_w, now.log_twist, now.memory, now.score).take(left)
    everyone = gone if held is None else held.join(gone)
    return everyone.take([int(np.argmax(np.where(np.isnan(everyone.score), -np.inf, everyone.score)))])


def or_held(answer: Answer, held: Members | None) -> Answer:
    """The same answer; where it has no best guess, with the member that was held aside as the only one of weight."""
    if held is None or answer.chosen is not None:
        return answer
    batch, n = answer.batch.join(held.batch), len(answer.batch)
    weights = np.append(np.zeros(n), 1.0)
    return replace(answer, batch=batch, weights=weights, scores=np.append(answer.scores, held.score), chosen=n)


def _check(log_w: FloatArray, batch: Batch) -> None:
    bad = (~(log_w < np.inf)).nonzero()[0]
    if len(bad):
        first = int(bad[0])
        raise VerifierError(
            explain(
                f"The weight of member {first} (node {int(batch.id[first])}) is no number after step {int(batch.depth[first])}.",
                got=float(log_w[first]),
                expected="a log-weight: finite, or -inf for a rejected member",
                remedy="Look at this node's score and at the process's log-ratio.",
            )
        )
