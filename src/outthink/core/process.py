"""What unfolds step by step: the door between search and a domain.

A process moves opaque batches of states. Search starts them, moves them on, forks and drops them with one gather, and never looks inside.
A need that only some processes can meet is a capability: an abstract class of its own, batch-wise, one seed a slot.

The smallest process is `outthink.testing.toys.TokenChain`; the contract that every process must keep is
`outthink.testing.contracts.ProcessContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.ledger import Allowance
from outthink.core.task import Candidate, Feature
from outthink.numerics.types import BoolArray, FloatArray, IntArray, SeedArray

S = TypeVar("S")


@dataclass(frozen=True)
class Adaptation:
    """What is done in place of what was asked for, so that a run can record it."""

    what: str
    instead: str


@dataclass(frozen=True)
class Advance(Generic[S]):
    """What one call of a process did.

    Attributes:
        states: n states, in the order of the slots.
        done: finished, [n].
        log_ratio: log target density over log proposal density of what this call drew, [n] nats; 0 where they are the same.
        cost: what the backend counted, over all slots.
        failures: slot to failure; such a row holds the unchanged input.
        short: slots whose step was cut short by the allowance or the cut, [n]; their states are whole, moved on as far as it went.
        untouched: slots for which nothing useful fitted, [n]; their rows hold the unchanged input and cost nothing.
        uncertain: how much more it may have cost where the backend could not say (an aborted request).
    """

    states: S
    done: BoolArray
    log_ratio: FloatArray
    cost: Cost = ZERO
    failures: dict[int, Failure] = field(default_factory=dict)
    short: BoolArray | None = None
    untouched: BoolArray | None = None
    uncertain: Cost = ZERO

    def was_short(self) -> BoolArray:
        """`short` as an array, [n]."""
        return np.zeros(len(self.done), bool) if self.short is None else self.short

    def was_untouched(self) -> BoolArray:
        """`untouched` as an array, [n]."""
        return np.zeros(len(self.done), bool) if self.untouched is None else self.untouched


class Process(ABC, Generic[S]):
    """One task, unfolding step by step. `S` is a batch of n states that search cannot look into."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether a row's outcome is bit-identical alone and in any batch."""

    @property
    def step_wise(self) -> bool:
        """Whether members can be moved on in parts. Where not, only `steps=None` works, and step-wise methods are refused early."""
        return True

    @property
    def forks_part(self) -> bool:
        """Whether forks of one member, moved on with seeds of their own, can part. Where not, methods that branch are refused."""
        return True

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What this process does in another way than asked, because its backend cannot do it; every run records it."""
        return ()

    @abstractmethod
    async def start(self, seeds: SeedArray) -> S:
        """n fresh states, one seed each. Costs nothing."""

    @abstractmethod
    async def advance(self, states: S, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance) -> Advance[S]:
        """Move every state on by `steps` steps; None: to the end.

        Slots claim from the allowance in slot order, before the backend is called; what does not fit comes back untouched. `seeds` [n].
        """

    @abstractmethod
    def take(self, states: S, index: IntArray) -> S:
        """Fork, drop and reorder: the states at `index`, [m]."""

    @abstractmethod
    def concat(self, parts: Sequence[S]) -> S:
        """All states of all parts, in order."""

    @abstractmethod
    async def view(self, states: S, wants: frozenset[Feature]) -> list[Candidate]:
        """What verifiers and people see, one candidate a state."""

    @abstractmethod
    def dump(self, states: S) -> bytes:
        """The states as bytes, complete: `load` gives states that behave the same."""

    @abstractmethod
    def load(self, data: bytes) -> S:
        """The states that `dump` wrote."""


class Revisable(ABC, Generic[S]):
    """Finished candidates can be rewritten in the light of feedback."""

    @abstractmethod
    async def revise(self, states: S, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance) -> Advance[S]:
        """One revision a state, told its own feedback."""


class Rewindable(ABC, Generic[S]):
    """States can go back to a coarser level; text cuts to that many steps, denoising renoises by the forward kernel."""

    @abstractmethod
    async def rewind(self, states: S, level: IntArray, seeds: SeedArray, *, allowance: Allowance) -> Advance[S]:
        """Each state at its own level, [n]; level 0 is the start, and a level ahead of the state changes nothing."""


class Perturbable(ABC, Generic[S]):
    """States have neighbours at the same level that keep the process's law; text draws the last step again."""

    @abstractmethod
    async def perturb(self, states: S, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance) -> Advance[S]:
        """One neighbour a state; `strength` [n] in [0, 1], 0 changes nothing and 1 draws afresh."""


class Completable(ABC, Generic[S]):
    """States can be finished cheaply for a look ahead: a forced answer, a predicted clean sample."""

    @abstractmethod
    async def complete(self, states: S, seeds: SeedArray, *, allowance: Allowance) -> Advance[S]:
        """A finished fork of each state; the original is untouched."""


class Temperable(ABC, Generic[S]):
    """Members can be drawn from at a sampling temperature of their own."""

    @abstractmethod
    def temper(self, states: S, temperature: FloatArray) -> S:
        """The same states, each to be moved on at its own temperature from now on, [n], 0 greedy. Free; forks and cuts keep it."""


def lacks(process: Process[Any], capability: type[Any]) -> Incompatible:
    """The error for a process that cannot do what a method needs."""
    return Incompatible(
        explain(
            f"This search needs a process that is {capability.__name__}.",
            got=type(process).__name__,
            expected=f"a process derived from {capability.__name__}",
            remedy="Use another process, or a method that does not need it such as 'best-of-n'.",
        )
    )


def stuck(process: Process[Any]) -> Incompatible:
    """The error for a process that leaves members untouched though everything would have fitted."""
    return Incompatible(
        explain(
            f"{type(process).__name__} left every member untouched, and no limit kept it from serving them.",
            got="untouched members",
            expected="members moved on, failed, or refused by the allowance",
            remedy="Keep outthink.testing.contracts.ProcessContract: only claims that were refused leave a member untouched.",
        )
    )
