"""Agents: environments with exact rewards, and episodes in them as a process that every search can move on, fork, cut back and revise.

An `Environment` is one task's world, a function of the actions so far. `AgentProcess` plays it with any engine, one turn a step, and
`EnvironmentReward` judges episodes by what they earned. Of this kind are `TextToSql`, on databases that `question_on` makes,
`Shop`, for the errands of `errand`, and `Programming`, with unit tests in the sandbox.
"""

from outthink.agent.catalogue import Goal, Product, errand
from outthink.agent.databases import SCHEMAS, question_on
from outthink.agent.environment import Environment, Observation, Reward
from outthink.agent.episode import Earlier, Episode, Episodes, Turn
from outthink.agent.process import Agent, AgentProcess
from outthink.agent.programming import Programming
from outthink.agent.reward import EnvironmentReward
from outthink.agent.shop import Shop
from outthink.agent.text_to_sql import TextToSql

__all__ = [
    "SCHEMAS",
    "Agent",
    "AgentProcess",
    "Earlier",
    "Environment",
    "EnvironmentReward",
    "Episode",
    "Episodes",
    "Goal",
    "Observation",
    "Product",
    "Programming",
    "Reward",
    "Shop",
    "TextToSql",
    "Turn",
    "errand",
    "question_on",
]
