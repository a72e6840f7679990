"""Tasks that are made, not read: tasks of reasoning-gym, Countdown in words, the laboratory's problems. One seed makes the same again.

ReasoningGym(task="leg_counting", limit=50).load()
CountdownTasks(numbers=4, limit=100).load()
"""

from __future__ import annotations

import json
from importlib import metadata
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from outthink.bench.tasks.confined import require_sandbox
from outthink.bench.tasks.rows import BadRow
from outthink.bench.tasks.scorers.expressions import CountdownLines, Expression
from outthink.bench.tasks.scorers.generated import Generated
from outthink.bench.tasks.source import Item, Source
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.errors import Failure, InputError, explain
from outthink.core.key import Key
from outthink.core.settings import Count
from outthink.laboratory.chains import Chains
from outthink.laboratory.countdown import Countdown
from outthink.laboratory.problems import problems, standard
from outthink.verify.extras import require
from outthink.verify.pool import workers

USUAL = 100
"""Questions where no limit is given."""
GYM_STYLE = "Give the final answer between <answer> and </answer>."
EXPRESSION_STYLE = 'End with a line of the form "Answer: X", where X is the expression.'
MAKING_SECONDS = 120.0
MOST_FOR_ONE = 4
"""Questions drawn for each that is wanted, where the library repeats itself."""


class GeneratedSource(Source):
    """A source that makes its questions.

    Attributes:
        seed: the same seed makes the same questions.
    """

    seed: Count = 0

    @property
    def made(self) -> int:
        """How many are made, before `offset` takes some away."""
        return self.offset + (self.limit or USUAL)

    def _made_set(self, items: list[tuple[str, Item]], style: str, table: dict[str, Any], **origin: str) -> TaskSet:
        kept, problems = self._once(items)
        questions, constants = self._questions(kept)
        return TaskSet(self.set_name, questions, problems, style, table, {"seed": str(self.seed), **origin}, constants)

    def _once(self, items: list[tuple[str, Item]]) -> tuple[list[tuple[str, Item]], tuple[BadRow, ...]]:
        """As many as are wanted, each question once; those that came again before that are left out, and reported."""
        kept: list[tuple[str, Item]] = []
        problems: list[BadRow] = []
        seen: dict[str, str] = {}
        for place, (own, item) in enumerate(items, start=1):
            if len(kept) == self.made:
                break
            if item.prompt in seen:
                problems.append(
                    BadRow(file=self.set_name, line=place, what=f"the same question as {seen[item.prompt]}")
                )
                continue
            seen[item.prompt] = own
            kept.append((own, item))
        return kept, tuple(problems)


class ReasoningGym(GeneratedSource, tag="reasoning-gym", kw_only=True):
    """A task of the library reasoning-gym, marked by that task's own scorer: right is a full score.

    Attributes:
        task: its name there, such as "leg_counting".
        settings: its own settings, such as {"max_animals": 5}.
    """

    task: Annotated[str, Meta(min_length=1)]
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    def _own_name(self) -> str:
        return self.task

    def ready(self) -> None:
        """The library has to be there, and a sandbox, for some of its scorers evaluate the answer."""
        require("reasoning_gym", extra="bench", needed_by="the tasks 'reasoning-gym'")
        require_sandbox()

    def load(self) -> TaskSet:
        """Made in a worker process. Raises `InputError` for a task or setting that the library does not know."""
        self.ready()
        settings = json.dumps(self.settings, sort_keys=True)
        size = self.made
        found = self._drawn(settings, size)
        while len({question for question, _ in found}) < self.made and size < MOST_FOR_ONE * self.made:
            size *= 2
            found = self._drawn(settings, size)
        items = [
            (
                str(place + 1),
                Item(question, answer, Generated(self.task, settings, self.seed, size, place), constant=answer or None),
            )
            for place, (question, answer) in enumerate(found)
        ]
        table = {"type": "plain", "find": {"type": "pattern", "pattern": r"(?s)<answer>(.*?)</answer>"}}
        version = metadata.version("reasoning-gym")
        return self._made_set(
            items, GYM_STYLE, table, **{"reasoning-gym": version, "task": self.task, "settings": settings}
        )

    def _drawn(self, settings: str, size: int) -> list[tuple[str, str]]:
        """Questions with the library's own answers."""
        arguments = (self.task, settings, self.seed, 0, size)
        found = workers().call_and_wait("gym-questions", *arguments, seconds=MAKING_SECONDS)
        if isinstance(found, Failure):
            raise InputError(
                explain(
                    f"reasoning-gym cannot make {self.task!r}: {found.message}.",
                    got=f"task {self.task!r} with {settings}",
                    expected="a task of that library with settings that it has",
                    remedy="Its documentation lists both.",
                )
            )
        return [(str(question), str(answer)) for question, answer in found]


class CountdownTasks(GeneratedSource, tag="countdown"):
    """Countdown in words: an expression of all numbers that comes to the target. The problems are the laboratory's held-out ones.

    Attributes:
        numbers: how many there are. highest: the largest of them. target: the largest target.
    """

    numbers: Annotated[int, Meta(ge=2, le=6)] = 4
    highest: Annotated[int, Meta(ge=2)] = 25
    target: Annotated[int, Meta(ge=2)] = 99

    def load(self) -> TaskSet:
        """Raises `InputError` where there are not so many different problems."""
        family = Countdown(numbers=self.numbers, highest=self.highest, target=self.target)
        items = []
        for place, task in enumerate(problems(family, self.made, Key(self.seed)), start=1):
            written, _, goal = task.question.partition(" -> ")
            numbers, target = tuple(map(int, written.split())), int(goal)
            prompt = (
                f"Make {target} from the numbers {', '.join(map(str, numbers))}. "
                "Use each number exactly once, with + - * / and brackets."
            )
            items.append((str(place), Item(prompt, str(target), Expression(numbers, target))))
        return self._made_set(
            items, EXPRESSION_STYLE, {"type": "plain", "find": {"type": "usual", "otherwise": "line"}}
        )


class LaboratoryTasks(GeneratedSource, tag="laboratory"):
    """Problems as the laboratory's model reads them, solved line by line.

    Attributes:
        kind: arithmetic chains, Countdown, or the three standard kinds in turn.
        size: numbers in a problem; None for the standard 5 of chains and 3 of Countdown.
    """

    kind: Literal["standard", "chains", "countdown"] = "standard"
    size: Annotated[int, Meta(ge=2, le=6)] | None = None

    def _own_name(self) -> str:
        return "laboratory" if self.kind == "standard" else f"{self.kind}-{self._size}"

    @property
    def _size(self) -> int:
        return self.size or (5 if self.kind == "chains" else 3)

    def load(self) -> TaskSet:
        """Held-out problems, all different."""
        key = Key(self.seed)
        match self.kind:
            case "standard":
                tasks = standard(self.made, key)
            case "chains":
                tasks = problems(Chains(terms=self._size, products=1.0), self.made, key)
            case _:
                tasks = problems(Countdown(numbers=self._size), self.made, key)
        items = [(task.id, Item(task.question, task.reference or "", CountdownLines(task.question))) for task in tasks]
        return self._made_set(items, "", {"type": "numeric", "find": {"type": "usual", "otherwise": "line"}})
