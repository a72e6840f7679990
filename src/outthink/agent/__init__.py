"""Agents: environments with exact rewards, and episodes in them as a process that every search can move on, fork, cut back and revise.

An `Environment` is one task's world, a function of the actions so far. `AgentProcess` plays it with any engine, one turn a step, and
`EnvironmentReward` judges episodes by what they earned. Of this kind are `TextToSql`, on databases that `question_on` makes or, with
columns that have to be found out, `hidden_question`; `Shop`, for the errands of `errand`; `Programming`, with unit tests in the sandbox;
and `WebPage`, for the pages of `described_page`.
"""

from outthink.agent.catalogue import Goal, Product, errand
from outthink.agent.databases import SCHEMAS, question_on
from outthink.agent.environment import Environment, Observation, Reward
from outthink.agent.episode import Earlier, Episode, Episodes, Turn, actions_in
from outthink.agent.pages import described_page
from outthink.agent.process import AgentProcess
from outthink.agent.programming import Programming
from outthink.agent.reward import EnvironmentReward
from outthink.agent.settings import Agent, EpisodeReward
from outthink.agent.shop import Shop
from outthink.agent.sql_questions import hidden_question
from outthink.agent.text_to_sql import TextToSql
from outthink.agent.web_page import WebPage

__all__ = [
    "SCHEMAS",
    "Agent",
    "AgentProcess",
    "Earlier",
    "Environment",
    "EnvironmentReward",
    "Episode",
    "EpisodeReward",
    "Episodes",
    "Goal",
    "Observation",
    "Product",
    "Programming",
    "Reward",
    "Shop",
    "TextToSql",
    "Turn",
    "WebPage",
    "actions_in",
    "described_page",
    "errand",
    "hidden_question",
    "question_on",
]
