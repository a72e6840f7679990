"""A text under way, as plain data: nothing of the engine is in it, so it can be forked, stored and sent.

A batch of n texts is a tuple of n `Partial`s; forking shares them, for they never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from outthink.core.checkpoint import Saved
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Mark(Saved):
    """Where a complete step ends: in characters of the text, in generated tokens, and the log-probability so far (None: unknown)."""

    text: int
    tokens: int
    log_prob: float | None


@dataclass(frozen=True)
class Revision(Saved):
    """What a rewritten text started from: the answer before it, and what was said about it."""

    answer: str
    feedback: str


@dataclass(frozen=True)
class Partial(Saved):
    """One member.

    Attributes:
        text: everything generated, thinking included, up to a stop string; never the prompt.
        tokens: the tokens that `text` is made of, and after them those of a final stop; None where the backend deals in text.
            While the text is unfinished, `text` is exactly what these tokens decode to.
        marks: the complete steps; what follows the last one is an open step.
        length: tokens generated. Where the backend deals in text and a step was cut, by share of its characters.
        log_prob: of these tokens under the model at temperature 1, nats; None where unknown.
        stop: why it is finished: "end", "stop", "length" or "forced"; "" while it is not.
        stop_text: the user's stop string that ended it.
        reasoning: thinking that the backend keeps apart from the text.
        revision: what it is a revision of.
        hidden: the model's state at the last token, [width].
        temperature: that it is drawn at; None: as the process has it.
    """

    text: str = ""
    tokens: tuple[int, ...] | None = None
    marks: tuple[Mark, ...] = ()
    length: int = 0
    log_prob: float | None = 0.0
    stop: str = ""
    stop_text: str = ""
    reasoning: str = ""
    revision: Revision | None = None
    hidden: FloatArray | None = field(default=None, compare=False)
    temperature: float | None = None

    @property
    def done(self) -> bool:
        """Whether it is finished."""
        return bool(self.stop)

    @property
    def last(self) -> Mark:
        """Where the open step begins."""
        return self.marks[-1] if self.marks else START

    @property
    def steps(self) -> int:
        """Steps so far, an open one included."""
        return len(self.marks) + (self.length > self.last.tokens)

    def ends(self) -> list[int]:
        """Where each step ends in the text, an open one included."""
        open_step = [len(self.text)] if self.steps > len(self.marks) else []
        return [*(mark.text for mark in self.marks), *open_step]

    def cut(self, level: int, decoded: str | None = None) -> Partial:
        """Its first `level` steps; itself when it has no more than these. `decoded`: the text of the tokens that remain."""
        if level >= self.steps:
            return self
        at = self.marks[level - 1] if level > 0 else START
        return replace(
            self,
            text=self.text[: at.text] if decoded is None else decoded,
            tokens=None if self.tokens is None else self.tokens[: at.tokens],
            marks=self.marks[: max(level, 0)],
            length=at.tokens,
            log_prob=at.log_prob,
            stop="",
            stop_text="",
            # Thinking that the backend keeps apart belongs to whole answers.
            reasoning="" if level <= 0 else self.reasoning,
            hidden=None,
        )


START = Mark(0, 0, 0.0)

Texts = tuple[Partial, ...]
