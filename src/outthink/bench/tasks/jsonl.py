"""Questions of your own: one JSON object a line with a question and its answer, or the tests that an answer has to pass.

    {"question": "What is 17 + 25?", "answer": 42}
    {"question": "Write a function `twice`.", "tests": ["assert twice(2) == 4"]}

Fields may have other names. How answers are compared is one decision for the whole file: `marking = "auto"` takes numbers where every
answer is one, programs where every row has tests, and words otherwise.
"""

from __future__ import annotations

import ast
from fractions import Fraction as Ratio
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from outthink.bench.tasks.confined import require_sandbox
from outthink.bench.tasks.fields import BadField, answer_text, exact_number, listed, own_id, text
from outthink.bench.tasks.hub import Fetched
from outthink.bench.tasks.labels import LABEL_TABLE
from outthink.bench.tasks.mathematics import BOX_STYLE, NUMBER_STYLE
from outthink.bench.tasks.rows import BadRow, Row
from outthink.bench.tasks.scorers.formulas import FIND, Formula
from outthink.bench.tasks.scorers.numbers import Number, Reading, numbers_table
from outthink.bench.tasks.scorers.programs import Program
from outthink.bench.tasks.scorers.words import Words, normalised
from outthink.bench.tasks.short_answers import STYLE as WORDS_STYLE
from outthink.bench.tasks.source import FileSource, Item, rows_of
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.settings import NonNegativeFloat, replace
from outthink.core.task import Task
from outthink.verify.extras import require
from outthink.verify.numbers import canonical, number
from outthink.verify.symbolic import tidy

Marking = Literal["auto", "number", "mathematics", "words", "program"]
STYLES: dict[Marking, str] = {
    "number": NUMBER_STYLE,
    "mathematics": BOX_STYLE,
    "words": WORDS_STYLE,
    "program": "Answer with the whole program in one block of Python.",
}


class Jsonl(FileSource, tag="jsonl"):
    """A file of your own; JSON lists, CSV, Parquet and data sets at Hugging Face are read as well.

    Attributes:
        question, answer, tests, id: names of the fields.
        marking: how answers are compared.
        absolute: how far a number may be off.
        reading: as for GSM8K: "marked", or "last" to take the last number of a text.
    """

    question: str = "question"
    answer: str = "answer"
    tests: str = "tests"
    id: str = "id"
    marking: Marking = "auto"
    absolute: NonNegativeFloat = 0.0
    reading: Reading = "marked"

    NAMED_BY_FILE: ClassVar[bool] = True

    def load(self) -> TaskSet:
        """With `marking = "auto"` the rows are looked at once before, to decide."""
        fetched = self.files()
        settled = replace(self, marking=self.decided(fetched)) if self.marking == "auto" else self
        settled.ready()
        return settled.read(fetched)

    def ready(self) -> None:
        """What the marking needs."""
        if self.marking == "program":
            require_sandbox()
        if self.marking == "mathematics":
            require("math_verify", extra="math", needed_by="answers that are mathematics")

    def decided(self, fetched: Fetched) -> Marking:
        """Programs where more rows have tests than have none; numbers where every answer is one; else words."""
        tested = answered = 0
        numbers = True
        for row, _ in rows_of(fetched.files):
            if isinstance(row, BadRow):
                continue
            if row.data.get(self.tests):
                tested += 1
            elif row.data.get(self.answer) is not None:
                answered += 1
                numbers = numbers and _is_number(row.data, self.answer)
        if tested > answered:
            return "program"
        return "number" if numbers and answered else "words"

    def style(self) -> str:
        """How an answer of the kind is to be given."""
        return STYLES[self.marking]

    def table(self) -> dict[str, Any]:
        """The recipe's `[answer]`."""
        match self.marking:
            case "number":
                return numbers_table(self.reading)
            case "mathematics":
                return {"type": "symbolic", "find": msgspec.to_builtins(FIND)}
            case "program":
                return {"type": "plain"}
            case _:
                return LABEL_TABLE

    def item(self, row: Row, folder: Path) -> Item:
        """The answer is withheld, and so are the tests."""
        prompt, own = text(row.data, self.question), own_id(row.data, self.id)
        match self.marking:
            case "number":
                gold = exact_number(row.data, self.answer)
                scorer = Number(gold, Ratio(str(self.absolute)), self.reading)
                return Item(prompt, canonical(gold), scorer, own, constant=canonical(gold))
            case "mathematics":
                formula = answer_text(row.data, self.answer)
                plain = number(formula)
                constant = tidy(formula).replace(" ", "") if plain is None else canonical(plain)
                return Item(prompt, formula, Formula(formula), own, constant=constant)
            case "program":
                return self._program(row, prompt, own)
            case _:
                golds = self._words(row.data)
                return Item(prompt, golds[0], Words(golds), own, constant=normalised(golds[0]) or golds[0])

    def _program(self, row: Row, prompt: str, own: str) -> Item:
        tests = row.data.get(self.tests)
        lines = [tests] if isinstance(tests, str) else tests
        if not isinstance(lines, list) or not lines or not all(isinstance(one, str) and one.strip() for one in lines):
            raise BadField(f"the field {self.tests!r} is no list of assertions")
        try:
            ast.parse("\n".join(lines))
        except (SyntaxError, ValueError) as error:
            raise BadField(f"the field {self.tests!r} is no Python: {error}") from None
        answer = row.data.get(self.answer)
        data = {"tests": list(lines)}
        scorer = Program(Task(prompt=prompt, data=data))
        return Item(prompt, answer if isinstance(answer, str) else "", scorer, own, data, frozenset({"tests"}))

    def _words(self, data: dict[str, Any]) -> tuple[str, ...]:
        """The accepted answers: one, or a list of them."""
        if isinstance(data.get(self.answer), list):
            return tuple(answer_text({"answer": one}, "answer") for one in listed(data, self.answer))
        return (answer_text(data, self.answer),)


def _is_number(data: dict[str, Any], name: str) -> bool:
    try:
        exact_number(data, name)
    except BadField:
        return False
    return True
