"""An environment's own reward as a verifier. It reads what is right, so it is an oracle, and its notes are never told to the agent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np

from outthink.agent.environment import Environment
from outthink.agent.episode import actions_in
from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier


class EnvironmentReward(Verifier):
    """The exact reward of each episode, in [0, 1]; notes name its parts."""

    __slots__ = ("_environment",)

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            ScoreKind.OUTCOME, partial=False, log_map=LogMap.PROBABILITY, local=False, reads_reference=True
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        earned = await asyncio.gather(*(self._environment.reward(actions_in(c.content)) for c in candidates))
        return Scores(
            np.array([math.nan if isinstance(one, Failure) else one.value for one in earned], np.float64),
            tuple("" if isinstance(one, Failure) else one.note for one in earned),
            Cost(verifier_calls=len(candidates)),
            failures={i: one for i, one in enumerate(earned) if isinstance(one, Failure)},
        )
