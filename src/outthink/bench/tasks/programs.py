"""Readers of tasks whose answer is code: HumanEval, run against its tests, and text-to-SQL, run on SQLite.

Sources: Chen et al. 2021 (HumanEval); Yu et al. 2018 and Li et al. 2023 (the layout of Spider and BIRD, and execution accuracy; here
duplicates count, and order where the right query orders).
"""

from __future__ import annotations

import ast
import sqlite3
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from outthink.bench.tasks.confined import require_sandbox
from outthink.bench.tasks.fields import BadField, own_id, text
from outthink.bench.tasks.rows import Row
from outthink.bench.tasks.scorers.programs import Program
from outthink.bench.tasks.scorers.queries import QueryResult
from outthink.bench.tasks.source import FileSource, Item
from outthink.core.errors import VerifierError
from outthink.core.settings import PositiveFloat
from outthink.core.task import Task

DATABASES = (".sqlite", ".db", ".sqlite3")


class HumanEval(FileSource, tag="human-eval"):
    """HumanEval: a function's head to complete, and tests that are not shown."""

    HOME: ClassVar[tuple[str, str, str]] = ("openai/openai_humaneval", "openai_humaneval", "test")
    STYLE: ClassVar[str] = "Answer with the whole function in one block of Python."

    def ready(self) -> None:
        """Programs run in a sandbox or not at all."""
        require_sandbox()

    def item(self, row: Row, folder: Path) -> Item:
        """The prompt is the head in a block; the reference is the canonical solution."""
        head, entry, test = (text(row.data, name) for name in ("prompt", "entry_point", "test"))
        solution = text(row.data, "canonical_solution")
        try:
            ast.parse(test)
        except (SyntaxError, ValueError) as error:
            raise BadField(f"the field 'test' is no Python: {error}") from None
        data = {"prompt": head, "entry_point": entry, "test": test}
        prompt = f"Complete this Python function.\n\n```python\n{head.rstrip()}\n```"
        own = own_id(row.data, "task_id")
        return Item(prompt, solution, Program(Task(prompt=prompt, data=data)), own, data, frozenset({"test"}))


class TextToSql(FileSource, tag="text-to-sql"):
    """Questions about a database of SQLite, answered by a query that is run.

    Attributes:
        question, query: names of the fields. database: the field that names the database.
        databases: the folder of the databases, beside the file where it is relative: `NAME.sqlite`, or `NAME/NAME.sqlite`; "" for the
            file's own folder.
        schema: the field with a script that makes the database in memory, for rows that name none.
        hints: the field with what has to be known besides, shown where a row has it.
        seconds: of processor time for one query.
    """

    question: str = "question"
    query: str = "query"
    database: str = "db_id"
    databases: str = ""
    schema: str = "schema"
    hints: str = "evidence"
    seconds: PositiveFloat = 5.0

    STYLE: ClassVar[str] = "Answer with one query for SQLite in a block that begins with ```sql."
    NAMED_BY_FILE: ClassVar[bool] = True

    def item(self, row: Row, folder: Path) -> Item:
        """The schema is shown as the statements that make it; the right query has to work."""
        asked = text(row.data, self.question).strip()
        gold = text(row.data, self.query, *(("SQL",) if self.query == "query" else ())).strip().rstrip(";")
        if row.data.get(self.database):
            place, script = self._place(text(row.data, self.database), folder), ""
            shown = _schema(place)
        else:
            place, script = "", text(row.data, self.schema)
            shown = _tables(script)
        scorer = QueryResult(gold, place, script, self.seconds)
        try:
            scorer.gold_digest()
        except VerifierError as error:
            raise BadField(str(error)) from None
        hint = row.data.get(self.hints)
        known = f"\n\n{hint.strip()}" if isinstance(hint, str) and hint.strip() else ""
        prompt = f"```sql\n{shown}\n```\n\n{asked}{known}"
        return Item(
            prompt, gold, scorer, own_id(row.data, "id", "question_id"), constant=" ".join(gold.casefold().split())
        )

    def _place(self, name: str, folder: Path) -> str:
        if Path(name).name != name:
            raise BadField(f"the database's name {name[:60]!r} is a path, expected a name in the folder of databases")
        home = folder / Path(self.databases).expanduser()
        tried = [home / f"{name}{end}" for end in DATABASES] + [home / name / f"{name}{end}" for end in DATABASES]
        for place in tried:
            if place.is_file():
                return str(place.resolve())
        raise BadField(f"there is no database {name!r}; looked for {name}{DATABASES[0]} in {home.name or 'its folder'}")


def _schema(place: str) -> str:
    """The statements that make a database."""
    try:
        connection = sqlite3.connect(f"file:{quote(place)}?mode=ro", uri=True)
        try:
            made = connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            )
            return "\n".join(f"{statement};" for (statement,) in made)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BadField(f"the database cannot be read: {error}") from None


def _tables(script: str) -> str:
    """The statements of a script that make tables and views, without the rows that it puts in."""
    kept: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            kept.append(statement.strip())
            statement = ""
    kept.append(statement.strip())
    return "\n".join(one for one in kept if one.upper().startswith("CREATE"))
