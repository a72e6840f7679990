"""How an answer is found in a text, as settings: `[answer] find = {type = "boxed"}`.

`Usual` is the default of every equivalence: a box, else what follows a marker such as "Answer:" or "####", else a way that fits the kind
of answer. Use `Pattern` for a format of your own; it runs in a worker process that is stopped when it takes too long.
"""

from __future__ import annotations

import logging
import re
from typing import Annotated, Literal

from msgspec import Meta

from outthink.core.errors import Failure, SettingsError, explain
from outthink.core.settings import PositiveFloat, Tagged
from outthink.verify.extract import after_marker, boxed, last_line
from outthink.verify.numbers import number
from outthink.verify.pool import workers

MARKERS = ("####", "answer is", "answer:")
"""What announces an answer, in any case: GSM8K's mark, and two ways of saying it."""

_log = logging.getLogger("outthink.verify")


class Usual(Tagged):
    """The last box; else after the last marker; else `otherwise`: the text, its last line, that line if it is a number, or nothing."""

    markers: tuple[Annotated[str, Meta(min_length=1)], ...] = MARKERS
    box: bool = True
    otherwise: Literal["text", "line", "number", "nothing"] = "text"

    def find(self, text: str) -> str | None:
        """The answer's place, None without one."""
        found = (boxed(text) if self.box else None) or after_marker(text, self.markers)
        if found is not None or self.otherwise == "nothing":
            return found
        if self.otherwise == "text":
            return text
        line = last_line(text)
        if self.otherwise == "line" or line is None:
            return line
        bare = line.strip(" *_`")
        return bare if number(bare) is not None else None


class Marked(Tagged):
    """Only after the last of these markers."""

    markers: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] = MARKERS

    def find(self, text: str) -> str | None:
        """The answer's place, None without one."""
        return after_marker(text, self.markers)


class Boxed(Tagged):
    """Only in the last `\\boxed{...}`."""

    def find(self, text: str) -> str | None:
        """The answer's place, None without one."""
        return boxed(text)


class WholeText(Tagged):
    """The text itself is the answer."""

    def find(self, text: str) -> str | None:
        """The text, None when it is blank."""
        return text if text.strip() else None


class Pattern(Tagged):
    """A group of the last match of a regular expression.

    Attributes:
        group: number or name; 0 is the whole match.
        seconds: processor seconds after which the search is stopped; the text then has no answer, and a warning is logged.
    """

    pattern: Annotated[str, Meta(min_length=1)]
    group: int | str = 1
    seconds: PositiveFloat = 2.0

    def check(self) -> None:
        compiled = checked_pattern(self.pattern)
        known = self.group in compiled.groupindex if isinstance(self.group, str) else 0 <= self.group <= compiled.groups
        if not known:
            raise SettingsError(
                explain(
                    "The pattern has no such group.",
                    got=self.group,
                    expected=f"0 to {compiled.groups}" + "".join(f" or {name!r}" for name in compiled.groupindex),
                    remedy="Put brackets around the answer in the pattern, or use group = 0.",
                )
            )

    def find(self, text: str) -> str | None:
        """The answer's place, None without one. It blocks for up to `seconds`: call it off the event loop."""
        found = workers().call_and_wait("search", self.pattern, text, self.group, seconds=self.seconds)
        if isinstance(found, Failure):
            _log.warning("The answer pattern %r found nothing: %s: %s", self.pattern, found.kind, found.message)
            return None
        return None if found is None else str(found)


Finder = Usual | Marked | Boxed | WholeText | Pattern


def checked_pattern(pattern: str) -> re.Pattern[str]:
    """The compiled pattern. Raises `SettingsError` that says where it is wrong."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingsError(
            explain(
                "The regular expression cannot be read.",
                got=pattern,
                expected="a regular expression of Python's re module",
                remedy=f"{str(error).capitalize()}.",
            )
        ) from None
