"""Answers that are one of a few: a letter of a multiple choice, or a label such as true, yes or REFUTES.

The answer has to be given, not mentioned: "not B" is no B, "A or B" neither, and a letter in the middle of a text is a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from outthink.bench.tasks.scorers.scorer import Scorer, marked_place
from outthink.verify.extract import last_line

_WRAPPING = " \t*_`\"'$"
_LETTER = re.compile(
    r"(?:(?:option|choice|answer|letter)\s+)?(?:[(\[](?P<inside>[A-Za-z])[)\]]|(?P<bare>[A-Z])(?=$|[).:,;]|\s+[-–—(]))"
)
_AND = re.compile(r"\s*(?:or|and|/|,)\s*[(\[]?[A-Z](?![A-Za-z])")


@dataclass(frozen=True)
class Choice(Scorer):
    """Right where the letter `gold` is given, or the words of its option and nothing else.

    Attributes:
        options: the words of each, by letter.
    """

    gold: str
    options: Mapping[str, str]

    def mark(self, text: str) -> float:
        place = marked_place(text)
        if place is None:
            line = (last_line(text) or "").strip(_WRAPPING)
            return float(self._chosen(line, whole=True) == self.gold)
        return float(self._chosen(place.strip(_WRAPPING), whole=False) == self.gold)

    def _chosen(self, place: str, *, whole: bool) -> str | None:
        letter = self._letter(place, whole=whole)
        return letter or next((one for one, words in self.options.items() if bare(words) == bare(place)), None)

    def _letter(self, place: str, *, whole: bool) -> str | None:
        if len(bare(place)) == 1 and bare(place).upper() in self.options:
            return bare(place).upper()
        found = _LETTER.match(place)
        if found is None or _AND.match(place, found.end()):
            return None
        letter = (found["inside"] or found["bare"]).upper()
        rest = place[found.end() :].strip(" ).:;,*")
        # An unmarked line may repeat the option's words and say no more.
        fits = not whole or not rest or bare(rest) == bare(self.options.get(letter, ""))
        return letter if letter in self.options and fits else None


@dataclass(frozen=True)
class Label(Scorer):
    """Right where the label `gold` is given.

    Attributes:
        names: every spelling, in small letters, with the label that it stands for. Longer spellings are tried first.
    """

    gold: str
    names: Mapping[str, str]

    def mark(self, text: str) -> float:
        place = marked_place(text)
        whole = place is None
        return float(self._given(place or last_line(text) or "", whole=whole) == self.gold)

    def _given(self, place: str, *, whole: bool) -> str | None:
        said = " ".join(place.strip(_WRAPPING + "([").casefold().replace("_", " ").split())
        for spelling in sorted(self.names, key=len, reverse=True):
            if said.startswith(spelling):
                rest = said[len(spelling) :].lstrip(_WRAPPING + ")]")
                if not rest.strip(" .!") or (not whole and rest[:1] in ".,;:!-–—("):
                    return self.names[spelling]
        return None


def bare(words: str) -> str:
    """Words without case, layout and what stands around them."""
    return " ".join(words.split()).strip(" .!:;,\"'`*()[]$").casefold()
