"""What the tests in a real browser share: the command in a process of its own, and a page that remembers all that went wrong on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROGRAM = [sys.executable, "-c", "from outthink.cli.main import main; main()"]
STARTS = re.compile(r"(http://127\.0\.0\.1:\d+/ui/)")


@contextmanager
def dashboard(store: Path, *more: str) -> Iterator[str]:
    """`outthink ui` on this store; its address."""
    command = [*PROGRAM, "ui", "--port", "0", "--store", str(store), *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:
                if found := STARTS.search(line):
                    yield found.group(1)
                    return
            raise AssertionError("the dashboard did not start")
        finally:
            server.terminate()
            server.wait(timeout=30)


def solving(store: Path, *arguments: str) -> subprocess.Popen[str]:
    """`outthink run` in a process of its own, writing to this store."""
    command = [*PROGRAM, "run", *arguments, "--store", str(store)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@dataclass
class Seen:
    """What a page did that it should not: errors it told, hosts it asked, dialogues it opened."""

    base: str
    errors: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def watch(self, page: Any) -> None:
        """Listen to a page."""
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: (self.errors.append(f"dialogue {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.add(urlsplit(request.url).netloc))

    def assert_clean(self) -> None:
        """Nothing went wrong, and nobody but this dashboard was asked for anything."""
        assert not self.errors, self.errors
        assert self.asked == {urlsplit(self.base).netloc}, self.asked

    def _told(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)
