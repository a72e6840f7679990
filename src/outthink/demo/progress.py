"""What the demonstration looks like while it runs: a live panel in a terminal, one line for each group of problems elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from outthink.core.events import Advanced, AnyEvent, Charged
from outthink.demo.plan import METHODS, Plan
from outthink.demo.problems import KINDS
from outthink.demo.scoring import Solved

PHASES = {"greedy": "one greedy answer each", "samples": "drawing samples", "particle-filter": "particle filter"}
BAR = 24


class Progress:
    """A sink for events and a watcher of the run. It reads and shows; it changes nothing."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._total = plan.problems * len(plan.kinds)
        self._done: dict[str, int] = {}
        self._right: dict[str, dict[str, int]] = {}
        self._phase = "loading the model"
        self._spent: dict[str, int] = {}
        self._finished = 0
        self._began = monotonic()
        self._live = (
            Live(self.show(), console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )

    def __call__(self, event: AnyEvent) -> None:
        """Take note of an event. Replayed samples are billed, not paid, so they are left out of the spend."""
        match event:
            case Charged() if not event.run.endswith(("/vote", "/best-of-n")):
                self._spent[event.run] = event.tokens
            case Advanced():
                self._finished += sum(event.done)
            case _:
                return
        self._refresh()

    def phase(self, kind: str, name: str) -> None:
        """A method begins on the next problems of a kind."""
        self._phase = f"{KINDS[kind].title}: {PHASES[name]}"
        self._refresh()

    def solved(self, kind: str, solved: Sequence[Solved], seconds: float) -> None:
        """So many problems of a kind are done in all."""
        self._done[kind] = len(solved)
        self._right[kind] = {m.name: sum(one.right(m.name) for one in solved) for m in METHODS}
        self._refresh()
        if self._live is None:
            self._console.print(f"{seconds:6.1f} s  {kind}: {self._score(kind)}  {self.spent} tokens", soft_wrap=True)

    @property
    def spent(self) -> int:
        """Tokens paid so far."""
        return sum(self._spent.values())

    def show(self) -> Text:
        """The panel."""
        done = sum(self._done.values())
        filled = BAR * done // max(1, self._total)
        seconds = monotonic() - self._began
        text = Text.assemble(
            ("━" * filled, "green"),
            ("━" * (BAR - filled), "dim"),
            f" {done} of {self._total} problems  {seconds:.0f} s\n",
            (f"{self._phase}\n", "bold"),
            f"{self.spent} tokens spent, {self._finished} answers\n",
        )
        for kind in self._done:
            text.append(f"{kind}: {self._score(kind)}\n")
        return text.append("Ctrl-C: stop and print what is there so far", style="dim")

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _score(self, kind: str) -> str:
        right = ", ".join(f"{name} {n}" for name, n in self._right[kind].items())
        return f"solved of {self._done[kind]}: {right}"

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self.show())
