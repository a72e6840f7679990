"""What a run looks like while it runs: one line on standard error, where that is a terminal.

It reads events and nothing else. Warnings and adaptations are kept and printed at the end, terminal or not.
"""

from __future__ import annotations

import sys
from types import TracebackType

from outthink.core.cost import Budget
from outthink.core.events import Adapted, Advanced, AnyEvent, Charged, RunEnded, RunStarted, StepEnded, Warned


class Progress:
    """A sink for events, and a live line while the context lasts."""

    def __init__(self, budget: Budget, tasks: int) -> None:
        self._budget, self._unit = budget.tokens, "tokens"
        if budget.denoiser_evals is not None:
            self._budget, self._unit = budget.denoiser_evals, "denoiser evaluations"
        self._tasks = tasks
        self._ended = self._steps = self._finished = 0
        self._method = ""
        self._spent: dict[str, int] = {}
        self.said: list[str] = []
        self._live = _status() if sys.stderr.isatty() else None

    def __call__(self, event: AnyEvent) -> None:
        """Take note of an event."""
        match event:
            case RunStarted():
                self._method = event.method
            case Advanced():
                self._finished += sum(event.done)
            case StepEnded():
                self._steps += 1
            case Charged():
                self._spent[event.run] = event.tokens if self._unit == "tokens" else event.denoiser_evals
            case RunEnded():
                self._ended += 1
            case Warned():
                self._say(event.message)
            case Adapted():
                self._say(f"{event.what}: {event.instead}")
            case _:
                return
        if self._live is not None:
            self._live.update(self.line())

    def line(self) -> str:
        """The state in words."""
        spent = f"{sum(self._spent.values())} {self._unit}"
        parts = [self._method, f"{self._steps} steps", f"{self._finished} answers"]
        parts.append(f"{spent} of {self._budget}" if self._budget else spent)
        if self._tasks > 1:
            parts.insert(1, f"{self._ended} of {self._tasks} tasks")
        return "  ".join(parts) + "  (Ctrl-C: stop with the best so far)"

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _say(self, message: str) -> None:
        if message not in self.said:
            self.said.append(message)


class _Line:
    """A spinner with a text beside it. rich is imported only where it is seen."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.status import Status
        from rich.text import Text

        self._text = Text
        self._status = Status(Text("starting"), console=Console(stderr=True))

    def start(self) -> None:
        self._status.start()

    def stop(self) -> None:
        self._status.stop()

    def update(self, line: str) -> None:
        # A Text, so that brackets in it are not read as markup.
        self._status.update(self._text(line))


def _status() -> _Line:
    return _Line()
