"""An agent's episode as plain data: turns of an action and what was seen after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from outthink.core.checkpoint import Saved
from outthink.core.task import Message

Ended = Literal["", "done", "turns"]
"""Why an episode is over: the environment ended it, or it had as many turns as it may have; "" while it goes on."""


@dataclass(frozen=True)
class Turn(Saved):
    """One action, as the model wrote it, and what was seen after it."""

    action: str
    seen: str


@dataclass(frozen=True)
class Earlier(Saved):
    """What a revision is told: an earlier episode of the same task, and feedback on it."""

    turns: tuple[Turn, ...]
    feedback: str


@dataclass(frozen=True)
class Episode(Saved):
    """An episode. `earlier`: what it is told of the one that it revises."""

    turns: tuple[Turn, ...] = ()
    ended: Ended = ""
    earlier: Earlier | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions so far."""
        return tuple(turn.action for turn in self.turns)

    def cut(self, level: int) -> Episode:
        """Back to its first `level` turns; a level that it has not passed changes nothing."""
        return self if level >= len(self.turns) else replace(self, turns=self.turns[:level], ended="")

    def transcript(self, opening: str) -> tuple[Message, ...]:
        """The conversation from the opening on."""
        said = [Message("user", opening)]
        for turn in self.turns:
            said += [Message("assistant", turn.action), Message("user", turn.seen)]
        return tuple(said)


Episodes = tuple[Episode, ...]


def actions_in(transcript: tuple[Message, ...]) -> tuple[str, ...]:
    """The actions of a transcript."""
    return tuple(str(message.content) for message in transcript if message.role == "assistant")
