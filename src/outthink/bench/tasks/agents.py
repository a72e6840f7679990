"""Tasks for agents that are made here: questions on databases, errands in a shop, pages to be written; marked by their environments.

AgentTasks(kind="shop", limit=50).load()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from outthink.agent import SCHEMAS, described_page, errand, hidden_question, question_on
from outthink.agent.settings import ShopSettings, TextToSqlSettings, WebPageSettings, World
from outthink.bench.tasks.generated import GeneratedSource
from outthink.bench.tasks.scorers.episodes import Earned
from outthink.bench.tasks.source import Item
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.key import Key
from outthink.core.settings import Fraction
from outthink.core.task import Task

WORLDS: Mapping[str, World] = {
    "text-to-sql": TextToSqlSettings(),
    "hidden-columns": TextToSqlSettings(shows_result=True),
    "shop": ShopSettings(),
    "web-page": WebPageSettings(),
}
"""The environment of each kind."""
HIDDEN = frozenset({"goal"})


class AgentTasks(GeneratedSource, tag="agents"):
    """Tasks for agents, to be played by recipes with `[process] type = "agent"`.

    Attributes:
        kind: questions on databases ("text-to-sql"), or on such whose columns have to be found out ("hidden-columns"), errands ("shop"), or
            pages of HTML ("web-page").
        least: the reward from which an episode counts as right; pages are hardly ever drawn right to the pixel.
    """

    kind: Literal["text-to-sql", "hidden-columns", "shop", "web-page"] = "text-to-sql"
    least: Fraction = 1.0

    def _own_name(self) -> str:
        return self.kind

    def load(self) -> TaskSet:
        """The same seed makes the same tasks."""
        # Some questions on databases come again on another one: it is the database that makes them different.
        items = []
        for place in range(1, self.made + 1):
            task = self._task(place)
            scorer = Earned(task, WORLDS[self.kind], self.least)
            items.append(
                (str(place), Item(str(task.prompt), task.reference or "", scorer, data=task.data, hidden=HIDDEN))
            )
        questions, constants = self._questions(items)
        return TaskSet(self.set_name, questions, (), "", {"type": "plain"}, {"seed": str(self.seed)}, constants)

    def _task(self, place: int) -> Task:
        seed = int(Key(self.seed).child("agents", self.kind, place).rng().integers(2**31))
        match self.kind:
            case "text-to-sql":
                return question_on(sorted(SCHEMAS)[place % len(SCHEMAS)], seed)
            case "hidden-columns":
                return hidden_question(seed)
            case "shop":
                return errand(seed)
            case "web-page":
                return described_page(seed)
