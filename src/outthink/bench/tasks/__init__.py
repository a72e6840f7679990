"""Tasks as data: what a benchmark asks, and who marks the answers.

    (found,) = load_tasks([{"type": "jsonl", "path": "questions.jsonl"}])
    found.questions, found.problems, found.best_constant()

A source (`TASKS` has them all by word) is settings; `load()` makes a `TaskSet` of it. Answers and hidden tests stay with the questions: a
solver gets `Question.asked`. A bad row is reported by file and line, and the rest goes on. If unsure: `Jsonl` with a file of your own.
"""

from outthink.bench.tasks.agents import AgentTasks
from outthink.bench.tasks.generated import CountdownTasks, LaboratoryTasks, ReasoningGym
from outthink.bench.tasks.jsonl import Jsonl
from outthink.bench.tasks.labels import Fever, MultipleChoice, Prontoqa
from outthink.bench.tasks.load import TASKS, TaskSource, load_tasks, task_source
from outthink.bench.tasks.mathematics import Aime, Gsm8k, GsmHard, Math500, Mawps
from outthink.bench.tasks.planning import PlanningTasks
from outthink.bench.tasks.programs import HumanEval, TextToSql
from outthink.bench.tasks.rows import BadRow
from outthink.bench.tasks.short_answers import Bamboogle, Hotpotqa
from outthink.bench.tasks.source import FileSource, Source
from outthink.bench.tasks.task_set import BestConstant, TaskSet

__all__ = [
    "TASKS",
    "AgentTasks",
    "Aime",
    "BadRow",
    "Bamboogle",
    "BestConstant",
    "CountdownTasks",
    "Fever",
    "FileSource",
    "Gsm8k",
    "GsmHard",
    "Hotpotqa",
    "HumanEval",
    "Jsonl",
    "LaboratoryTasks",
    "Math500",
    "Mawps",
    "MultipleChoice",
    "PlanningTasks",
    "Prontoqa",
    "ReasoningGym",
    "Source",
    "TaskSet",
    "TaskSource",
    "TextToSql",
    "load_tasks",
    "task_source",
]
