"""Who judges, and which answers are the same.

Every score says what it is. A *step reward* rates one step, a *prefix value* rates everything so far, an *outcome* rates a finished answer;
used as weights they aim at different targets, so mixing them is an error, not a choice. What may be turned into what is said by the
conversions of `ScoreSpec`, and done by verifiers that are asked for by name. `ScoreSpec.log_map` says how a score becomes nats.
nan means "no opinion"; a verifier that breaks gives a failure for that candidate, never a score of 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure, Incompatible, VerifierError, explain
from outthink.core.process import Adaptation
from outthink.core.task import Candidate, Feature, Task
from outthink.numerics.log_weights import log_odds, log_probability
from outthink.numerics.types import FloatArray


class ScoreKind(StrEnum):
    """What a score rates."""

    STEP_REWARD = "step-reward"
    PREFIX_VALUE = "prefix-value"
    OUTCOME = "outcome"


class LogMap(StrEnum):
    """How a score becomes a log-weight: as it is, the log of a probability, or its log odds (spec 03: `raw`, `prob`, `logit`)."""

    RAW = "raw"
    PROBABILITY = "probability"
    ODDS = "odds"


Aggregation = Literal["last", "min", "product", "mean"]
"""How the rewards of all steps so far become one value of the prefix (spec 03, score aggregation)."""


@dataclass(frozen=True)
class ScoreSpec:
    """What a verifier's scores are.

    Attributes:
        partial: whether unfinished candidates can be rated.
        low, high: the range; a score outside it is an error.
        wants: features that the process must show.
        local: answers within milliseconds and without input or output, so that it still runs after a deadline.
        reads_reference: whether it looks at the task's right answer (an oracle; reports say so).
        open_notes: whether what it says besides a score may be told to whoever writes the next answer although it reads the right one: it
            says what scores are made of, and nothing of the answer.
        relative: whether a score only compares the candidates of one call, so that scores of different calls cannot be compared.
    """

    kind: ScoreKind
    partial: bool
    low: float = 0.0
    high: float = 1.0
    log_map: LogMap = LogMap.PROBABILITY
    wants: frozenset[Feature] = frozenset()
    local: bool = True
    reads_reference: bool = False
    open_notes: bool = False
    relative: bool = False

    @property
    def tells_notes(self) -> bool:
        """Whether its notes may be told to whoever writes the next answer."""
        return self.open_notes or not self.reads_reference

    def aggregated(self, how: Aggregation) -> ScoreSpec:
        """What step rewards become when those of all steps so far are put together: a prefix value.

        A product of log-weights is their sum. Raises `Incompatible` for scores that rate more than a step: those hold earlier ones already.
        """
        if self.kind is not ScoreKind.STEP_REWARD:
            raise _no_conversion(self.kind, "aggregated over steps", "step rewards", "Use the verifier as it is.")
        low, high = self.low, self.high
        if how == "product" and self.log_map is LogMap.RAW:
            low, high = (-np.inf if low < 0 else low), (np.inf if high > 0 else high)
        elif how == "product" and not (low >= 0.0 and high <= 1.0):
            low, high = -np.inf, np.inf
        elif how == "product":
            low = 0.0
        return replace(self, kind=ScoreKind.PREFIX_VALUE, low=low, high=high)

    def at_end(self) -> ScoreSpec:
        """What a prefix value becomes when only finished answers are rated: an outcome. An outcome stays one.

        Raises `Incompatible` for step rewards, whose last one says nothing about the steps before.
        """
        if self.kind is ScoreKind.STEP_REWARD:
            raise _no_conversion(
                self.kind, "an outcome", "prefix values or outcomes", "Aggregate its step rewards first."
            )
        return replace(self, kind=ScoreKind.OUTCOME, partial=False)


def _no_conversion(kind: ScoreKind, target: str, expected: str, remedy: str) -> Incompatible:
    return Incompatible(
        explain(f"These scores cannot become {target}.", got=f"{kind.value}s", expected=expected, remedy=remedy)
    )


@dataclass(frozen=True)
class Scores:
    """One value a candidate, [n]; nan for no opinion. `notes` say why, "" for nothing to say.

    `unjudged`: rows that a cut left without a judgement, which is neither an opinion nor a failure. `warnings`: what the user should know
    about the scores as a whole.
    """

    values: FloatArray
    notes: tuple[str, ...] = ()
    cost: Cost = ZERO
    failures: dict[int, Failure] = field(default_factory=dict)
    uncertain: Cost = ZERO
    unjudged: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()


class Verifier(ABC):
    """Rates candidates. Keep the contract of `outthink.testing.contracts.VerifierContract`."""

    __slots__ = ()

    @property
    @abstractmethod
    def spec(self) -> ScoreSpec:
        """What its scores are."""

    def most(self, task: Task) -> Cost:
        """The most that judging one candidate can cost; claimed together with the candidate."""
        return Cost(verifier_calls=1)

    @abstractmethod
    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        """One score a candidate, in order, batch-wise."""

    async def score_until(self, candidates: Sequence[Candidate], task: Task, cut: Cut) -> Scores | None:
        """`score`, given up when `cut` fires; None where nothing can be kept then.

        A verifier that works one candidate at a time hands back those that it has, the others as `Scores.unjudged`.
        """
        return (await gather_until(cut, [self.score(candidates, task)]))[0]

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What is done in place of what its own backend cannot do; runs record it."""
        return ()

    async def close(self) -> None:
        """Free what it holds (worker processes, connections). Most hold nothing."""


class Equivalence(ABC):
    """Which answers are the same."""

    __slots__ = ()

    @abstractmethod
    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        """Candidates with equal keys have the same answer; None abstains and never wins a vote."""


def to_log(values: FloatArray, how: LogMap) -> tuple[FloatArray, int]:
    """Scores as log-weights, [n] nats, nan kept; and how many probabilities were clipped away from 0 or 1.

    Raises `VerifierError` for a score that is no probability where one is needed; names the member and offers `raw`.
    Source: spec 03, log-weight of one score; Puri et al. 2025, section 3.
    """
    if how is LogMap.RAW:
        endless = (values == np.inf).nonzero()[0]
        if len(endless):
            raise VerifierError(f"Score of member {int(endless[0])} is +inf; expected a finite log-weight.")
        return values.astype(np.float64), 0
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    bad = np.flatnonzero(known & ~((values >= 0.0) & (values <= 1.0)))
    if len(bad):
        raise VerifierError(
            f"Score of member {int(bad[0])} is {float(values[bad[0]])!r}; the map {how.value!r} expects a probability in [0, 1]. "
            f"Use weight = 'raw' if the scores are log-weights already."
        )
    mapped, clipped = (log_odds if how is LogMap.ODDS else log_probability)(values[known])
    result[known] = mapped
    return result, clipped
