"""Formats of reward models as data: how an answer is laid out, where the numbers are read, and what becomes of them.

    RewardFormat(head="labels", layout="chat", mark="<extra_0>", label=1, squash="softmax")        # what "qwen-prm" stands for

The built-in ones stand in `reward_formats.toml` beside this file. An answer is laid out in pieces, and each piece is read by itself: what
a candidate says can pass neither for the model's markup nor for a mark, and the pieces of the first steps stay the same when more steps
follow, so that they need not be computed again.

Sources: Wang et al. 2024, Math-Shepherd; Zhang et al. 2025, The Lessons of Developing Process Reward Models in Mathematical Reasoning
(Qwen2.5-Math-PRM); the model cards of these models, of RLHFlow and Skywork; TRL's trainer for process reward models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
import numpy as np

from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.settings import Count, Settings
from outthink.core.task import Message
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Piece:
    """A stretch of what the model reads. `markup`: whether its control tokens count. `read`: whether a number is read at its last token."""

    text: str
    markup: bool = False
    read: bool = False


class RewardFormat(Settings):
    """How a reward model is asked.

    Attributes:
        head: what gives the numbers: a classifier of the whole ("sequence") or of tokens ("labels"), or the chances of two "words" as the
            next token.
        layout: "chat": question and answer by the model's template; "turns": each step as a message of the user, with a word as the reply;
            "plain": raw text.
        system: said first, for chats.
        prompt: for raw text, what stands before the answer; for turns, what stands before the first step.
        mark: put after each step; the number is read at its last token. between: put before the next step.
        good, bad: the two words; each is one token.
        label: which class is the good one, where the head has several.
        squash: what becomes of the head's numbers: "softmax" over classes or words, "sigmoid", or "none": scores without bounds.
        title: one line for people.
    """

    head: Literal["sequence", "labels", "words"]
    layout: Literal["chat", "turns", "plain"] = "chat"
    system: str = ""
    prompt: str = "{question}\n"
    mark: str = ""
    between: str = ""
    good: str = ""
    bad: str = ""
    label: Count = 1
    squash: Literal["softmax", "sigmoid", "none"] = "softmax"
    title: str = ""

    def check(self) -> None:
        problem = ""
        if self.head == "words" and not (self.good and self.bad and self.good != self.bad):
            problem = 'head "words" without two different words'
        elif self.head == "words" and self.squash != "softmax":
            problem = 'head "words" with another squash than "softmax"'
        elif self.layout == "turns" and self.head != "words":
            problem = 'layout "turns" without head "words"'
        elif self.head != "sequence" and self.layout != "turns" and not self.mark:
            problem = "no mark at which a step's number is read"
        elif self.head == "sequence" and (self.mark or self.between):
            problem = "a mark, where one number is read for the whole"
        elif self.layout != "chat" and self.prompt.count("{question}") != 1:
            problem = "a prompt without {question}"
        if problem:
            raise SettingsError(
                explain(
                    "This is no format of a reward model.",
                    got=problem,
                    expected="a head, a layout and marks that fit together",
                    remedy="Take a built-in format by name, or complete yours.",
                )
            )

    @property
    def step_wise(self) -> bool:
        """Whether every step has a number of its own."""
        return self.head != "sequence"

    def messages(self, question: str, steps: Sequence[str]) -> list[Message]:
        """The conversation, the answer with its marks in it; empty for raw text."""
        if self.layout == "plain":
            return []
        said = [Message("system", self.system)] if self.system else []
        if self.layout == "turns":
            for i, step in enumerate(steps):
                opening = self.prompt.replace("{question}", question) if i == 0 else ""
                said += [Message("user", opening + step), Message("assistant", self.good)]
            return said
        return [*said, Message("user", question), Message("assistant", self.answer(steps))]

    def raw(self, question: str, steps: Sequence[str]) -> str:
        """All of it as raw text."""
        return self.prompt.replace("{question}", question) + self.answer(steps)

    def answer(self, steps: Sequence[str]) -> str:
        """The answer with its marks in it."""
        return self.between.join(step + self.mark for step in steps)

    def answer_pieces(self, steps: Sequence[str]) -> list[Piece]:
        """The same in pieces; a number is read at each mark."""
        pieces: list[Piece] = []
        for i, step in enumerate(steps):
            if i and self.between:
                pieces.append(Piece(self.between))
            pieces.append(Piece(step))
            if self.mark:
                pieces.append(Piece(self.mark, markup=True, read=True))
        return pieces

    def column(self, classes: int) -> int:
        """Which of the head's numbers is the good one. Raises `SettingsError` where the head has no such class."""
        # Of one class there is only the first, and the good word stands first.
        column = 0 if classes == 1 or self.head == "words" else self.label
        if column >= classes:
            raise _unfit(classes, self)
        return column

    def squashed(self, rows: FloatArray) -> FloatArray:
        """The score of each row of the head's numbers, [rows, classes] -> [rows]. Raises `SettingsError` for a softmax over one class."""
        rows = np.asarray(rows, dtype=np.float64)
        good = rows[:, self.column(rows.shape[1])]
        if self.squash == "none":
            return np.array(good)
        if self.squash == "sigmoid":
            return np.array(0.5 * (1.0 + np.tanh(0.5 * good)))
        if rows.shape[1] == 1:
            raise _unfit(1, self)
        highest = rows.max(axis=1, keepdims=True)
        return np.array(np.exp(good - highest[:, 0]) / np.exp(rows - highest).sum(axis=1))


def _unfit(classes: int, form: RewardFormat) -> SettingsError:
    return SettingsError(
        explain(
            "The model's head and the format do not fit together.",
            got=f"{classes} classes, label = {form.label}, squash = {form.squash!r}",
            expected="a label below the number of classes, and more than one class for a softmax",
            remedy='Correct the format: squash = "sigmoid" or "none" for a head of one number.',
        )
    )


def clean_steps(steps: Sequence[str]) -> tuple[str, ...]:
    """Steps without the white space at their ends, which the format's own marks replace; empty ones are left out."""
    return tuple(text for step in steps if (text := step.strip()))


def find_format(given: str | RewardFormat) -> RewardFormat:
    """A built-in format by name, or the one given. Raises `SettingsError` with the nearest names."""
    if isinstance(given, RewardFormat):
        return given
    known = built_in_formats()
    if given not in known:
        raise SettingsError(
            explain(
                "There is no format of reward models of this name.",
                got=given,
                expected="one of " + ", ".join(sorted(known)),
                remedy=nearest(given, known),
            )
        )
    return known[given]


@cache
def built_in_formats() -> dict[str, RewardFormat]:
    """Every built-in format by its name."""
    data = resources.files(__package__).joinpath("reward_formats.toml").read_bytes()
    return msgspec.toml.decode(data, type=dict[str, RewardFormat])
