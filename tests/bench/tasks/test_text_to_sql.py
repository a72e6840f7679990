"""Text to SQL: results are compared, as multisets, and in order where the right query orders; nothing can be written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from outthink.bench.tasks import TextToSql
from outthink.bench.tasks.scorers import QueryResult
from outthink.bench.tasks.scorers.queries import is_ordered, query_in
from outthink.core.errors import VerifierError
from outthink.core.task import Candidate

SCRIPT = """
CREATE TABLE pets (name TEXT, kind TEXT, age REAL);
INSERT INTO pets VALUES ('Ann', 'cat', 3), ('Bo', 'dog', 1.5), ('Cy', 'cat', 3), ('Dee', NULL, NULL);
"""


def right(gold: str, said: str, script: str = SCRIPT, seconds: float = 5.0) -> bool:
    return QueryResult(gold, script=script, seconds=seconds)(Candidate(content=f"```sql\n{said}\n```"))


@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        (
            "SELECT name FROM pets WHERE kind = 'cat'",
            "select p.name from pets p where p.kind = 'cat' order by name desc;",
            True,
        ),
        ("SELECT name FROM pets ORDER BY name", "SELECT name FROM pets ORDER BY name DESC", False),
        ("SELECT name FROM pets ORDER BY name", "SELECT name FROM pets ORDER BY 1", True),
        # A comparison of sets would take these for equal.
        ("SELECT kind FROM pets", "SELECT DISTINCT kind FROM pets", False),
        ("SELECT count(*) FROM pets", "SELECT 4", True),
        ("SELECT count(*) FROM pets", "SELECT 4.0", True),
        ("SELECT count(*) FROM pets", "SELECT '4'", False),
        ("SELECT sum(age) FROM pets", "SELECT 7.5000000000001", True),
        ("SELECT sum(age) FROM pets", "SELECT 7.6", False),
        ("SELECT kind FROM pets WHERE name = 'Dee'", "SELECT NULL", True),
        ("SELECT kind FROM pets WHERE name = 'Dee'", "SELECT ''", False),
        ("SELECT name, age FROM pets", "SELECT name FROM pets", False),
        ("SELECT name FROM pets WHERE age > 9", "SELECT name, age FROM pets WHERE age > 9", False),
        ("SELECT name FROM pets", "SELECT nom FROM pets", False),
        ("SELECT name FROM pets", "DELETE FROM pets", False),
        ("SELECT name FROM pets", "SELECT name FROM pets; DROP TABLE pets", False),
        ("SELECT name FROM pets", "PRAGMA table_info(pets)", False),
        ("SELECT name FROM pets", "ATTACH DATABASE 'other' AS other", False),
        # What would fill the memory is wrong, and breaks nothing.
        ("SELECT name FROM pets", "SELECT zeroblob(500000000)", False),
        (
            "SELECT name FROM pets",
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT zeroblob(9000000) FROM c",
            False,
        ),
    ],
)
def test_results_are_compared(gold: str, said: str, expected: bool) -> None:
    assert right(gold, said) is expected


def test_a_query_that_takes_for_ever_is_wrong_and_a_right_one_that_does_is_an_error() -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    assert not right("SELECT 1", endless, seconds=0.2)
    with pytest.raises(VerifierError, match="WorkerTimeout"):
        right(endless, "SELECT 1", seconds=0.2)


def test_only_an_outer_order_counts() -> None:
    assert is_ordered("SELECT a FROM t ORDER   BY a")
    assert is_ordered("select a from t /* ( */ order by a")
    assert not is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT 3)")
    assert not is_ordered("SELECT 'ORDER BY a' FROM t -- ORDER BY a")
    assert not is_ordered('SELECT rank() OVER (ORDER BY a) AS "order by" FROM t')


def test_where_the_query_stands() -> None:
    assert query_in("First\n```sql\nSELECT 1;\n```\nthen\n```\nSELECT 2\n```") == "SELECT 2"
    assert query_in("Answer: SELECT 3;") == "SELECT 3"
    assert query_in("I would write\nWITH a AS (SELECT 1)\nSELECT * FROM a") == "WITH a AS (SELECT 1)\nSELECT * FROM a"
    assert query_in("I cannot say.") is None


def test_a_file_of_questions_about_databases(tmp_path: Path) -> None:
    (tmp_path / "databases" / "zoo").mkdir(parents=True)
    place = tmp_path / "databases" / "zoo" / "zoo.sqlite"
    made = sqlite3.connect(place)
    made.executescript(SCRIPT)
    made.close()
    before = place.read_bytes()
    rows = [
        {
            "question": "How many?",
            "query": "SELECT count(*) FROM pets;",
            "db_id": "zoo",
            "evidence": "Pets are animals.",
        },
        {"question": "How many?", "SQL": "SELECT count(*) FROM pets", "schema": SCRIPT},
        {"question": "How many?", "query": "SELECT count(*) FROM animals", "db_id": "zoo"},
        {"question": "How many?", "query": "SELECT 1", "db_id": "farm"},
        {"question": "How many?", "query": "SELECT 1", "db_id": "../zoo"},
        {"question": "How many?", "query": "SELECT 1"},
    ]
    path = tmp_path / "spider.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = TextToSql(path=str(path), databases="databases").load()
    assert [p.line for p in found.problems] == [3, 4, 5, 6]
    assert "no such table" in found.problems[0].what
    for question in found.questions:
        assert "CREATE TABLE pets" in question.task.question
        assert "INSERT" not in question.task.question
        assert question.asked.reference is None
        assert question.right(Candidate(content="```sql\nSELECT 2 + 2\n```"))
        assert not question.right(Candidate(content="```sql\nDELETE FROM pets\n```"))
    assert "Pets are animals." in found.questions[0].task.question
    assert place.read_bytes() == before
