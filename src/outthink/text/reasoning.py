"""Thinking apart from the answer: `<think>...</think>` is kept, shown to people, and never voted on.

The markers are settings. Thinking that the text has not closed is thinking to its end, so a text that ran out of tokens while it thought
has no answer. Engines that keep thinking apart by themselves (many servers do) hand it over in `Generation.reasoning`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from outthink.core.settings import Settings


class Thinking(Settings):
    """How thinking is marked.

    Attributes:
        begin, end: what stands around it.
        begun: whether the prompt itself has opened it, as some chat templates do.
    """

    begin: Annotated[str, Meta(min_length=1)] = "<think>"
    end: Annotated[str, Meta(min_length=1)] = "</think>"
    begun: bool = False

    def split(self, text: str, *, done: bool = True) -> tuple[str, str]:
        """The thinking and the rest. An end without a beginning closes thinking that the prompt began.

        While the text is not `done`, a marker that is only half written counts as neither.
        """
        if not done:
            text = self._without_half_marker(text)
        if not self.begun and self.begin not in text and self.end not in text:
            return "", text
        thinking: list[str] = []
        shown: list[str] = []
        first_begin, first_end = text.find(self.begin), text.find(self.end)
        inside = self.begun or (first_end >= 0 and not 0 <= first_begin < first_end)
        at = 0
        while True:
            marker = self.end if inside else self.begin
            found = text.find(marker, at)
            (thinking if inside else shown).append(text[at:] if found < 0 else text[at:found])
            if found < 0:
                break
            at, inside = found + len(marker), not inside
        return "".join(thinking).removeprefix(self.begin).strip(), "".join(shown).lstrip()

    def is_open(self, text: str) -> bool:
        """Whether the text is in the middle of thinking."""
        opened, closed = text.rfind(self.begin), text.rfind(self.end)
        return opened > closed or (self.begun and closed < 0)

    def _without_half_marker(self, text: str) -> str:
        for marker in (self.begin, self.end):
            for size in range(len(marker) - 1, 0, -1):
                if text.endswith(marker[:size]):
                    return text[:-size]
        return text
