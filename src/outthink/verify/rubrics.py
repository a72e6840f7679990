"""Rubrics: what a judge is told and how its verdict is written, as data. The built-in ones stand in `rubrics.toml` beside this file.

    Rubric(prompt="Is this polite?\\n{candidate}", scale=Words(values={"polite": 1.0, "rude": 0.0}))

A rubric's prompt has `{candidate}` in it, or `{first}` and `{second}` where two are compared; `{question}` and `{reference}` as it likes.
`{form}` stands for how the verdict has to be written and is added at the end where it is missing. Everything is filled in at once and
quoted line by line, so no text can fill a place of another one, or pass for the judge's own words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.settings import Fraction, Settings
from outthink.engines.engine import Choice, Constraint, JsonSchema, Regex

NonEmpty = Annotated[str, Meta(min_length=1)]
PLACE = re.compile(r"\{(question|candidate|reference|first|second|form)\}")
MOST_CHOICES = 101
_NUMBER = re.compile(r"(-?\d{1,15}(?:\.\d{1,15})?)(?:\s*(?:/|out of)\s*(\d{1,15}(?:\.\d{1,15})?))?", re.ASCII)


class Numbers(Settings, tag_field="type", tag="numbers"):
    """Verdicts are numbers from `low` to `high`; `whole`: whole ones only. Lowest is 0, highest is 1."""

    low: float = 0.0
    high: float = 10.0
    whole: bool = True

    def check(self) -> None:
        ends = (self.low, self.high)
        if not all(map(math.isfinite, ends)) or self.low >= self.high or (self.whole and any(e % 1 for e in ends)):
            raise SettingsError(
                explain(
                    "The scale has no range.",
                    got=ends,
                    expected="low < high, both finite, both whole where only whole numbers count",
                    remedy="For example low = 0, high = 10.",
                )
            )

    @property
    def options(self) -> tuple[str, ...]:
        """Every verdict there is; none where they are too many."""
        if not self.whole or self.high - self.low >= MOST_CHOICES:
            return ()
        return tuple(str(number) for number in range(int(self.low), int(self.high) + 1))

    @property
    def words(self) -> str:
        """The verdicts in words."""
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"

    def value(self, said: str) -> float | None:
        """A verdict in [0, 1]; None for what is no number of this scale, or stands over another one ("7/5" on a scale to 10)."""
        found = _NUMBER.fullmatch(said.strip())
        if found is None or (found.group(2) is not None and float(found.group(2)) != self.high):
            return None
        number = float(found.group(1))
        if not self.low <= number <= self.high or (self.whole and number % 1):
            return None
        return (number - self.low) / (self.high - self.low)


class Words(Settings, tag_field="type", tag="words"):
    """Verdicts are words, each with its score in [0, 1]; upper and lower case are the same."""

    values: dict[NonEmpty, Fraction]

    def check(self) -> None:
        folded = {word.strip().casefold() for word in self.values}
        if len(folded) < len(self.values) or len(set(self.values.values())) < 2 or "" in folded:
            raise SettingsError(
                explain(
                    "The verdicts do not tell candidates apart.",
                    got=self.values,
                    expected="two or more different words with different scores",
                    remedy="For example values = { Yes = 1.0, No = 0.0 }.",
                )
            )

    @property
    def options(self) -> tuple[str, ...]:
        """Every verdict there is."""
        return tuple(self.values)

    @property
    def words(self) -> str:
        """The verdicts in words."""
        *others, last = self.values
        return f"{', '.join(others)} or {last}"

    def value(self, said: str) -> float | None:
        """The score of a word; None for any other text."""
        by_word = {word.strip().casefold(): score for word, score in self.values.items()}
        return by_word.get(said.strip().casefold())


class Rubric(Settings):
    """What a judge is told.

    Attributes:
        prompt: the request, with places for the quoted texts.
        system: said first.
        reply: reasons and then a `line` with the verdict, the verdict alone (`direct`), or a `json` object with "reasons" and the verdict.
        mark: what the verdict is called: "Score: 7".
        scale: what verdicts there are, and what each is worth.
        partial: whether it rates unfinished candidates too.
        title: one line for people.
    """

    prompt: NonEmpty
    system: str = ""
    reply: Literal["line", "direct", "json"] = "line"
    mark: Annotated[str, Meta(pattern=r"^\w+$")] = "Score"
    scale: Numbers | Words = Numbers()
    partial: bool = False
    title: str = ""

    def check(self) -> None:
        places = PLACE.findall(self.prompt)
        one, two = places.count("candidate"), (places.count("first"), places.count("second"))
        if (one, two) not in ((1, (0, 0)), (0, (1, 1))) or any(places.count(p) > 1 for p in places):
            raise SettingsError(
                explain(
                    "The rubric's prompt does not show what is judged.",
                    got=self.prompt,
                    expected="{candidate} once, or {first} and {second} once each; every other place at most once",
                    remedy="For example prompt = 'Question:\\n{question}\\n\\nAnswer:\\n{candidate}\\n\\nIs it right? {form}'.",
                )
            )

    @property
    def compares(self) -> bool:
        """Whether it compares two candidates."""
        return "{first}" in self.prompt

    @property
    def reads_reference(self) -> bool:
        """Whether it looks at the task's right answer."""
        return "{reference}" in self.prompt

    @property
    def form(self) -> str:
        """How the verdict has to be written, in words."""
        match self.reply:
            case "line":
                return f'End with a line that says only "{self.mark}: " and then {self.scale.words}.'
            case "direct":
                return f"Reply with {self.scale.words} and nothing else."
            case _:
                kind = self.scale.words
                return f'Reply with a JSON object: "reasons", a text, and then "{self.mark.casefold()}", {kind}.'

    @property
    def constraint(self) -> Constraint:
        """What every reply of this form matches."""
        options = self.scale.options
        number = r"-?[0-9]+" if isinstance(self.scale, Numbers) and self.scale.whole else r"-?[0-9]+(?:\.[0-9]{1,3})?"
        verdict = "|".join(map(re.escape, options)) if options else number
        match self.reply:
            case "direct" if options:
                return Choice(options=options)
            case "direct":
                return Regex(pattern=verdict)
            case "line":
                return Regex(pattern=rf"(?:[^\n]*\n)*{self.mark}: (?:{verdict})")
            case _:
                return JsonSchema(document=self._schema())

    def fill(self, texts: Mapping[str, str]) -> str:
        """The prompt with these texts quoted in their places."""
        prompt = self.prompt if "{form}" in self.prompt else self.prompt + "\n\n{form}"
        return PLACE.sub(lambda at: self.form if at[1] == "form" else quoted(texts[at[1]]), prompt).strip()

    def _schema(self) -> dict[str, object]:
        scale = self.scale
        kind: dict[str, object] = {"type": "string", "enum": list(scale.options)}
        if isinstance(scale, Numbers):
            kind = {"type": "integer" if scale.whole else "number", "minimum": scale.low, "maximum": scale.high}
        name = self.mark.casefold()
        return {
            "type": "object",
            "properties": {"reasons": {"type": "string"}, name: kind},
            "required": ["reasons", name],
            "additionalProperties": False,
        }


def quoted(text: str) -> str:
    """The text behind "> ", line by line, so that no line of it stands at the beginning of a line of the prompt."""
    return "\n".join(f"> {line}" for line in text.splitlines()) or "> "


@cache
def built_in_rubrics() -> dict[str, Rubric]:
    """Every built-in rubric by its name."""
    data = resources.files(__package__).joinpath("rubrics.toml").read_bytes()
    return msgspec.toml.decode(data, type=dict[str, Rubric])


def find_rubric(wanted: str | Rubric, *, compares: bool) -> Rubric:
    """The rubric of that name, or the one given. Raises `SettingsError` for one that does not exist or judges something else."""
    known = {name: one for name, one in built_in_rubrics().items() if one.compares is compares}
    found = wanted if isinstance(wanted, Rubric) else known.get(wanted)
    if found is None or found.compares is not compares:
        what = "compares two candidates" if compares else "rates one candidate"
        raise SettingsError(
            explain(
                f"There is no rubric of this name that {what}.",
                got=wanted,
                expected="one of " + ", ".join(sorted(known)) + ", or a rubric of your own",
                remedy=nearest(str(wanted), known) if isinstance(wanted, str) else "Give it the right places.",
            )
        )
    return found
