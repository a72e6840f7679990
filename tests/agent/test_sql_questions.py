"""Questions on databases whose columns have to be found out: right queries, what is told and what is not, and the split."""

from __future__ import annotations

import numpy as np

from outthink.agent import TextToSql, hidden_question
from outthink.agent.sql_questions import HELD_OUT, KINDS, Question, draw
from outthink.agent.sql_worlds import COLUMNS, Rows, World
from outthink.core import Failure
from outthink.verify.sqlite_in_worker import result


def drawn(n: int, *, unseen: bool = False) -> list[tuple[Question, Rows]]:
    rng = np.random.default_rng(1)
    return [draw(rng, unseen=unseen) for _ in range(n)]


def test_every_right_query_has_an_answer() -> None:
    some = drawn(400)
    for question, rows in some:
        found = result("", rows.script(question.world), question.query, False, 5)
        assert "error" not in found, question.query
        assert found["rows"] > 0, question.query
        assert found["head"][0] not in (["0"], ["NULL"]), question.query
    assert {question.kind for question, _ in some} == set(range(len(KINDS)))


def test_who_knows_nothing_is_right_as_often_as_names_are_guessed() -> None:
    """One query in four; who knows all is always right, and who takes another column is told its name."""
    rng, right, told = np.random.default_rng(2), [], 0
    for question, rows in drawn(500):
        script = rows.script(question.world)
        true = result("", script, question.query, False)["digest"]
        assert question.guessed(rng, 1.0) == question
        found = result("", script, question.guessed(rng, 0.0).query, False)
        right.append(found.get("digest") == true)
        told += "no such column: " in found.get("error", "")
    assert 0.2 < np.mean(right) < 0.42
    assert told > 200


def test_columns_are_not_told_and_questions_speak_of_the_usual_names() -> None:
    for question, rows in drawn(100):
        task = question.task(rows, "one")
        environment = TextToSql(task)
        told = environment.opening.removesuffix(question.words)
        names = {name for columns in COLUMNS.values() for name in columns}
        assert not [name for name in names if name in told]
        assert question.world.told in told
        unusual = {name for columns in COLUMNS.values() for name in columns[1:]} - {"total"}
        assert not [name for name in unusual if name in question.words]


def test_held_out_pairs_are_asked_of_nobody_else() -> None:
    rng = np.random.default_rng(3)
    pairs = [Question.drawn(rng, World.drawn(rng), Rows.drawn(rng)).held_out for _ in range(1500)]
    assert abs(np.mean(pairs) - 1 / HELD_OUT) < 4 * np.sqrt(0.11 / len(pairs))
    assert not any(question.held_out for question, _ in drawn(100))
    assert all(question.held_out for question, _ in drawn(30, unseen=True))
    assert hidden_question(3) == hidden_question(3)
    assert len({(hidden_question(i).prompt, hidden_question(i).data["script"]) for i in range(50)}) == 50


async def test_what_a_query_gives_is_seen_when_it_is_handed_in() -> None:
    task = hidden_question(0)
    shown, silent = TextToSql(task, shows_result=True, shown=1), TextToSql(task)
    for query, seen in (("SELECT 7 AS a", "\na\n7\n(1 rows)"), ("SELECT x", "\nError: no such column: x")):
        told = await shown.observe((f"SUBMIT {query}",))
        assert not isinstance(told, Failure)
        assert (told.text, told.done) == (f"Your query was handed in.{seen}", True)
        untold = await silent.observe((f"SUBMIT {query}",))
        assert not isinstance(untold, Failure)
        assert (untold.text, untold.done) == ("Your query was handed in.", True)
    many = await shown.observe(("RUN SELECT 1 AS a UNION SELECT 2 ORDER BY a",))
    assert not isinstance(many, Failure)
    assert many.text == "a\n1\n(2 rows, 1 not shown)"
