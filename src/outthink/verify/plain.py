"""Answers that are words: equal up to case, white space and closing punctuation; or one letter of a multiple choice.

Plain().extract("The answer is Paris.")                       # "paris"
Plain(choices="ABCDE").extract("... so the answer is (B).")   # "B"
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from outthink.core.errors import SettingsError, explain
from outthink.core.task import Candidate, Task
from outthink.verify.extract import choice
from outthink.verify.finders import Finder, Usual
from outthink.verify.live_settings import LiveAnswer


class Plain(LiveAnswer):
    """Equal words are equal answers; blank ones abstain.

    Attributes:
        find: where the answer stands; by default a box, what follows a marker, or the whole text.
        choices: letters of a multiple choice, such as "ABCDE"; the answer is then one of them. "" for any words.
    """

    find: Finder = Usual(otherwise="text")
    choices: str = ""

    def check(self) -> None:
        if self.choices and (not self.choices.isalpha() or len(set(self.choices.upper())) != len(self.choices)):
            raise SettingsError(
                explain(
                    "The choices must be different letters.",
                    got=self.choices,
                    expected="letters, such as 'ABCDE'",
                    remedy="Name each letter once.",
                )
            )

    def extract(self, text: str) -> str | None:
        place = self.find.find(text)
        return self.key(place)

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [self.key(candidate.answer) for candidate in candidates]

    def key(self, answer: str | None) -> str | None:
        """The canonical text of an answer, None when it says nothing."""
        if answer is None:
            return None
        if self.choices:
            return choice(answer, self.choices)
        return " ".join(answer.split()).strip(" .!;,\"'`*").casefold() or None
