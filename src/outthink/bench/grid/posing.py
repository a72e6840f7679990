"""The tasks of a grid, loaded: questions, rows that became none, and what is not run here and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outthink.bench.contest import Question
from outthink.bench.grid.settings import Grid
from outthink.bench.tasks import BadRow, TaskSet, load_tasks
from outthink.core.errors import Incompatible, InputError, explain, repeated

DATA = "OUTTHINK_DATA"
"""The variable that names a folder in which files of tasks are looked for."""

Load = Callable[[Mapping[str, Any]], TaskSet]


@dataclass(frozen=True)
class NotRun:
    """Something of the grid that is not run here, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Posed:
    """The sets of a grid by name, and what is not among them."""

    sets: Mapping[str, TaskSet]
    not_run: tuple[NotRun, ...] = ()

    @property
    def questions(self) -> dict[str, Question]:
        """All questions by id."""
        return {one.task.id: one for found in self.sets.values() for one in found.questions}

    @property
    def problems(self) -> tuple[BadRow, ...]:
        """Rows that became no question."""
        return tuple(row for found in self.sets.values() for row in found.problems)


def pose(grid: Grid, load: Load | None = None) -> Posed:
    """Load every task of the grid. `load`: of one table; the package's own sources unless said otherwise.

    Raises `InputError` for data that is not here and `Incompatible` for answers that cannot be marked here (unless the grid leaves such
    tasks out), and `InputError` for questions that share an id.
    """
    load = load or _loaded
    sets: dict[str, TaskSet] = {}
    not_run: list[NotRun] = []
    for given in grid.tasks:
        table = {name: value for name, value in given.items() if name != "not_run"}
        what = _what(table)
        if given.get("not_run"):
            not_run.append(NotRun(what, str(given["not_run"])))
            continue
        try:
            found = load(table)
        except (InputError, Incompatible) as error:
            if grid.missing == "refuse":
                raise
            here = "its data is not here: " if isinstance(error, InputError) else ""
            not_run.append(NotRun(what, f"{here}{error}"))
            continue
        if found.name in sets:
            raise InputError(
                explain(
                    "Two tasks of the grid have one name.",
                    got=found.name,
                    expected="each name once",
                    remedy="Give one of them another name, or leave it out.",
                )
            )
        sets[found.name] = replace(found, questions=found.styled() if grid.style == "said" else found.questions)
    posed = Posed(sets, tuple(not_run))
    _check_ids(posed)
    return posed


def tasks_not_run(grid: Grid) -> tuple[NotRun, ...]:
    """The tasks that the grid itself says are not run here, and why."""
    return tuple(NotRun(_what(table), str(table["not_run"])) for table in grid.tasks if table.get("not_run"))


def _what(table: Mapping[str, Any]) -> str:
    return f"task {table.get('called') or table.get('type', '?')}"


def _check_ids(posed: Posed) -> None:
    ids = [one.task.id for found in posed.sets.values() for one in found.questions]
    twice = repeated(ids)
    if twice or not ids:
        raise InputError(
            explain(
                "Questions of the grid share an id." if twice else "The grid has no questions.",
                got=", ".join(twice[:5]) or "none that can be run here",
                expected="an id of its own for every question" if twice else "at least one",
                remedy="Correct the ids." if twice else "Give `path`, or another task.",
            )
        )


def _loaded(table: Mapping[str, Any]) -> TaskSet:
    (found,) = load_tasks([_placed(table)])
    return found


def _placed(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table with its file in the folder of data, where it is there and not at the path itself. No part of a grid's identity.

    Without a path, the file whose name begins with the kind's word, such as gsm8k_test.jsonl.
    """
    folder, path = os.environ.get(DATA), table.get("path")
    if not folder or not Path(folder).is_dir() or (path and Path(str(path)).exists()):
        return table
    if path:
        found = [Path(folder) / str(path)]
    else:
        word = _letters(str(table.get("type")))
        found = sorted(one for one in Path(folder).iterdir() if _letters(one.name).startswith(word))
    return {**table, "path": str(found[0])} if found and found[0].exists() else table


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
