"""What is tuned for: the value of a configuration, question by question, and what asking for it costs.

An objective says what a measurement would still cost, makes it, and tells which other configurations it has thereby made known: a pool of
32 samples that is paid for also holds every vote of 4, 8 and 16 of them. Right answers stay inside; only values come out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from outthink.core.cost import Cost, Role
from outthink.tune.space import Config, Value, frozen


@dataclass(frozen=True)
class Measured:
    """One configuration on some questions.

    Attributes:
        config: which.
        values: by question; higher is better. Questions on which it failed, or that money or time did not suffice for, are not among them.
        spent: tokens by question that an answer of this configuration costs when nothing is paid yet.
        tokens: what was paid for this measurement, for questions without a value too.
        failures: by question, why there is no value.
        bill: what was paid, by role; empty where the objective does not tell.
    """

    config: Config
    values: Mapping[str, float]
    spent: Mapping[str, float]
    tokens: float = 0.0
    failures: Mapping[str, str] = field(default_factory=dict)
    bill: Mapping[Role, Cost] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """Questions that were dealt with, well or not."""
        return len(self.values) + len(self.failures)


class Objective(ABC):
    """Values of configurations on questions."""

    @property
    @abstractmethod
    def questions(self) -> tuple[str, ...]:
        """All questions, in the order in which they are asked."""

    @abstractmethod
    def price(self, config: Config, questions: Sequence[str], per_question: float) -> float:
        """Tokens still to be paid for a measurement. per_question: what an answer is believed to cost, from what has been seen."""

    @abstractmethod
    async def measure(self, config: Mapping[str, Value], questions: Sequence[str], most: float) -> Measured:
        """Ask, and never pay more than `most` tokens: questions that it does not suffice for are left out.

        Raises `OutthinkError` where no question could be answered at all, before anything was paid.
        """

    @property
    def lost(self) -> float:
        """Tokens that earlier runs paid, or may have paid, for measurements that were never finished. The base knows of none."""
        return 0.0

    def drawn_as(self, config: Config) -> Hashable:
        """Configurations with the same name are computed from the same samples. By default each has its own."""
        return frozen(config)

    async def made_known(self, measured: Measured, configs: Sequence[Config]) -> list[Measured]:
        """What this measurement says of others of `configs` for nothing. The base knows of none."""
        return []

    def remember(self, measured: Measured) -> None:
        """Take up a measurement of an earlier run, so that it is not paid again. The base keeps nothing."""

    async def close(self) -> None:
        """Let go of what is held."""
