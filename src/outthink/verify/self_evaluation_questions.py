"""What self-evaluation asks, as data; the built-in questions stand in `self_evaluation_questions.toml` beside this file.

SelfQuestion(chat="Start over? Answer with Yes or No.", plain="\\nStart over?", better=("Yes",), as_good=("No",))
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.settings import Settings

NonEmpty = Annotated[str, Meta(min_length=1)]
Words = Annotated[tuple[NonEmpty, ...], Meta(min_length=1)]


class SelfQuestion(Settings):
    """A question about an answer, to whoever gave it, with the words that answer it.

    Attributes:
        chat: the user's next message, where the text is a conversation. `plain`: what is appended to a raw text.
        better: answers that say that another attempt would be better. `as_good`: those that say that it would not.
        title: one line for people.
    """

    chat: NonEmpty
    plain: NonEmpty
    better: Words = ("Yes", " Yes")
    as_good: Words = ("No", " No")
    title: str = ""

    def check(self) -> None:
        if both := sorted(set(self.better) & set(self.as_good)):
            raise SettingsError(
                explain(
                    "An answer cannot say both that another attempt would be better and that it would not.",
                    got=both,
                    expected="different words",
                    remedy="For example better = ['Yes'], as_good = ['No'].",
                )
            )


@cache
def built_in_questions() -> dict[str, SelfQuestion]:
    """Every built-in question by its name."""
    data = resources.files(__package__).joinpath("self_evaluation_questions.toml").read_bytes()
    return msgspec.toml.decode(data, type=dict[str, SelfQuestion])


def find_question(wanted: str | SelfQuestion) -> SelfQuestion:
    """The question of that name, or the one given. Raises `SettingsError`."""
    if isinstance(wanted, SelfQuestion):
        return wanted
    known = built_in_questions()
    if wanted not in known:
        raise SettingsError(
            explain(
                "There is no question of this name.",
                got=wanted,
                expected="one of " + ", ".join(sorted(known)) + ", or a question of your own",
                remedy=nearest(wanted, known),
            )
        )
    return known[wanted]
