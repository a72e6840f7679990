"""What is asked on the command line: an argument, a file, standard input, or one task a line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from outthink.core.errors import InputError, explain
from outthink.core.task import Task

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Asked:
    """Tasks to solve.

    Attributes:
        many: whether they came one a line, so that results go out one a line.
        bad: messages about lines that could not be read; each names its file and line.
    """

    tasks: tuple[Task, ...]
    many: bool = False
    bad: tuple[str, ...] = ()


def read(question: str | None, file: str | None, *, jsonl: bool) -> Asked:
    """The tasks that the arguments name. Raises `InputError`."""
    if question is not None and (file is not None or jsonl):
        raise InputError(
            explain(
                "The question is given twice.",
                got="an argument, and a file or --jsonl",
                expected="one of them",
                remedy="Drop the argument, or --file and --jsonl.",
            )
        )
    if question is not None:
        return Asked((_task(question, "the argument"),))
    if file is None and sys.stdin.isatty():
        raise InputError(
            explain(
                "There is no question.",
                got="no argument, no --file, and a terminal as standard input",
                expected="a question",
                remedy='For example outthink run "What is 17 + 25?"',
            )
        )
    where, text = _text(file or STANDARD_INPUT)
    if jsonl or (file is not None and file.endswith(".jsonl")):
        return _lines(where, text)
    return Asked((_task(text, where),))


def _task(text: str, where: str) -> Task:
    if not text.strip():
        raise InputError(
            explain(
                f"The question is empty ({where}).",
                got=text,
                expected="some text",
                remedy="Write a question.",
            )
        )
    return Task(prompt=text.strip("\r\n"))


def _text(file: str) -> tuple[str, str]:
    try:
        if file == STANDARD_INPUT:
            return "standard input", sys.stdin.read()
        return file, Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            explain(
                f"The file {file!r} cannot be read: {error.strerror or error}.",
                got=file,
                expected="a readable file, or - for standard input",
                remedy="Check the path.",
            )
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            explain(
                f"The file {file!r} is not text.",
                got=f"byte {error.object[error.start]:#04x} at position {error.start}",
                expected="UTF-8",
                remedy="Check that this is the file you meant.",
            )
        ) from None


def _lines(where: str, text: str) -> Asked:
    tasks: dict[str, Task] = {}
    bad: list[str] = []
    # Not splitlines: JSON text may hold other characters that it takes for line ends.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            task = _one(line, number)
            if task.id in tasks:
                raise InputError(
                    explain(
                        "This id is taken.",
                        got=task.id,
                        expected="an id of its own for every task",
                        remedy="Change it, or leave it out: the number of the line is the id then.",
                    )
                )
        except InputError as error:
            bad.append(f"{where}:{number}: {error}")
        else:
            tasks[task.id] = task
    if not tasks and not bad:
        raise InputError(
            explain(f"There are no tasks in {where}.", got="no lines", expected="one JSON object a line", remedy=_LIKE)
        )
    return Asked(tuple(tasks.values()), many=True, bad=tuple(bad))


_LIKE = 'A task is written as {"prompt": "What is 17 + 25?", "id": "a"}.'


def _one(line: str, number: int) -> Task:
    try:
        plain = msgspec.json.decode(line)
        unknown = sorted(set(plain) - set(Task.__struct_fields__)) if isinstance(plain, dict) else []
        task = msgspec.convert(plain, Task)
    except msgspec.DecodeError as error:  # a ValidationError too
        raise InputError(
            explain(
                f"This is no task: {error}.",
                got=line.strip()[:80],
                expected="one JSON object a line",
                remedy=_LIKE,
            )
        ) from None
    if unknown:
        raise InputError(
            explain(
                "This task has an unknown field.",
                got=", ".join(unknown),
                expected=", ".join(Task.__struct_fields__),
                remedy='What a verifier needs besides goes into "data".',
            )
        )
    if not task.question.strip():
        raise InputError(explain("The question is empty.", got=line.strip()[:80], expected="a prompt", remedy=_LIKE))
    return task if task.id else msgspec.structs.replace(task, id=str(number))
