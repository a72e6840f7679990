"""Every kind of task by its word, and sets from names, tables or settings.

load_tasks(["laboratory", {"type": "gsm8k", "path": "gsm8k_test.jsonl", "limit": 100}])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec

from outthink.bench.tasks.agents import AgentTasks
from outthink.bench.tasks.generated import CountdownTasks, LaboratoryTasks, ReasoningGym
from outthink.bench.tasks.jsonl import Jsonl
from outthink.bench.tasks.labels import Fever, MultipleChoice, Prontoqa
from outthink.bench.tasks.mathematics import Aime, Gsm8k, GsmHard, Math500, Mawps
from outthink.bench.tasks.planning import PlanningTasks
from outthink.bench.tasks.programs import HumanEval, TextToSql
from outthink.bench.tasks.short_answers import Bamboogle, Hotpotqa
from outthink.bench.tasks.source import Source
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.errors import SettingsError, explain, nearest, repeated

TaskSource = (
    Jsonl
    | Gsm8k
    | Math500
    | Aime
    | Mawps
    | HumanEval
    | MultipleChoice
    | ReasoningGym
    | CountdownTasks
    | TextToSql
    | GsmHard
    | Prontoqa
    | Bamboogle
    | Fever
    | Hotpotqa
    | LaboratoryTasks
    | PlanningTasks
    | AgentTasks
)

TASKS: Mapping[str, type[Source]] = {one.name(): one for one in get_args(TaskSource)}
"""Every kind of task by its word."""


def task_source(asked: str | Mapping[str, Any] | Source) -> Source:
    """Settings from a kind's word, a table with a `type`, or settings as they are. Raises `SettingsError`."""
    if isinstance(asked, Source):
        return asked
    table = {"type": asked} if isinstance(asked, str) else dict(asked)
    kind = str(table.get("type"))
    if kind not in TASKS:
        raise SettingsError(
            explain(
                "There is no such kind of task.",
                got=kind,
                expected="one of " + ", ".join(TASKS),
                remedy=nearest(kind, TASKS),
            )
        )
    try:
        return msgspec.convert(table, TASKS[kind])
    except msgspec.ValidationError as error:
        known = ", ".join(TASKS[kind].__struct_fields__)
        raise SettingsError(
            explain(
                f"The tasks {kind!r} cannot be set so: {error}.",
                got=table,
                expected=f"settings among {known}",
                remedy="Correct the table.",
            )
        ) from None


def load_tasks(asked: Iterable[str | Mapping[str, Any] | Source]) -> tuple[TaskSet, ...]:
    """One set for each, in order. Raises `SettingsError` where two have one name, `InputError` where there is nothing to ask."""
    sources = [task_source(one) for one in asked]
    if double := repeated(source.set_name for source in sources):
        raise SettingsError(
            explain(
                "Two sets of tasks have one name.",
                got=", ".join(double),
                expected="a name of its own for each, for tables and ids",
                remedy='Give one of them another: called = "second".',
            )
        )
    return tuple(source.load() for source in sources)
