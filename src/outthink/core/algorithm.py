"""What a search method is: frozen settings with `init`, `step`, `done`, `answer`. One loop owns everything else.

`answer` is valid after any step, so a cut run always has a best so far. A method asks for randomness by key, for effects through the run,
and never looks into a state.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.settings import Tagged
from outthink.core.verifier import ScoreKind, ScoreSpec
from outthink.numerics.log_weights import normalise
from outthink.numerics.types import FloatArray

if TYPE_CHECKING:
    from outthink.core.run import Run

A = TypeVar("A")


@dataclass(frozen=True)
class Answer:
    """What a method would return now.

    Attributes:
        batch: the candidates, best guess among them.
        weights: [n], non-negative, summing to 1; the method's belief in each.
        scores: [n], nan where nobody judged.
        chosen: index of the best guess; None when there is none (nothing finished, everyone abstained).
        agreement: share of the weight that stands behind the chosen answer; None where the method does not vote.
        log_evidence: estimate of the log normalising constant, nats; None where the method has none.
        degraded: what the method had to do without, in words, beside the members that are seen to have failed.
    """

    batch: Batch
    weights: FloatArray
    scores: FloatArray
    chosen: int | None
    agreement: float | None = None
    log_evidence: float | None = None
    degraded: tuple[str, ...] = ()

    @classmethod
    def argmax(cls, batch: Batch, scores: FloatArray) -> Answer:
        """The best-scored finished member, lowest index on ties. No opinion counts below every score."""
        rank = np.where(batch.finished, np.where(np.isnan(scores), -np.inf, scores), -np.inf)
        chosen = pick(rank, batch)
        weights = np.zeros(len(batch))
        if chosen is not None:
            weights[chosen] = 1.0
        return cls(batch, weights, scores, chosen)

    @classmethod
    def weighted(cls, batch: Batch, log_w: FloatArray, scores: FloatArray, log_evidence: float | None = None) -> Answer:
        """The heaviest finished member; weights are those of the finished members alone while some are unfinished."""
        eligible = np.where(batch.finished, log_w, -np.inf)
        chosen = pick(eligible, batch) if np.isfinite(eligible).any() else None
        base = eligible if np.isfinite(eligible).any() else np.where(batch.failed, -np.inf, log_w)
        weights = normalise(base) if np.isfinite(base).any() else np.zeros(len(batch))
        return cls(batch, weights, scores, chosen, log_evidence=log_evidence)


def pick(rank: FloatArray, batch: Batch) -> int | None:
    """Index of the highest rank among the finished members, lowest index on ties; None when nobody has finished."""
    finished = np.flatnonzero(batch.finished)
    if len(finished) == 0:
        return None
    return int(finished[np.argmax(rank[finished])])


class Algorithm(Tagged, Generic[A]):
    """Base of every method. Subclasses are settings: `class BestOfN(Algorithm[Drawn]): n: Positive = 8`.

    `needs` names the process capabilities that it requires, checked before anything is spent. `whole_samples` says that it never moves a
    member by single steps, so that it works where a text cannot be continued. `parts_forks`: that its forks part by moves of its own (sent
    back with noise, or made neighbours), so that steps which draw no noise will do. `score_kinds`: what the scores that it ranks, weighs or
    sums may rate; rewards of single steps only where a method says what it does with them, since a step's reward is no value of the whole.
    """

    needs: ClassVar[Sequence[type[Any]]] = ()
    whole_samples: ClassVar[bool] = False
    parts_forks: ClassVar[bool] = False
    score_kinds: ClassVar[frozenset[ScoreKind]] = frozenset({ScoreKind.PREFIX_VALUE, ScoreKind.OUTCOME})

    @property
    def needs_verifier(self) -> bool:
        """Whether it cannot do without a verifier."""
        return True

    def check_kind(self, spec: ScoreSpec | None) -> None:
        """Refuse scores of a kind that this method cannot use. Raises `Incompatible`."""
        if spec is not None and spec.kind not in self.score_kinds:
            step = spec.kind is ScoreKind.STEP_REWARD
            raise Incompatible(
                explain(
                    f"{self.name()!r} cannot use scores of this kind.",
                    got=f"{spec.kind.value}s",
                    expected=" or ".join(sorted(kind.value + "s" for kind in self.score_kinds)),
                    remedy="Turn them into values of the prefix with outthink.verify.Aggregated, or by the reward model's own aggregation."
                    if step
                    else "Use another verifier, or another method.",
                )
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        """Refuse a verifier whose scores mean something else than this method needs. Raises `Incompatible`; the base takes any."""

    @abstractmethod
    async def init(self, run: Run, key: Key) -> A:
        """The state before the first step. May start members, which costs nothing."""

    @abstractmethod
    async def step(self, state: A, run: Run, key: Key) -> A:
        """One step. Raises `BudgetExhausted` only before it has paid for anything."""

    @abstractmethod
    def done(self, state: A) -> bool:
        """Whether another step would change nothing."""

    def gain(self, state: A) -> float:
        """What spending as much again as was spent so far is predicted to bring, in units that are the same for every task; for sharing one
        budget among tasks. inf: something under way must be ended first; nan, the base: it cannot tell."""
        return float("nan")

    @abstractmethod
    def answer(self, state: A) -> Answer:
        """The best answer so far; valid after `init` and after any step."""
