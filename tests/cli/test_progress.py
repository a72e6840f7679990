"""The live line: what it says, and that it is only ever on a terminal's standard error."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Any

from outthink.cli.progress import Progress
from outthink.core.cost import Budget
from outthink.core.events import Adapted, Advanced, Charged, RunEnded, RunStarted, StepEnded, Warned
from outthink.core.result import Result
from tests.cli.running import PROGRAM, SCRIPTED, start


def charged(run: str, tokens: int) -> Charged:
    return Charged(run=run, role="generate", tokens=tokens, calls=1, verifier_calls=0, denoiser_evals=0)


def test_the_line_adds_up_over_runs() -> None:
    progress = Progress(Budget(tokens=100), tasks=2)
    events: list[Any] = [
        RunStarted(task="a", method="vote", seed=0, budget={}),
        charged("a", 10),
        charged("a", 15),
        charged("b", 20),
        Advanced(parents=(0, 1), nodes=(2, 3), done=(True, False)),
        StepEnded(step=1),
        RunEnded(stop="done"),
        Warned(message="lean"),
        Warned(message="lean"),
        Adapted(what="n", instead="one by one"),
    ]
    for event in events:
        progress(event)
    for piece in ("vote", "1 of 2 tasks", "1 steps", "1 answers", "35 tokens of 100", "Ctrl-C"):
        assert piece in progress.line()
    assert progress.said == ["lean", "n: one by one"]


def test_a_terminal_sees_it_and_standard_output_does_not() -> None:
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, "run", "q", "--method", "vote", "--n", "2", "--json", *SCRIPTED]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += (piece := os.read(terminal, 4096))
            except OSError:  # the other side has closed
                break
            if not piece:
                break
        assert process.stdout is not None
        output = process.stdout.read()
    os.close(terminal)
    assert process.returncode == 0
    Result.from_json(output)
    assert b"\x1b[" in seen, "a live line moves the cursor"
    assert b"starting" in seen or b"Ctrl-C" in seen


def test_without_a_terminal_there_is_no_line() -> None:
    output, errors = start("run", "q", "--method", "vote", "--n", "2", *SCRIPTED).communicate(timeout=60)
    assert output
    assert "\x1b" not in errors
    assert "Ctrl-C" not in errors
