"""Bad rows: each is reported by file and line, the rest goes on, and the count is there."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from outthink.bench.tasks import Bamboogle, Jsonl, load_tasks
from outthink.bench.tasks.rows import LONGEST_LINE, BadRow, Row, read_rows
from outthink.core.errors import InputError, SettingsError
from outthink.core.task import Candidate


def written(path: Path, *lines: bytes | dict[str, object]) -> Path:
    path.write_bytes(b"".join((json.dumps(x).encode() if isinstance(x, dict) else x) + b"\n" for x in lines))
    return path


def test_every_kind_of_bad_row_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = written(
        tmp_path / "mine.jsonl",
        {"question": "one?", "answer": 1, "id": "a"},
        {"answer": 2},  # 2: no question
        {"question": ["two?"], "answer": 2},  # 3: wrong type
        {"question": "three?", "answer": 3, "id": "a"},  # 4: id taken
        {"question": "four?"},  # 5: no answer
        b'{"question": "' + b"x" * 10_000_000 + b'", "answer": 5}',  # 6: 10 MB
        b'{"question": "six?", "answer"',  # 7: not JSON
        b'{"question": "s\xe9ven?", "answer": 7}',  # 8: Latin-1
        b"[1, 2]",  # 9: no object
        b'{"question": "ten?", "answer": NaN}',  # 10: not JSON
        b"",
        {"question": " ", "answer": 12},  # 12: empty
        {"question": "thirteen?", "answer": "many"},  # 13: no number
        {"question": "fourteen?", "answer": 14.5},
    )
    found = Jsonl(path=str(path), marking="number").load()
    assert [q.task.id for q in found.questions] == ["mine/a", "mine/14"]
    assert [(p.file, p.line) for p in found.problems] == [
        ("mine.jsonl", n) for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13)
    ]
    words = ["no field 'question'", "is a list", "is taken", "no field 'answer'", "10,000,0", "not JSON", "byte 0xe9",
             "object", "not JSON", "is empty", "expected a number"]  # fmt: skip
    for problem, word in zip(found.problems, words, strict=True):
        assert word in problem.what
    assert str(found.problems[0]).startswith("mine.jsonl:2: ")


def test_a_long_line_is_not_held(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", b"x" * (LONGEST_LINE + 1), {"question": "ok"}, b"y" * (2 * LONGEST_LINE))
    first, second, third = read_rows(path)
    assert isinstance(first, BadRow)
    assert second == Row("a.jsonl", 2, {"question": "ok"})
    assert isinstance(third, BadRow)
    assert third.line == 3


def test_a_line_of_just_the_longest_is_read(tmp_path: Path) -> None:
    line = b'{"a": "' + b"x" * (LONGEST_LINE - 10) + b'"}'
    (row,) = read_rows(written(tmp_path / "a.jsonl", line))
    assert isinstance(row, Row)


def test_nothing_left_is_an_error_with_the_first_reasons(tmp_path: Path) -> None:
    path = written(tmp_path / "utf16.jsonl", '{"question": "a"}'.encode("utf-16"))
    with pytest.raises(InputError, match=r"utf16.jsonl:1: not UTF-8"):
        Jsonl(path=str(path), marking="words").load()
    with pytest.raises(InputError, match="does not exist"):
        Jsonl(path=str(tmp_path / "gone.jsonl")).load()
    with pytest.raises(InputError, match="need a path"):
        Jsonl().load()
    ok = written(tmp_path / "ok.jsonl", {"question": "a", "answer": "b"})
    with pytest.raises(InputError, match="1 questions before offset"):
        Jsonl(path=str(ok), offset=1).load()


def test_other_kinds_of_file(tmp_path: Path) -> None:
    row = {"question": "q?", "answer": "a"}
    packed, listed, table = tmp_path / "a.jsonl.gz", tmp_path / "a.json", tmp_path / "a.csv"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(row).encode()))
    listed.write_text(json.dumps([row, 3]))
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["question", "answer"], ["q?", "a,\nb"], ["too few"]])
    assert list(read_rows(packed)) == [Row("a.jsonl.gz", 1, row)]
    assert [type(one) for one in read_rows(listed)] == [Row, BadRow]
    first, second = read_rows(table)
    assert isinstance(first, Row)
    assert first.data["answer"] == "a,\nb"
    assert isinstance(second, BadRow)
    packed.write_bytes(packed.read_bytes()[:30])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(packed))
    with pytest.raises(InputError, match="not known"):
        list(read_rows(tmp_path / "a.xlsx"))


def test_fields_may_have_other_names_and_the_marking_is_decided_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"q": "1+1?", "gold": "2"}, {"q": "sea?", "gold": ["Black Sea", "the Pontus"]})
    found = Jsonl(path=str(path), question="q", answer="gold").load()
    assert found.questions[1].right(Candidate(content="Answer: Pontus"))
    assert "few words" in found.prompt_style
    numbers = written(tmp_path / "b.jsonl", {"q": "1+1?", "gold": "2"}, {"q": "half?", "gold": 0.5})
    found = Jsonl(path=str(numbers), question="q", answer="gold").load()
    assert found.questions[1].right(Candidate(content="#### 1/2"))
    assert found.answer["type"] == "numeric"


@pytest.mark.needs("sandbox")
def test_answers_and_tests_are_withheld(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.jsonl", {"question": "twice", "tests": ["assert twice(1) == 2"], "answer": "def twice..."}
    )
    (question,) = Jsonl(path=str(path)).load().questions
    assert question.task.reference
    assert question.task.data["tests"]
    assert question.asked.reference is None
    assert "tests" not in question.asked.data


def test_parts_of_a_set_and_its_best_constant(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": n % 3 == 0} for n in range(12)]
    path = written(tmp_path / "a.jsonl", *rows)
    found = Jsonl(path=str(path), offset=1, limit=4).load()
    assert [q.task.id for q in found.questions] == ["a/2", "a/3", "a/4", "a/5"]
    assert found.best_constant() == ("false", 0.75)
    one, again, other = (Jsonl(path=str(path), shuffle=seed, limit=6).load() for seed in (1, 1, 2))
    assert [q.task.id for q in one.questions] == [q.task.id for q in again.questions]
    assert [q.task.id for q in one.questions] != [q.task.id for q in other.questions]
    assert found.styled()[0].task.prompt.startswith("1?\n\nEnd with")
    assert found.origin["path"] == "a.jsonl"


def test_sets_need_names_of_their_own(tmp_path: Path) -> None:
    path = str(written(tmp_path / "a.csv", b"Question,Answer", b"who?,me"))
    with pytest.raises(SettingsError, match="Two sets"):
        load_tasks([Bamboogle(path=path), {"type": "bamboogle", "path": path}])
    with pytest.raises(SettingsError, match="no such kind"):
        load_tasks(["bambogle"])
    with pytest.raises(SettingsError, match="cannot be set"):
        load_tasks([{"type": "gsm8k", "pathh": "x"}])
    assert [one.name for one in load_tasks([Bamboogle(path=path), Bamboogle(path=path, called="b")])] == [
        "bamboogle",
        "b",
    ]
