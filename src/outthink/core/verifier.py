"""Who judges, and which answers are the same.

Every score says what it is. A *step reward* rates one step, a *prefix value* rates everything so far, an *outcome* rates a finished answer;
used as weights they aim at different targets, so mixing them is an error, not a choice. `ScoreSpec.log_map` says how a score becomes nats.
nan means "no opinion"; a verifier that breaks gives a failure for that candidate, never a score of 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, VerifierError
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


@dataclass(frozen=True)
class ScoreSpec:
    """What a verifier's scores are.

    Attributes:
        partial: whether unfinished candidates can be rated.
        low, high: the range; a score outside it is an error.
        wants: features that the process must show.
        local: answers within milliseconds and without input or output, so that it still runs after a deadline.
        reads_reference: whether it looks at the task's right answer (an oracle; reports say so).
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
    relative: bool = False


@dataclass(frozen=True)
class Scores:
    """One value a candidate, [n]; nan for no opinion. `notes` say why, "" for nothing to say."""

    values: FloatArray
    notes: tuple[str, ...] = ()
    cost: Cost = ZERO
    failures: dict[int, Failure] = field(default_factory=dict)
    uncertain: Cost = ZERO


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
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    if how is LogMap.RAW:
        if np.isposinf(values[known]).any():
            raise VerifierError(
                f"Score of member {int(np.flatnonzero(np.isposinf(values))[0])} is +inf; expected a finite log-weight."
            )
        result[known] = values[known]
        return result, 0
    bad = np.flatnonzero(known & ~((values >= 0.0) & (values <= 1.0)))
    if len(bad):
        raise VerifierError(
            f"Score of member {int(bad[0])} is {float(values[bad[0]])!r}; the map {how.value!r} expects a probability in [0, 1]. "
            f"Use weight = 'raw' if the scores are log-weights already."
        )
    mapped, clipped = (log_odds if how is LogMap.ODDS else log_probability)(values[known])
    result[known] = mapped
    return result, clipped
