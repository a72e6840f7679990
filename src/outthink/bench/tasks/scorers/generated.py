"""Answers to tasks of reasoning-gym, marked by the task's own scorer, in a sandbox, because some of those evaluate the answer as code.

Right is a full score. An answer that is marked is tried as it was marked; without a mark the whole text is, as the library does it. Many of
its scorers give part of the credit for an answer that stands among other words; only full credit counts as right.
"""

from __future__ import annotations

from dataclasses import dataclass

from outthink.bench.tasks.confined import confined
from outthink.bench.tasks.scorers.scorer import Scorer, known, marked_place
from outthink.core.errors import Failure
from outthink.verify.pool import TIMEOUT

SECONDS = 10.0
_TAGS = ("<answer>", "</answer>")


@dataclass(frozen=True)
class Generated(Scorer):
    """One question of a task: its name, settings as JSON, seed, number of questions, and place among them."""

    task: str
    settings: str
    seed: int
    size: int
    place: int

    def mark(self, text: str) -> float:
        arguments = (self.task, self.settings, self.seed, self.size, self.place, given(text))
        reply = confined().call_and_wait("gym-credit", *arguments, seconds=SECONDS)
        if isinstance(reply, Failure) and reply.kind not in ("WorkerCrashed", "SystemExit"):
            # What makes its marker hang or break is no answer of the form that was asked for.
            return 0.0 if reply.kind == TIMEOUT or reply.kind in _READING else float(known(reply, "No mark"))
        return float(known(reply, f"The scorer of {self.task} gave no mark"))


_READING = frozenset(
    {"ValueError", "TypeError", "SyntaxError", "IndexError", "KeyError", "AttributeError", "ZeroDivisionError",
     "NameError", "RecursionError", "OverflowError", "AssertionError", "MemoryError", "JSONDecodeError"}
)  # fmt: skip
"""What Python raises over a text that it cannot read."""


def given(text: str) -> str:
    """The answer as it is handed to the scorer: between the library's own tags, else in a box or after a marker, else the text."""
    begin, end = _TAGS
    if begin in text:
        inside, closed, _ = text.rpartition(begin)[2].partition(end)
        if closed:
            return inside.strip()
    return (marked_place(text) or text).strip()
