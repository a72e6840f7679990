"""Files of others: their names of fields, and rows that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outthink.core.errors import InputError
from outthink.replay import Fields, read_samples
from tests.replay.conftest import recorded, written

GOOD = {"id": "good", "answers": ["4", "5"], "right": [True, False]}


def test_bad_rows_are_reported_by_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad: list[tuple[Any, str]] = [
        ("{not json", "no JSON"),
        ('["a list"]', "Expected an object"),
        ({"id": "a", "right": [True]}, "no answers and no responses"),
        ({"id": "b", "answers": "4", "right": [True]}, "Expected a list of 'answers'"),
        ({"id": "c", "answers": ["4", "5"], "right": [True]}, "1 entries of 'right' for 2 samples"),
        ({"id": "good", "answers": ["4"], "right": [True]}, "taken by line 1"),
        ({"id": "d", "answers": ["4"]}, "neither marks nor a reference"),
        ({"id": "e", "answers": ["4"], "right": ["yes"]}, "Expected true or false"),
        ({"id": "f", "answers": ["4"], "right": [True], "scores": ["high"]}, "Expected numbers as 'scores'"),
        ({"id": "g", "answers": [], "right": []}, "no samples"),
        ({"id": "h", "answers": [["4"]], "right": [True]}, "answers as texts"),
        ({"id": 1.5, "answers": ["4"], "right": [True]}, "Expected an id"),
        ({"id": "i", "answers": ["4"], "reference": " "}, "reference is blank"),
        ({"id": "j", "responses": ["x" * 3000], "answers": ["4"], "right": [True]}, "longer than 2000 bytes"),
        (b"\xff\xfe{}".decode("latin-1"), "no JSON"),
    ]
    last = {**GOOD, "id": "last"}
    found = read_samples(written(tmp_path / "bad.jsonl", [GOOD, *[row for row, _ in bad], last]), longest_bytes=2000)
    assert found.table.questions == ("good", "last")
    assert [problem.line for problem in found.problems] == list(range(2, 2 + len(bad)))
    for problem, (_, what) in zip(found.problems, bad, strict=True):
        assert what in problem.what
        assert str(problem).startswith(f"{problem.file}:{problem.line}: ")


def test_a_line_that_is_nested_without_end_is_passed_over(tmp_path: Path) -> None:
    deep = '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    found = read_samples(written(tmp_path / "deep.jsonl", [GOOD, deep, {**GOOD, "id": "last"}]))
    assert found.table.questions == ("good", "last")
    assert [(p.line, "no JSON" in p.what) for p in found.problems] == [(2, True)]


def test_a_line_of_ten_megabytes_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "long.jsonl", [GOOD, {"id": "x", "answers": ["4" * 10_000_000], "right": [True]}])
    with path.open("a") as file:
        file.write('{"id": "last", "answers": ["4"], "right": [1]}')  # no end of line
    found = read_samples(path)
    assert found.table.questions == ("good", "last")
    assert [(p.line, "longer than" in p.what) for p in found.problems] == [(2, True)]


def test_a_file_without_any_use_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No row"):
        read_samples(written(tmp_path / "none.jsonl", [{"id": "a"}]))
    with pytest.raises(InputError, match="cannot be read"):
        read_samples(tmp_path / "missing.jsonl")


def test_fields_are_found_mapped_and_dotted(tmp_path: Path) -> None:
    rows = recorded(20, 4)
    usual = read_samples(written(tmp_path / "usual.jsonl", rows)).table
    theirs = [
        {
            "unique_id": row["id"],
            "meta": {"gold": row["reference"]},
            "completions": row["responses"],
            "votes": row["answers"],
            "graded": {"by": row["right"]},
            "prm": [[0.1, s] for s in row["scores"]],
            "spent": row["tokens"],
        }
        for row in rows
    ]
    fields = Fields(answers="votes", right="graded.by", scores="prm", tokens="spent")
    mapped = read_samples(written(tmp_path / "theirs.jsonl", theirs), fields).table
    objects = [
        {
            "id": row["id"],
            "samples": [
                {"answer": a, "is_correct": r, "judged": {"head": {"value": s}}, "cost": {"output_tokens": t}}
                for a, r, s, t in zip(row["answers"], row["right"], row["scores"], row["tokens"], strict=True)
            ],
        }
        for row in rows
    ]
    within = read_samples(written(tmp_path / "objects.jsonl", objects), Fields(scores="judged.head.value")).table
    for table in (mapped, within):
        np.testing.assert_array_equal(table.answer, usual.answer)
        np.testing.assert_array_equal(table.right, usual.right)
        np.testing.assert_array_equal(table.tokens, usual.tokens)
        np.testing.assert_array_equal(table.scores["score"], usual.scores["score"])


def test_what_is_right_follows_from_the_reference(tmp_path: Path) -> None:
    rows = recorded(20, 4)
    marked = read_samples(written(tmp_path / "a.jsonl", rows)).table
    bare = [{key: row[key] for key in ("id", "reference", "answers")} for row in rows]
    np.testing.assert_array_equal(read_samples(written(tmp_path / "b.jsonl", bare)).table.right, marked.right)


@pytest.mark.parametrize(("how", "expected"), [("last", 0.4), ("min", 0.2), ("prod", 0.04), ("mean", 11 / 30)])
def test_step_scores_become_one(how: Any, expected: float, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", [{**GOOD, "scores": [[0.5, 0.2, 0.4], []]}])
    score = read_samples(path, Fields(aggregate=how)).table.scores["score"]
    assert score[0, 0] == pytest.approx(expected)
    assert np.isnan(score[0, 1])


def test_several_verifiers_keep_their_names(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", [{**GOOD, "scores": {"head": [0.5, 0.2], "judge": [1, None]}}])
    table = read_samples(path).table
    assert sorted(table.scores) == ["head", "judge"]
    assert np.isnan(table.scores["judge"][0, 1])
