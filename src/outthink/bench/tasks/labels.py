"""Readers of questions whose answer is one of a few: multiple choice, ProntoQA (true or false), FEVER (three labels).

Sources: Saparov and He 2023 (ProntoQA: `context`, `question`, `options`, `answer`, or the generator's own file with `test_example`);
Thorne et al. 2018 (FEVER: `claim`, `label`); the columns of MMLU, ARC and CommonsenseQA for multiple choice.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any, ClassVar

from outthink.bench.tasks.fields import BadField, answer_text, listed, own_id, present, text
from outthink.bench.tasks.rows import Row
from outthink.bench.tasks.scorers.choices import Choice, Label, bare
from outthink.bench.tasks.source import FileSource, Item

LETTERS = string.ascii_uppercase
TRUTH = {"true": "True", "false": "False"}
VERDICTS = {
    "supports": "SUPPORTS",
    "supported": "SUPPORTS",
    "support": "SUPPORTS",
    "refutes": "REFUTES",
    "refuted": "REFUTES",
    "refute": "REFUTES",
    "not enough info": "NOT ENOUGH INFO",
    "not enough information": "NOT ENOUGH INFO",
    "nei": "NOT ENOUGH INFO",
}
_LETTERED = re.compile(r"^\s*\(?([A-Za-z0-9])[).:]\s+(.*)$", re.DOTALL)


class MultipleChoice(FileSource, tag="multiple-choice"):
    """Questions with options; the answer is a letter, a place counted from 0, or the words of an option.

    Attributes:
        question, choices, answer: names of the fields. `choices` holds a list of texts, or `text` and `label` lists as ARC has them; "" for
            options that stand in fields A, B, C, ... of their own.
    """

    question: str = "question"
    choices: str = "choices"
    answer: str = "answer"

    STYLE: ClassVar[str] = 'End with a line of the form "Answer: X", where X is the letter of your choice.'
    NAMED_BY_FILE: ClassVar[bool] = True

    def item(self, row: Row, folder: Path) -> Item:
        """The options follow the question, each with its letter."""
        labels, options = self._options(row.data)
        letters = LETTERS[: len(options)]
        gold = self._gold(row.data, labels, options)
        lines = "\n".join(f"({letter}) {option}" for letter, option in zip(letters, options, strict=True))
        by_letter = dict(zip(letters, options, strict=True))
        prompt = f"{text(row.data, self.question).rstrip()}\n\n{lines}"
        return Item(prompt, gold, Choice(gold, by_letter), own_id(row.data, "id"), constant=gold)

    def table(self) -> dict[str, Any]:
        """Letters are the answers."""
        return {"type": "plain", "choices": LETTERS, "find": {"type": "usual", "otherwise": "line"}}

    def _options(self, data: dict[str, Any]) -> tuple[list[str], list[str]]:
        """The file's own labels, and the words, in order."""
        if not self.choices:
            labels = [letter for letter in LETTERS if letter in data]
            found: Any = [data[label] for label in labels]
        else:
            held = present(data, self.choices)
            found = listed(held, "text") if isinstance(held, dict) else listed(data, self.choices)
            labels = [str(one) for one in held.get("label", ())] if isinstance(held, dict) else []
        words = [str(one).strip() for one in found if isinstance(one, str | int | float)]
        if len(words) != len(found) or not all(words):
            raise BadField("an option is empty or no text")
        if len(words) < 2 or len(words) > len(LETTERS):
            raise BadField(f"{len(words)} options, expected 2 to {len(LETTERS)}")
        if len({bare(word) for word in words}) != len(words):
            raise BadField("two options are the same")
        return (labels if len(labels) == len(words) else list(LETTERS[: len(words)])), words

    def _gold(self, data: dict[str, Any], labels: list[str], options: list[str]) -> str:
        name = self.answer if self.answer in data else "answerKey"
        value = present(data, name)
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value < len(options):
                raise BadField(f"the answer {value} is no place among {len(options)} options, counted from 0")
            return LETTERS[value]
        said = answer_text(data, name).strip()
        if said in labels:
            return LETTERS[labels.index(said)]
        same = [place for place, option in enumerate(options) if option == said]
        if len(same) == 1:
            return LETTERS[same[0]]
        raise BadField(f"the answer {said[:60]!r} is none of the options {', '.join(labels)}")


class Prontoqa(FileSource, tag="prontoqa"):
    """ProntoQA: is a statement true or false, given the context."""

    HOME: ClassVar[tuple[str, str, str]] = ("renma/ProntoQA", "default", "validation")
    STYLE: ClassVar[str] = 'End with a line of the form "Answer: True" or "Answer: False".'

    def item(self, row: Row, folder: Path) -> Item:
        """Both spellings of the data set: with options, and as its generator writes it."""
        data = row.data
        if isinstance(data.get("test_example"), dict):
            inner = data["test_example"]
            # The generator asks "Prove: ...", and some answers are false.
            query = re.sub(r"^(?:Prove|True or false):\s*", "", text(inner, "query"))
            context, asked, gold = text(inner, "question"), query, answer_text(inner, "answer")
        else:
            context, asked = text(data, "context"), text(data, "question")
            gold = self._by_letter(answer_text(data, "answer"), data)
        label = TRUTH.get(gold.strip().casefold())
        if label is None:
            raise BadField(f"the answer {gold[:60]!r} is neither True nor False")
        prompt = f"{context.strip()}\n\n{_as_question(asked.strip())}"
        return Item(prompt, label, Label(label, TRUTH), own_id(data, "id"), constant=label)

    def table(self) -> dict[str, Any]:
        """Words are the answers."""
        return LABEL_TABLE

    def _by_letter(self, answer: str, data: dict[str, Any]) -> str:
        for option in data.get("options") or []:
            found = _LETTERED.match(option) if isinstance(option, str) else None
            if found is not None and found[1].upper() == answer.strip().upper():
                return found[2]
        return answer


class Fever(FileSource, tag="fever"):
    """FEVER: does the evidence known to the model support or refute a claim, or is it not enough."""

    HOME: ClassVar[tuple[str, str, str]] = ("fever/fever", "v1.0", "labelled_dev")
    STYLE: ClassVar[str] = 'End with a line of the form "Answer: X", where X is SUPPORTS, REFUTES or NOT ENOUGH INFO.'

    def item(self, row: Row, folder: Path) -> Item:
        """The claim; its evidence is not shown."""
        claim, said = text(row.data, "claim"), answer_text(row.data, "label")
        label = VERDICTS.get(said.strip().casefold())
        if label is None:
            raise BadField(f"the label {said[:60]!r} is none of SUPPORTS, REFUTES and NOT ENOUGH INFO")
        prompt = (
            f"Claim: {claim.strip()}\n\nIs this claim supported, refuted, or is there not enough information to say?"
        )
        return Item(prompt, label, Label(label, VERDICTS), own_id(row.data, "id"), constant=label)

    def table(self) -> dict[str, Any]:
        """Words are the answers."""
        return LABEL_TABLE

    def same(self, first: Item, again: Item) -> bool:
        """At Hugging Face every sentence of evidence has a row of its own, with the claim's id."""
        return (first.prompt, first.reference) == (again.prompt, again.reference)


LABEL_TABLE: dict[str, Any] = {"type": "plain", "find": {"type": "usual", "otherwise": "line"}}


def _as_question(asked: str) -> str:
    return asked if asked.endswith("?") else f"Is the following statement true or false? {asked}"
