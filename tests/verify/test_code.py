"""The verifier of programs: what counts as the program, what counts as passed, and HumanEval's own solutions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Cut, Incompatible, Parts, Task
from outthink.core.errors import InputError
from outthink.testing.contracts import VerifierContract
from outthink.verify import Code, CodeVerifier
from outthink.verify.code_text import code_in, defined, find_tests, whole_program
from outthink.verify.human_eval import human_eval
from outthink.verify.inside.plain_data import packed, unpacked
from outthink.verify.sandbox import Limits, refusal
from tests.needs import DATA

TESTS = ("assert add(2, 3) == 5", "assert add(-1, 1) == 0", "assert add('a', 'b') == 'ab'")
RIGHT = "def add(a, b):\n    return a + b\n"
TASK = Task(prompt="Write add.")

boxed = pytest.mark.needs("sandbox")


def verifier(*tests: str, **settings: Any) -> CodeVerifier:
    limits = Limits(seconds=5, wall_seconds=60)
    return Code(tests=tests or TESTS, limits=limits, **settings).build(Parts())


async def scored(made: CodeVerifier, *programs: str, task: Task = TASK) -> tuple[list[float], tuple[str, ...]]:
    got = await made.score([Candidate(content=program) for program in programs], task)
    assert not got.failures
    return got.values.tolist(), got.notes


@boxed
class TestContract(VerifierContract):
    @pytest.fixture
    def verifier(self) -> CodeVerifier:
        return verifier(score="share")

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [Candidate(content=text) for text in (RIGHT, "def add(a, b): return 5", "no program at all", RIGHT)]


@boxed
async def test_all_or_a_share() -> None:
    half = "def add(a, b):\n    return a + b if isinstance(a, int) else None"
    assert (await scored(verifier(), RIGHT, half))[0] == [1.0, 0.0]
    values, notes = await scored(verifier(score="share"), RIGHT, half, "def other(): pass")
    assert np.allclose(values, [1.0, 2 / 3, 0.0])
    assert notes[1] == "2 of 3 tests passed; first failure: assert add('a', 'b') == 'ab'"
    assert "NameError" in notes[2] or "0 of 3" in notes[2]


@boxed
async def test_a_program_that_breaks_is_wrong_and_no_failure() -> None:
    broken = ["def add(a, b:", "raise ValueError('no')", "import numpy", "def add(a, b):\n    return add(a, b)", ""]
    values, notes = await scored(verifier(), *broken)
    assert values == [0.0] * 5
    assert "SyntaxError" in notes[0]
    assert "ValueError: no" in notes[1]
    assert "ModuleNotFoundError" in notes[2]
    assert "RecursionError" in notes[3]


@boxed
async def test_errors_that_tests_expect() -> None:
    tests = "try:\n    half('x')\n    assert False\nexcept TypeError:\n    assert half(4) == 2.0"
    values, _ = await scored(verifier(tests), "def half(x): return x / 2", "def half(x): return 2.0")
    assert values == [1.0, 0.0]


@boxed
async def test_tests_that_are_functions_run_and_tests_that_assert_nothing_tell_nothing() -> None:
    values, _ = await scored(verifier("def test_sum():\n    assert add(1, 1) == 2"), RIGHT, "def add(a, b): return 3")
    assert values == [1.0, 0.0]
    got = await verifier("add(1, 1)").score([Candidate(content=RIGHT)], TASK)
    assert "assert nothing" in got.failures[0].message
    # Only what needs the program counts.
    assert (await scored(verifier("assert True", "assert add(1, 1) == 3", score="share"), RIGHT))[0] == [0.0]


@boxed
async def test_plain_data_comes_back_as_it_is() -> None:
    program = "def same(x): return x\ndef kinds(): return [1, 1.0, True, (1,), {1: {2}}, b'a', None, 10**5000, 1j]"
    tests = [
        "assert same([1, (2, {'a': {3}})]) == [1, (2, {'a': {3}})]",
        "assert [type(one).__name__ for one in kinds()[:4]] == ['int', 'float', 'bool', 'tuple']",
        "assert kinds()[4:] == [{1: {2}}, b'a', None, 10**5000, 1j]",
        "assert same(float('inf')) == float('inf') and same(float('nan')) != same(float('nan'))",
        "assert same(x=range(3)) == [0, 1, 2]",
    ]
    assert (await scored(verifier(*tests), program))[0] == [1.0]


def test_what_crosses_is_plain_or_nothing() -> None:
    class Liar(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    back = unpacked(packed([Liar(3)]))
    assert type(back[0]) is int
    assert back != [4]
    for wrong in (object(), print, iter([])):
        with pytest.raises(TypeError, match="no plain data"):
            packed(wrong)
    for hostile in (3, [], ["i"], ["q", []], ["i", None], ["s", [["l", []]]], {"a": 1}, ["d", [1]]):
        with pytest.raises(ValueError):  # noqa: PT011 - any
            unpacked(hostile)
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(TypeError, match="levels deep"):
        packed(deep)


def test_the_program_in_a_text() -> None:
    text = (
        "First:\n```python\ndef helper(): pass\n```\nThen\n```py\ndef add(a, b): return a\n```\nand\n```bash\nls\n```"
    )
    assert code_in(text, "helper") == "def helper(): pass\n"
    assert code_in(text) == "def add(a, b): return a\n"
    assert code_in("def add(): pass") == "def add(): pass"
    assert code_in("```python\ndef cut_off():\n    return 1") == "def cut_off():\n    return 1"
    assert defined("import os\nx = 1\ndef f(): pass\nclass C: pass") == ("x", "f", "C")
    assert defined("def (") == ()
    head = 'def add(a, b):\n    """Sum."""\n'
    assert whole_program("    return a + b", head, "add") == head + "    return a + b"
    assert whole_program(RIGHT, head, "add").endswith(RIGHT)


def test_where_tests_come_from() -> None:
    row = {"prompt": "def f():\n", "entry_point": "f", "test": "def check(c): assert c() == 1"}
    found = find_tests(Task(data=row), (), "")
    assert (found.names, found.check, found.before) == (("f",), "check", "def f():\n")
    assert find_tests(Task(data=row), ("assert g()",), "g").source == "assert g()"
    assert (
        find_tests(Task(data={"test_list": ["a", "b"], "test_setup_code": "import math"}), (), "").before
        == "import math"
    )
    assert find_tests(Task(reference="assert f() == 1"), (), "").source == "assert f() == 1"
    with pytest.raises(Incompatible, match="no tests"):
        find_tests(Task(prompt="?"), (), "")


@boxed
def test_tests_of_the_task_are_an_oracle_and_those_of_the_settings_are_not() -> None:
    assert Code().build(Parts()).spec.reads_reference
    assert not verifier().spec.reads_reference
    with pytest.raises(Incompatible, match="no tests"):
        Code().build(Parts()).most(TASK)


@boxed
async def test_a_cut_keeps_what_is_through_and_ends_the_rest() -> None:
    slow = "import time\ntime.sleep(0 if {0} < 2 else 40)\ndef add(a, b): return a + b  # {0}"
    made, cut = verifier(workers=1), Cut()
    candidates = [Candidate(content=slow.format(i)) for i in range(4)]

    async def fire() -> None:
        await asyncio.sleep(4)
        cut.fire("seconds")

    firing = asyncio.ensure_future(fire())
    got = await made.score_until(candidates, TASK, cut)
    await firing
    assert got.unjudged == {2, 3}
    assert got.values[:2].tolist() == [1.0, 1.0]
    assert got.cost.verifier_calls == 2


def test_without_isolation_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outthink.verify.sandbox.shutil.which", lambda name: None)
    with pytest.raises(Incompatible, match=r"bwrap is not installed.*apt-get install bubblewrap.*no setting"):
        Code(tests=TESTS).build(Parts())
    monkeypatch.setattr("outthink.verify.sandbox.platform.machine", lambda: "m68k")
    monkeypatch.setattr("outthink.verify.seccomp.platform.machine", lambda: "m68k")
    with pytest.raises(Incompatible, match="m68k"):
        Code(tests=TESTS).build(Parts())


@boxed
def test_a_sandbox_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from outthink.verify import sandbox

    sandbox._try_out.cache_clear()
    monkeypatch.setattr("outthink.verify.sandbox.NOBODY", "no number")
    assert "did not start: bwrap: Invalid uid" in refusal()
    with pytest.raises(Incompatible, match="cannot be isolated"):
        Code(tests=TESTS).build(Parts())
    monkeypatch.undo()
    assert refusal() == "", "a refusal is not remembered"


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"task_id": 1}\n')
    for name in ("x.jsonl", "missing.jsonl"):
        with pytest.raises(InputError, match="no file of HumanEval tasks"):
            human_eval(tmp_path / name)


@pytest.mark.needs("sandbox", "data-files")
async def test_human_eval_solutions_pass_and_wrong_ones_fail() -> None:
    """Twenty of the 164, the helpers in a prompt (`poly`, `encode_cyclic`) among them."""
    tasks = human_eval(DATA / "HumanEval.jsonl.gz")
    assert len(tasks) == 164
    made = Code(limits=Limits(wall_seconds=60)).build(Parts())
    for task in [tasks[i] for i in (*range(0, 160, 9), 32, 38)]:
        name, body = task.data["entry_point"], str(task.reference)
        whole = f"Here it is:\n```python\n{task.data['prompt']}{body}\n```\nDone."
        values, notes = await scored(made, whole, body, f"def {name}(*given): return None", task=task)
        assert values == [1.0, 1.0, 0.0], (task.id, notes)
