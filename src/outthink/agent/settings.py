"""An agent as settings, for recipes: what it acts in, how long, and who rewards it.

    [process]
    type = "agent"
    turns = 4
    environment = { type = "text-to-sql" }

    [verifier]
    type = "episode-reward"

What an environment is made of comes with each task, in `data` and `reference`. In Python a live environment goes to `AgentProcess`
directly, and `environment` is left out.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import msgspec

from outthink.core.component import Parts, ProcessSettings, VerifierSettings
from outthink.core.errors import Incompatible, explain
from outthink.core.settings import Positive, PositiveFloat, Tagged
from outthink.core.task import Task
from outthink.engines.engine import Engine, Sampling
from outthink.verify.sandbox import Limits

if TYPE_CHECKING:
    from outthink.agent.environment import Environment
    from outthink.agent.process import AgentProcess
    from outthink.agent.reward import EnvironmentReward


class EnvironmentSettings(Tagged):
    """An environment by name: `environment = { type = "shop" }`."""

    @abstractmethod
    def build(self, task: Task) -> Environment:
        """The world of one task. Raises `InputError` for a task that is none of its kind, `Incompatible` for what is not here."""


class TextToSqlSettings(EnvironmentSettings, tag="text-to-sql"):
    """A question on a database.

    Attributes:
        seconds: of processor time for one query.
        shows_result: whether what a query gives is seen when it is handed in. shown: rows that are seen of a result.
    """

    seconds: PositiveFloat = 2.0
    shows_result: bool = False
    shown: Positive = 5

    def build(self, task: Task) -> Environment:
        from outthink.agent.text_to_sql import TextToSql

        return TextToSql(task, seconds=self.seconds, shows_result=self.shows_result, shown=self.shown)


class ShopSettings(EnvironmentSettings, tag="shop"):
    """An errand in a shop."""

    def build(self, task: Task) -> Environment:
        from outthink.agent.shop import Shop

        return Shop(task)


class ProgrammingSettings(EnvironmentSettings, tag="programming"):
    """A program with unit tests.

    Attributes:
        limits: what a program may use.
    """

    limits: Limits = msgspec.field(default_factory=Limits)

    def build(self, task: Task) -> Environment:
        from outthink.agent.programming import Programming

        return Programming(task, limits=self.limits)


class WebPageSettings(EnvironmentSettings, tag="web-page"):
    """A web page from a description."""

    def build(self, task: Task) -> Environment:
        from outthink.agent.web_page import WebPage

        return WebPage(task)


World = TextToSqlSettings | ShopSettings | ProgrammingSettings | WebPageSettings
"""Every environment that a recipe can name."""


class Agent(ProcessSettings):
    """An agent that acts turn by turn in an environment.

    Attributes:
        environment: the world that it acts in; None only where a live one is given in Python.
        turns: the most turns of an episode.
        max_tokens: the most tokens of one action.
        sampling: how its replies are drawn.
    """

    environment: World | None = None
    turns: Positive = 6
    max_tokens: Positive = 160
    sampling: Sampling = Sampling(temperature=0.8)

    def world(self, task: Task) -> Environment:
        """The environment of one task. Raises `Incompatible` where none is named, and what building it raises."""
        if self.environment is None:
            raise Incompatible(
                explain(
                    "An agent needs an environment to act in.",
                    got="none",
                    expected="process.environment with a type",
                    remedy="For example environment = { type = 'text-to-sql' }, or --recipe text-to-sql.",
                )
            )
        return self.environment.build(task)

    def build(self, task: Task, parts: Parts) -> AgentProcess:
        """The process of one task on the recipe's engine."""
        from outthink.agent.process import AgentProcess

        if not isinstance(parts.engine, Engine):
            raise Incompatible(
                explain(
                    "An agent needs an engine that generates text.",
                    got=type(parts.engine).__name__,
                    expected="an engine",
                    remedy="Set [engine] or --model.",
                )
            )
        return AgentProcess(parts.engine, self.world(task), self)


class EpisodeReward(VerifierSettings):
    """What an episode earns in its environment, exactly: an oracle, since environments know what is right.

    Attributes:
        tell: what a revision may be told besides the score: nothing ("score"), or the named "parts" that it was computed from and which of
            them is the lowest. The right answer itself is never told.
    """

    tell: Literal["score", "parts"] = "parts"

    def build(self, parts: Parts) -> EnvironmentReward:
        """Raises `Incompatible` beside another process."""
        from outthink.agent.reward import EnvironmentReward

        if not isinstance(parts.process, Agent):
            raise Incompatible(
                explain(
                    f"{self.name()!r} asks an agent's environment what an episode earned.",
                    got="none" if parts.process is None else parts.process.name(),
                    expected="[process] type = 'agent'",
                    remedy="Start from --recipe text-to-sql, shop, programming or web-page, or use another verifier.",
                )
            )
        return EnvironmentReward(parts.process.world, tell=self.tell)
