"""Answers that are episodes of an agent: marked by what they earn in their environment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from outthink.agent import actions_in
from outthink.agent.settings import World
from outthink.bench.tasks.scorers.scorer import Scorer, known
from outthink.core.errors import VerifierError
from outthink.core.task import Candidate, Task, is_transcript


@dataclass(frozen=True)
class Earned(Scorer):
    """Right where the episode earns `least` or more; its credit is then 1, else what it earned.

    Raises `VerifierError` for what is no episode, and where the environment fails.
    """

    task: Task
    world: World
    least: float = 1.0

    def credit(self, candidate: Candidate) -> float:
        if not is_transcript(candidate.content):
            raise VerifierError(
                f"Task {self.task.id!r} is one for agents, and this is no episode. Use a recipe with [process] type = 'agent'."
            )
        if not candidate.final:
            return 0.0
        reward = asyncio.run(self.world.build(self.task).reward(actions_in(candidate.content)))
        earned = float(known(reward, "An episode was not rewarded").value)
        return 1.0 if earned >= self.least else earned

    def mark(self, text: str) -> float:
        """A text alone earns nothing."""
        return 0.0
