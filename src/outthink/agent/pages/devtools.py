"""Chromium by its own protocol, over a pair of pipes: orders out, answers and events in, each a line of JSON that ends in a zero byte.

    with Browser() as browser:
        browser.order("Browser.getVersion", deadline)

Used by one thread at a time. What a page costs is counted in processor seconds of the browser and all that it has started, so that a busy
machine does not change what is drawn; by the clock it may take five times as long.

Source: the Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from outthink.agent.pages.boxed_browser import command

START_SECONDS = 90.0
LONGEST = 64 * 2**20
"""Bytes of one answer."""
TICK = 0.2
WALL_FACTOR = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")

Event = dict[str, Any]


class BrowserGone(Exception):
    """The browser ended, said something that is no answer, or was too slow by the clock: nobody's fault but its own."""


class PageRefused(Exception):
    """The page took too long, grew too large, or broke the browser; its message says which, as an agent may read it."""


@dataclass
class Deadline:
    """When an order is given up: after so many processor seconds of a process and its children, or WALL_FACTOR times as many by the clock.

    `process` None: by the clock alone, for what no page has a part in.
    """

    seconds: float
    process: int | None = None

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._used = 0.0 if self.process is None else processor_seconds(self.process)

    def check(self) -> None:
        """Raises `PageRefused` or `BrowserGone` when it has passed."""
        passed = time.monotonic() - self._began
        if self.process is None:
            if passed > self.seconds:
                raise BrowserGone(f"the browser did not answer within {self.seconds:g} s")
            return
        if passed > self.seconds and processor_seconds(self.process) - self._used > self.seconds:
            raise PageRefused(f"The page takes more than {self.seconds:g} s to draw.")
        if passed > WALL_FACTOR * self.seconds:
            raise BrowserGone(f"the browser did not finish a page within {WALL_FACTOR * self.seconds:g} s by the clock")


class Browser:
    """A browser in its box. At the end of the context it is killed, with all that it has started. Raises `BrowserGone`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # A session of its own: Ctrl-C stops the search, which still wants its scores.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._numbers = 0
        self._held = b""
        try:
            self.order("Browser.getVersion", Deadline(START_SECONDS))
        except BrowserGone as error:
            said = self._complaint() or str(error)
            self.close()
            raise BrowserGone(f"the browser did not start: {said}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the box."""
        return self._process.pid

    def close(self) -> None:
        """Kill it, and wait until it is gone. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def interrupt(self) -> None:
        """Kill it from another thread; the one that uses it sees it gone."""
        self._process.kill()

    def order(
        self,
        method: str,
        deadline: Deadline,
        session: str = "",
        *,
        on: Callable[[Event], object] | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """What the browser answers; `on` is given every event that comes before. Raises `BrowserGone` for an error."""
        number = self.send(method, session, **parameters)
        while True:
            message = self._message(deadline)
            if message.get("id") == number:
                if "error" in message:
                    raise BrowserGone(f"{method}: {message['error'].get('message', message['error'])}")
                result: dict[str, Any] = message["result"]
                return result
            if on is not None and "method" in message:
                on(message)

    def send(self, method: str, session: str = "", **parameters: Any) -> int:
        """Give an order without waiting for its answer; its number."""
        self._numbers += 1
        message: dict[str, Any] = {"id": self._numbers, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        view = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while view:
                view = view[os.write(self._to, view) :]
        except BrokenPipeError:
            raise BrowserGone("the browser ended") from None
        return self._numbers

    def events(self, deadline: Deadline, on: Callable[[Event], bool]) -> None:
        """Give every event to `on` until it says that it has seen enough."""
        while True:
            message = self._message(deadline)
            if "method" in message and on(message):
                return

    def _message(self, deadline: Deadline) -> dict[str, Any]:
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._from], [], [], TICK)
            deadline.check()
            if not ready:
                continue
            part = os.read(self._from, 1 << 20)
            if not part:
                raise BrowserGone("the browser ended")
            self._held += part
            if len(self._held) > LONGEST:
                raise PageRefused("The page is too large.")
        line, _, self._held = self._held.partition(b"\0")
        message = json.loads(line)
        if message.get("method") == "Inspector.targetCrashed":
            raise PageRefused("The page needs too much memory, or breaks the browser.")
        return dict(message)

    def _complaint(self) -> str:
        """What the box said on standard error before it ended."""
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read(2000) or b"").decode(errors="replace").strip()


def processor_seconds(root: int) -> float:
    """Processor time of a living process and all its living descendants, by the system's own books."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            # Behind the name, which may hold anything.
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since
        parents[int(place.name)] = int(fields[1])
        used[int(place.name)] = int(fields[11]) + int(fields[12])
    total, waiting = 0, [root]
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    while waiting:
        pid = waiting.pop()
        total += used.get(pid, 0)
        waiting += children.get(pid, ())
    return total / _TICKS
