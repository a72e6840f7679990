"""What is wrong is answered by one message that says what, got, expected and remedy, a status that is not 0, and no traceback.

Each case goes through the real command in a process of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import SCRIPTED, start

CASES: dict[str, tuple[list[str], list[str]]] = {
    "unknown method": (
        ["run", "q", "--method", "particle-filtre"],
        ["'particle-filtre'", "Did you mean 'particle-filter'"],
    ),
    "n = 0": (["run", "q", "--method", "vote", "--n", "0"], ["`$.algorithm.n`", "Got 0", "`int` >= 1"]),
    "negative n": (["run", "q", "--method", "vote", "--n", "-3"], ["`$.algorithm.n`", "Got -3"]),
    "negative budget": (["run", "q", "--budget", "tokens=-5"], ["Budget.tokens", "Got -5", ">= 1"]),
    "budget without a number": (["run", "q", "--budget", "tokens=many"], ["Got 'many'", "a number"]),
    "unknown limit": (["run", "q", "--budget", "token=5"], ["Got 'token=5'", "tokens=..."]),
    "missing file": (["run", "--file", "not-there.txt"], ["'not-there.txt'", "No such file", "Check the path"]),
    "missing recipe": (["run", "q", "--method", "not-there.toml"], ["'not-there.toml'", "No such file"]),
    "a file that is no text": (["run", "--file", "binary"], ["is not text", "UTF-8"]),
    "empty question": (["run", ""], ["question is empty", "some text"]),
    "empty file": (["run", "--file", "empty.txt"], ["question is empty (empty.txt)"]),
    "no question": (["run"], ["question is empty (standard input)"]),
    "an empty file of tasks": (["run", "--file", "empty.jsonl"], ["no tasks in empty.jsonl", '"prompt"']),
    "two questions": (["run", "q", "--file", "good.toml"], ["given twice"]),
    "misspelt setting in TOML": (
        ["run", "q", "--method", "bad.toml"],
        ["bad.toml", "`$.algorithm.tempreture`", "expected one of"],
    ),
    "misspelt setting": (
        ["run", "q", "--method", "beam", "--set", "algorithm.widht=2"],
        ["widht", "Did you mean 'width'"],
    ),
    "misspelt table": (["run", "q", "--set", "algoritm.n=2"], ["Did you mean 'algorithm'"]),
    "unknown verifier": (["run", "q", "--verifier", "exactly"], ["Did you mean 'exact'"]),
    "unknown answer": (["run", "q", "--answer", "number"], ["Did you mean 'numeric'"]),
    "unknown model": (["run", "q", "--model", "locale"], ["Did you mean 'local'"]),
    "a model file that is none": (["run", "q", "--model", "local:binary"], ["binary", "GGUF"]),
    "a model file that is missing": (["run", "q", "--model", "local:not-there.gguf"], ["not-there.gguf"]),
    "a method without its verifier": (
        ["run", "q", "--method", "best-of-n", "--verifier", "none", *SCRIPTED],
        ["needs a verifier", "Got 'none'"],
    ),
    "an oracle without a reference": (
        ["run", "q", "--verifier", "exact", *SCRIPTED],
        ["the task has none", "'arithmetic'"],
    ),
    "all lines bad": (
        ["run", "--file", "bad.jsonl", *SCRIPTED],
        ["bad.jsonl:1:", "bad.jsonl:2:", "unknown field", "bad.jsonl:3:"],
    ),
    "a wrong recipe to check": (["recipes", "check", "good.toml", "bad.toml"], ["bad.toml", "tempreture"]),
    "an unknown recipe to show": (["recipes", "show", "voting"], ["Did you mean 'vote'"]),
    "an unknown component": (["recipes", "show", "verifier.exactly"], ["Did you mean 'exact'"]),
    "an unknown kind": (["recipes", "list", "verifiers"], ["Did you mean 'verifier'"]),
    "an unknown option": (["run", "q", "--methd", "vote"], ["No such option", "--method"]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "binary").write_bytes(b"\xff\xfenot a model")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "good.toml").write_text('[algorithm]\ntype = "vote"\n')
    (tmp_path / "bad.toml").write_text('[algorithm]\ntype = "vote"\ntempreture = 1\n')
    (tmp_path / "bad.jsonl").write_text('{"prompt": ""}\n{"prompt": "q", "referense": "3"}\n3\n')
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_message(case: str, folder: Path) -> None:
    arguments, said = CASES[case]
    output, errors = (process := start(*arguments, cwd=folder)).communicate(timeout=60)
    assert process.returncode == (2 if case == "an unknown option" else 1), (output, errors)
    assert "Traceback" not in errors
    for piece in said:
        assert piece in errors, errors
    if process.returncode == 1 and case != "all lines bad":
        assert errors.count("outthink: ") == 1, errors
    good_lines = [line for line in output.splitlines() if not line.startswith("good.toml: right")]
    assert good_lines == []
