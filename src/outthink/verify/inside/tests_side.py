"""The side of the tests: every name of the program that is tested is a stand-in here, which asks the other side and gets plain data back.

Each `assert` is counted by itself, so that a share can be told; one without a stand-in's help (`assert True`) says nothing and is not. What
is reported bears the secret of this run.
"""

from __future__ import annotations

import ast
import builtins
from types import FunctionType
from typing import Any

from outthink.verify.inside.plain_data import packed, read_frame, set_up, unpacked, write_frame

KEPT = 300


class CandidateError(Exception):
    """What the program raised where it is no built-in error, and all that ended it."""


class Counter:
    """What has been asserted so far."""

    def __init__(self) -> None:
        self.passed = self.total = 0
        self.first = ""

    def __call__(self, value: object, what: str) -> None:
        """Count one. What the value is worth is found first: that may raise, and nothing is counted then."""
        right = bool(value)
        self.total += 1
        self.passed += right
        if not right and not self.first:
            self.first = what[:KEPT]


class Counted(ast.NodeTransformer):
    """Every assertion as one that is counted, and does not end the tests."""

    def visit_Assert(self, node: ast.Assert) -> Any:
        """See the class."""
        if isinstance(node.test, ast.Constant) and node.test.value:
            return ast.copy_location(ast.Pass(), node)
        told = ast.unparse(node)
        source = (
            f"try:\n    __count__(0, {told!r})\n"
            f"except Exception as __error__:\n    __count__(False, {told!r} + ': ' + repr(__error__))"
        )
        made = ast.parse(source).body[0]
        assert isinstance(made, ast.Try)
        call = made.body[0].value  # type: ignore[attr-defined]
        call.args[0] = node.test
        for one in ast.walk(made):
            ast.copy_location(one, node)
        return made


def stand_in(name: str, source: int, sink: int) -> Any:
    """A function that asks the other side."""

    def call(*arguments: Any, **named: Any) -> Any:
        write_frame(sink, {"name": name, "arguments": packed(arguments), "named": packed(named)})
        answer = read_frame(source)
        if "value" in answer:
            return unpacked(answer["value"])
        said = str(answer.get("said", ""))
        for kind in answer.get("kinds", ()):
            known = getattr(builtins, str(kind), None)
            if isinstance(known, type) and issubclass(known, Exception):
                raise known(said)
        raise CandidateError(f"{answer.get('raised', 'gone')}: {said}")

    call.__name__ = name
    return call


def run_functions(space: dict[str, Any], tested: set[str]) -> None:
    """Tests that are functions of their own, such as `def test_sums(): ...`."""
    for name, value in list(space.items()):
        if name.startswith("test") and name not in tested and isinstance(value, FunctionType):
            value()


def main() -> None:
    """Run the tests once."""
    source, sink, order = set_up()
    counter = Counter()
    space: dict[str, Any] = {"__name__": "tests"}
    problem = ""
    try:
        exec(compile(order["before"], "<task>", "exec"), space)  # noqa: S102 - its purpose
        space.update({name: stand_in(name, source, sink) for name in order["names"]})
        space["__count__"] = counter
        tree = ast.fix_missing_locations(Counted().visit(ast.parse(order["tests"])))
        exec(compile(tree, "<tests>", "exec"), space)  # noqa: S102 - its purpose
        if order["check"]:
            space[order["check"]](space[order["names"][0]])
        elif not counter.total:
            run_functions(space, set(order["names"]))
    except BaseException as error:  # noqa: BLE001 - tests that end early have not passed, whatever ended them
        problem = f"{type(error).__name__}: {error}"[:KEPT]
        counter(False, problem)
    report = {"passed": counter.passed, "total": counter.total, "first": counter.first, "problem": problem}
    write_frame(sink, {"secret": order["secret"], **report})


if __name__ == "__main__":
    main()
