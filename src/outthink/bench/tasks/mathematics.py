"""Readers of mathematics: GSM8K, GSM-Hard, MAWPS, AIME, MATH-500.

    Gsm8k(path="gsm8k_test.jsonl").load()

Sources: Cobbe et al. 2021 (GSM8K, `question` and `answer` with "#### N"); Gao et al. 2022 (GSM-Hard, `input` and `target`; right within
0.001, as its authors compare); Koncel-Kedziorski et al. 2016 (MAWPS, `input` and `target`); Hendrycks et al. 2021 and Lightman et al. 2023
(MATH-500).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from outthink.bench.tasks.fields import BadField, answer_text, exact_number, own_id, text
from outthink.bench.tasks.rows import Row
from outthink.bench.tasks.scorers.formulas import FIND, Formula
from outthink.bench.tasks.scorers.numbers import Number, Reading, numbers_table
from outthink.bench.tasks.source import FileSource, Item
from outthink.verify.extras import require
from outthink.verify.numbers import canonical, number
from outthink.verify.symbolic import tidy

NUMBER_STYLE = 'End with a line of the form "#### N", where N is the answer as a number.'
BOX_STYLE = "Give the final answer as \\boxed{...}."
ROUNDED = Fraction(1, 1000)
_BOX_PREFIX = "Return your final response within \\boxed{}."


class _NumberSource(FileSource):
    """Word problems whose answer is a number.

    Attributes:
        reading: "marked" takes the answer that is marked, or a last line that is a number; "last" also the last number of the text.
    """

    reading: Reading = "marked"

    STYLE: ClassVar[str] = NUMBER_STYLE

    def table(self) -> dict[str, Any]:
        """Numbers, read as they are marked."""
        return numbers_table(self.reading)

    def _item(self, row: Row, prompt: str, gold: Fraction, absolute: Fraction = Fraction(0)) -> Item:
        answer = canonical(gold)
        own = own_id(row.data, "id")
        return Item(prompt, answer, Number(gold, absolute, self.reading), own, constant=answer)


class Gsm8k(_NumberSource, tag="gsm8k"):
    """GSM8K: `question`, and `answer` that ends in "#### N"."""

    HOME: ClassVar[tuple[str, str, str]] = ("openai/gsm8k", "main", "test")

    def item(self, row: Row, folder: Path) -> Item:
        """The number behind the last "####" is the answer."""
        prompt, worked = text(row.data, "question"), text(row.data, "answer")
        if "####" not in worked:
            raise BadField("the field 'answer' has no '#### N', which ends an answer of GSM8K")
        gold = number(worked.rpartition("####")[2].strip(), percent_is_fraction=False)
        if gold is None:
            raise BadField(f"the answer {worked.rpartition('####')[2].strip()[:60]!r} is no number")
        return self._item(row, prompt, gold)


class GsmHard(_NumberSource, tag="gsm-hard"):
    """GSM-Hard: `input`, and `target` as a number; right within 0.001."""

    HOME: ClassVar[tuple[str, str, str]] = ("reasoning-machines/gsm-hard", "default", "train")

    def item(self, row: Row, folder: Path) -> Item:
        """The program in `code` is not shown."""
        return self._item(row, text(row.data, "input"), exact_number(row.data, "target"), ROUNDED)


class Mawps(_NumberSource, tag="mawps"):
    """MAWPS and files like it: `input` and `target`, or `question` and `answer`; right within 0.001, for targets are rounded."""

    NAMED_BY_FILE: ClassVar[bool] = True

    def item(self, row: Row, folder: Path) -> Item:
        """Targets such as 0.6666666667 stand for 2/3."""
        prompt = text(row.data, "input", "question", "sQuestion")
        return self._item(row, prompt, exact_number(row.data, "target", "answer"), ROUNDED)


class Aime(_NumberSource, tag="aime"):
    """AIME: `problem`, and `answer` from 000 to 999."""

    HOME: ClassVar[tuple[str, str, str]] = ("HuggingFaceH4/aime_2024", "default", "train")
    STYLE: ClassVar[str] = BOX_STYLE

    def item(self, row: Row, folder: Path) -> Item:
        """Leading zeros do not matter."""
        gold = exact_number(row.data, "answer", "Answer")
        if gold.denominator != 1 or not 0 <= gold <= 999:
            raise BadField(f"the answer {canonical(gold)} is none of AIME, which are whole, from 0 to 999")
        item = self._item(row, text(row.data, "problem", "question", "Problem"), gold)
        return item if item.id else replace(item, id=own_id(row.data, "ID", "url"))


class Math500(FileSource, tag="math-500"):
    """MATH-500 and files like it: `problem`, and `answer` in LaTeX; compared by meaning with math-verify."""

    HOME: ClassVar[tuple[str, str, str]] = ("HuggingFaceH4/MATH-500", "default", "test")
    STYLE: ClassVar[str] = BOX_STYLE

    def ready(self) -> None:
        """The library that compares has to be there."""
        require("math_verify", extra="math", needed_by="the tasks 'math-500'")

    def item(self, row: Row, folder: Path) -> Item:
        """The worked solution is not shown; an instruction that some copies put before each problem is taken away."""
        prompt = text(row.data, "problem", "question").removeprefix(_BOX_PREFIX).lstrip()
        gold = answer_text(row.data, "answer")
        plain = number(gold)
        constant = tidy(gold).replace(" ", "") if plain is None else canonical(plain)
        own = own_id(row.data, "unique_id", "id").removesuffix(".json")
        about = {name: row.data[name] for name in ("subject", "level") if isinstance(row.data.get(name), str | int)}
        return Item(prompt, gold, Formula(gold), own, about, constant=constant)

    def table(self) -> dict[str, Any]:
        """Formulas with one meaning are one answer."""
        return {"type": "symbolic", "find": msgspec.to_builtins(FIND)}
