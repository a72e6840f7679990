"""Twists: how scores along the way steer a particle filter without changing what it aims at.

A twist keeps, for each member, the log of what its weight has been multiplied by so far (`log_twist`, psi). The filter adds differences
of it to the log-weights, so the products telescope: whatever psi was on the way, at the end only psi_T counts.

- `Difference` (psi_t = strength * s_t): the score is a *value* of the whole prefix. The default.
- `RunningMax`, `RunningSum`: reward the best, or the sum, of the scores so far; at the end psi_T = strength * s_T, so they aim at the same
  target as `Difference` and differ in how eagerly they steer.
- `Incremental` (psi_t = psi_{t-1} + strength * s_t): the score is a *step reward*; every step's factor stays. Another target.

`strength` is 1 / tau of spec 03. A score of nan (no opinion) leaves psi as it is.
Sources: spec 03; Feynman-Kac steering potentials, Singhal et al. 2025.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from outthink.core.errors import Incompatible, explain
from outthink.core.settings import PositiveFloat, Tagged
from outthink.core.verifier import ScoreKind
from outthink.numerics.types import BoolArray, FloatArray


class Twisted(NamedTuple):
    """psi and what it must remember, both [n]."""

    log_twist: FloatArray
    memory: FloatArray


class Twist(Tagged):
    """Base of all twists."""

    strength: PositiveFloat = 1.0

    def check_kind(self, kind: ScoreKind) -> None:
        """Refuse scores that mean something else than this twist takes them for."""
        if kind is ScoreKind.STEP_REWARD:
            raise Incompatible(
                explain(
                    f"The twist {self.name()!r} takes scores as values of the whole prefix; this verifier gives step rewards.",
                    got=kind.value,
                    expected="prefix-value or outcome",
                    remedy='Set twist = {type = "incremental"}.',
                )
            )

    def start(self) -> float:
        """What the memory of a fresh member holds."""
        return 0.0

    def update(self, now: Twisted, score: FloatArray, done: BoolArray) -> Twisted:
        """psi after a step. `score` [n] in nats, nan for no opinion; `done` [n]: members that have ended in this step."""
        known = ~np.isnan(score)
        filled = np.where(known, score, 0.0)
        log_twist, memory = self.along(now, filled)
        log_twist = np.where(done, self.at_end(log_twist, filled), log_twist)
        return Twisted(np.where(known, log_twist, now.log_twist), np.where(known, memory, now.memory))

    @abstractmethod
    def along(self, now: Twisted, score: FloatArray) -> Twisted:
        """psi and memory of a member that goes on."""

    def at_end(self, log_twist: FloatArray, score: FloatArray) -> FloatArray:
        """psi of a member that has ended: strength * score, so that all value twists aim at the same target."""
        return self.strength * score


class Difference(Twist):
    """psi_t = strength * s_t: the score is a value of the prefix (spec 03, `ratio`)."""

    def along(self, now: Twisted, score: FloatArray) -> Twisted:
        return Twisted(self.strength * score, now.memory)


class RunningMax(Twist):
    """psi grows by strength * (best score so far) at each step, until the end sets it to strength * s_T."""

    def start(self) -> float:
        return float("-inf")

    def along(self, now: Twisted, score: FloatArray) -> Twisted:
        best = np.maximum(now.memory, score)
        return Twisted(now.log_twist + self.strength * best, best)


class RunningSum(Twist):
    """psi grows by strength * (sum of scores so far) at each step, until the end sets it to strength * s_T."""

    def along(self, now: Twisted, score: FloatArray) -> Twisted:
        total = now.memory + score
        return Twisted(now.log_twist + self.strength * total, total)


class Incremental(Twist):
    """psi grows by strength * s_t: the score is a reward of the step, and every factor stays (spec 03, `incremental`).

    `accept_values` takes scores that rate the whole prefix as if they were step rewards, as the published codes do; early steps then
    count many times.
    """

    accept_values: bool = False

    def check_kind(self, kind: ScoreKind) -> None:
        if kind is not ScoreKind.STEP_REWARD and not self.accept_values:
            raise Incompatible(
                explain(
                    "The twist 'incremental' takes scores as rewards of single steps; this verifier rates more than a step.",
                    got=kind.value,
                    expected="step-reward",
                    remedy='Set twist = {type = "difference"}, or accept_values = true for the published behaviour.',
                )
            )

    def along(self, now: Twisted, score: FloatArray) -> Twisted:
        return Twisted(now.log_twist + self.strength * score, now.memory)

    def at_end(self, log_twist: FloatArray, score: FloatArray) -> FloatArray:
        return log_twist


AnyTwist = Difference | RunningMax | RunningSum | Incremental
