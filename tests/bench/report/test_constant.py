"""The constant answer beside every table: never from references that no constant can equal, and never a guess."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from outthink.bench.grid.folder import QuestionRow, RunRecord, SetRow
from outthink.bench.report import StoredBench, markdown, study_of
from outthink.bench.statistics import UNKNOWN, Constant

REFERENCES = {
    "sums": ["5", "5.0", "7", "8"],
    # Every problem has the same target, and no answer to one is an answer to another.
    "countdown": ["24"] * 6,
    "words": ["7", "7", "9"],
}
SETS = {
    "sums": SetRow(name="sums", questions=4, constant="5", constant_share=0.5),
    "countdown": SetRow(name="countdown", questions=6, constant=None, constant_share=0.0),
    "words": SetRow(name="words", questions=3, constant="7", constant_share=2 / 3),
}


def stored(*names: str, known: bool = True) -> StoredBench:
    rows = [
        QuestionRow(id=f"{name}/{i}", set=name, prompt="?", reference=reference)
        for name in names
        for i, reference in enumerate(REFERENCES[name])
    ]
    record = RunRecord(name="run", digest="d", started="", updated="", sets=tuple(SETS[name] for name in names))
    return StoredBench(Path("run"), (), {row.id: row for row in rows}, record=record if known else None)


def constants(*names: str, known: bool = True) -> dict[str, Constant]:
    return {one.name: one.constant for one in study_of(stored(*names, known=known)).sets}


def test_references_that_no_constant_can_equal_do_not_count() -> None:
    found = constants("sums", "countdown")
    assert found["countdown"] == Constant(None, 0.0)
    # Equal by value, so 2 of 10, which their texts alone would not show.
    assert (found["all"].answer, found["all"].share) == ("5", pytest.approx(0.2))


def test_over_all_sets_equal_answers_of_several_count_together() -> None:
    found = constants("sums", "countdown", "words")
    assert (found["all"].answer, found["all"].share) == ("7", pytest.approx(3 / 13))
    assert found["words"] == Constant("7", 2 / 3)


def test_without_a_record_of_the_tasks_nothing_is_claimed() -> None:
    found = constants("sums", "countdown", known=False)
    assert all(one.answer is None and math.isnan(one.share) for one in (UNKNOWN, *found.values()))
    text = markdown(study_of(stored("countdown", known=False)))
    assert "is not known: the folder has no record of its tasks" in text
    assert "24" not in text
