"""What the tests of the command line share: flags for a scripted engine, and the command in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Outthink = Callable[..., Result]

SCRIPTED = ["--model", "scripted", "--set", "engine.otherwise=it is 42"]
"""Flags for an engine that always says the same."""

PROGRAM = "from outthink.cli.main import main; main()"


def start(*arguments: str, environment: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own."""

    def listens() -> None:
        # A test run in the background of a shell ignores Ctrl-C, and its children would too.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
        preexec_fn=listens,
    )
