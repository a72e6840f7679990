"""From what a model wrote to a program, and from a task to its tests."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Sequence

from outthink.core.errors import Incompatible, explain
from outthink.core.task import Task
from outthink.verify.code_run import Tests

_FENCE = re.compile(
    r"^[ \t]*```+[ \t]*([A-Za-z0-9_+-]*)[^\n]*\n(.*?)(?:^[ \t]*```+[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_PYTHON = ("", "python", "python3", "py")


def code_in(text: str, name: str = "") -> str:
    """The program in a text: its last fenced block of Python that defines `name`, else its last block of Python, else the whole text."""
    blocks: list[str] = [body for language, body in _FENCE.findall(text) if language.lower() in _PYTHON]
    if not blocks:
        return text
    defining = [body for body in blocks if name and name in defined(body)]
    return (defining or blocks)[-1]


def defined(source: str) -> tuple[str, ...]:
    """Functions, classes and other names that a program binds at its top level, in order; none for what is no Python."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return tuple(dict.fromkeys(names))


def testable(program: str, tests: Tests) -> tuple[str, ...]:
    """The names of a program that its tests may call: those that they use and that have no other meaning for them.

    A program may define `abs`, or a name that the tests' own set-up defines. The tests keep theirs: what judges is never the program's.
    """
    try:
        used = {node.id for node in ast.walk(ast.parse(tests.source)) if isinstance(node, ast.Name)}
        given = {node.id for node in ast.walk(ast.parse(tests.before)) if isinstance(node, ast.Name)}
        imported = [n for n in ast.walk(ast.parse(tests.before)) if isinstance(n, ast.Import | ast.ImportFrom)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    taken = {*given, *defined(tests.before), *dir(builtins)}
    taken |= {(alias.asname or alias.name).split(".")[0] for node in imported for alias in node.names}
    return tuple(n for n in defined(program) if n in used and n not in taken and not n.startswith("__"))


def whole_program(text: str, before: str, name: str) -> str:
    """A text's program, put behind the code that the task begins with; one that only goes on with its last function goes on with it."""
    code = code_in(text, name)
    if not before:
        return code
    if not name or name in defined(code):
        return f"{before}\n\n{code}"
    return before + code if before.endswith("\n") else f"{before}\n{code}"


def find_tests(task: Task, given: Sequence[str], entry: str) -> Tests:
    """The tests of a task: those of the settings, else `test` with `entry_point` (HumanEval), `tests` or `test_list` of its data, else its
    reference as code. Their names are still missing where no function is named.

    Raises `Incompatible` for a task without any.
    """
    data = task.data
    entry = entry or str(data.get("entry_point", ""))
    before = "\n".join(str(data[key]) for key in ("test_setup_code", "setup") if data.get(key))
    if given:
        return Tests("\n".join(given), (entry,) if entry else (), before)
    if isinstance(data.get("test"), str) and entry:
        return Tests(str(data["test"]), (entry,), str(data.get("prompt", "")), "check")
    listed = data.get("tests", data.get("test_list", task.reference))
    if isinstance(listed, str):
        return Tests(listed, (entry,) if entry else (), before)
    if isinstance(listed, (list, tuple)) and listed:
        return Tests("\n".join(map(str, listed)), (entry,) if entry else (), before)
    raise Incompatible(
        explain(
            "The task has no tests.",
            got=sorted(data) or "no data",
            expected="`tests` (a list of assertions), or `test` and `entry_point` as HumanEval has them, in the task's data",
            remedy="Give them with the task, or as the verifier's setting `tests`.",
        )
    )
