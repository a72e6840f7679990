"""An environment's own reward as a verifier. It reads what is right, so it is an oracle; what it says of the right answer is never told.

    EnvironmentReward(environment)                    # revisions are told the score alone
    EnvironmentReward(environment, tell="parts")      # and the parts that it was computed from, with the lowest of them

Source: spec 01, the feedback block: a score that has parts is told with them, and never with the reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from outthink.agent.environment import Environment, Reward
from outthink.agent.episode import actions_in
from outthink.core.cost import Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure, InputError, explain
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.one_by_one import OneByOne

KEPT = 64
"""Worlds that are kept, so that what one knows of its right answer is found out once."""


class EnvironmentReward(OneByOne):
    """The exact reward of each episode, in [0, 1]; notes name its parts.

    Args:
        environment: the world of all episodes, or what makes it of a task.
        tell: "score": notes are for people alone. "parts": they hold the named parts of the reward and nothing else, and may be told.
    """

    __slots__ = ("_known", "_tell", "_world")

    def __init__(
        self, environment: Environment | Callable[[Task], Environment], *, tell: Literal["score", "parts"] = "score"
    ) -> None:
        self._world = environment
        self._tell = tell
        self._known: list[tuple[Task, Environment]] = []

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            ScoreKind.OUTCOME,
            partial=False,
            log_map=LogMap.PROBABILITY,
            local=False,
            reads_reference=True,
            open_notes=self._tell == "parts",
        )

    def most(self, task: Task) -> Cost:
        """Also refuses, before anything is spent, a task whose episodes nobody can reward."""
        if not self._of(task).rewarded:
            raise InputError(
                explain(
                    f"Task {task.id!r} lacks what an episode is rewarded by.",
                    got="no right answer",
                    expected="a reference, or data that says what is right",
                    remedy="Give it with the task, or use a verifier that needs none, such as 'judge'.",
                )
            )
        return Cost(verifier_calls=1)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        environment = self._of(task)
        earned = await gather_until(cut, [environment.reward(actions_in(c.content)) for c in candidates])
        return Scores(
            np.array([one.value if isinstance(one, Reward) else math.nan for one in earned], np.float64),
            tuple(self._note(one) if isinstance(one, Reward) else "" for one in earned),
            Cost(verifier_calls=sum(one is not None for one in earned)),
            failures={i: one for i, one in enumerate(earned) if isinstance(one, Failure)},
            unjudged=frozenset(i for i, one in enumerate(earned) if one is None),
        )

    def _note(self, reward: Reward) -> str:
        return parts_of(reward) if self._tell == "parts" else reward.note

    def _of(self, task: Task) -> Environment:
        if isinstance(self._world, Environment):
            return self._world
        for known, environment in self._known:
            if known is task or known == task:
                return environment
        made = self._world(task)
        self._known = [*self._known[-KEPT + 1 :], (task, made)]
        return made


def parts_of(reward: Reward) -> str:
    """The parts of a reward in words, with the lowest of them where they differ."""
    said = ", ".join(f"{name} {part:.2g}" for name, part in reward.parts.items())
    lowest = min(reward.parts, key=lambda name: reward.parts[name], default=None)
    if lowest is None or reward.parts[lowest] == max(reward.parts.values()):
        return said
    return f"{said}. The lowest is {lowest}."
