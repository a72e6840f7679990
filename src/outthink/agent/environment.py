"""A world to act in: what is seen after some actions, and what they earn.

An environment belongs to one task and is a function of the actions so far, so an episode is plain data: it can be forked, stored, cut back
and begun again, and nothing that an agent does reaches the world outside. An environment that cannot promise this cannot be searched.

    seen = await environment.observe(("RUN SELECT 1",))        # Observation(text="...", done=False)
    earned = await environment.reward(("SUBMIT SELECT 1",))    # Reward(value=0.0, parts={"rows": 0.0})
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outthink.core.errors import Failure


@dataclass(frozen=True)
class Observation:
    """What an agent sees after its last action, and whether the episode is over."""

    text: str
    done: bool = False


@dataclass(frozen=True)
class Reward:
    """What an episode earned, in [0, 1], and the named parts that it was computed from.

    `note`: the parts in words, for people.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


class Environment(ABC):
    """One task's world. Deterministic: the same actions, the same sight and reward.

    Attributes:
        rewarded: whether the task holds what a reward needs, such as a right answer. Without it one can act all the same.
    """

    rewarded: bool = True

    @property
    @abstractmethod
    def instructions(self) -> str:
        """Which actions there are and how they are written; the agent's system message."""

    @property
    @abstractmethod
    def opening(self) -> str:
        """What is asked and what is seen before the first action."""

    @abstractmethod
    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        """What is seen after these actions, at least one, none of which but the last may have ended the episode.

        A mistake of the agent is an observation; a failure is one of the environment.
        """

    @abstractmethod
    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        """What an episode of these actions earns, finished or given up."""

    @abstractmethod
    def answer(self, actions: Sequence[str]) -> str | None:
        """What the episode came to, such as the query that was handed in; None where nothing was."""
