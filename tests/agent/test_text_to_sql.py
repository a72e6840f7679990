"""Text to SQL: every generated right query has an answer and earns 1, others earn 0, and feedback is what SQLite says."""

from __future__ import annotations

import sqlite3

import pytest

from outthink.agent import SCHEMAS, Agent, AgentProcess, EnvironmentReward, Reward, TextToSql, question_on
from outthink.core import Failure, InputError, Search, Session, Task
from outthink.search import Refine
from tests.agent.players import playing


def rows(task: Task, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(task.data["script"])
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def earned(environment: TextToSql, *actions: str) -> Reward:
    reward = await environment.reward(actions)
    assert not isinstance(reward, Failure)
    return reward


@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_generated_questions_have_answers_and_are_of_many_kinds(schema: str) -> None:
    tasks = [question_on(schema, seed) for seed in range(60)]
    kinds = set()
    for task in tasks:
        found = rows(task, task.reference or "")
        assert found, task.id
        assert any(value is not None for row in found for value in row)
        kinds.add((task.reference or "").split(" FROM ")[0])
    assert len(kinds) == 5
    assert len({task.data["script"] for task in tasks}) == 60
    queries = " ".join(task.reference or "" for task in tasks)
    assert "JOIN" in queries
    assert "GROUP BY" in queries
    assert question_on(schema, 3) == question_on(schema, 3)


async def test_the_reward_is_execution_accuracy() -> None:
    task = Task(
        prompt="Names, by age?",
        reference="SELECT name FROM p ORDER BY age",
        data={
            "tables": "CREATE TABLE p (name TEXT, age INTEGER);",
            "script": "CREATE TABLE p (name TEXT, age INTEGER); INSERT INTO p VALUES ('b', 1), ('a', 2), ('a', 3);",
            "ordered": True,
        },
    )
    environment = TextToSql(task)
    for action, value in (
        ("SUBMIT SELECT name FROM p ORDER BY age", 1.0),
        ("```sql\nSUBMIT: select p.name from p order by 0 + age;\n```", 1.0),
        ("SUBMIT SELECT name FROM p ORDER BY age DESC", 0.0),
        ("SUBMIT SELECT DISTINCT name FROM p ORDER BY age", 0.0),
        ("SUBMIT SELECT nothing FROM p", 0.0),
        ("SUBMIT DROP TABLE p", 0.0),
        ("RUN SELECT name FROM p ORDER BY age", 0.0),
        ("the answer is 42", 0.0),
    ):
        assert (await earned(environment, action)).value == value, action
    assert (await earned(environment)).parts == {"submitted": 0.0, "runs": 0.0, "right": 0.0}
    assert (await earned(environment, "SUBMIT SELECT 1")).parts == {"submitted": 1.0, "runs": 1.0, "right": 0.0}
    # As multisets where no order is asked for: duplicates count, order does not.
    loose = TextToSql(Task(prompt="?", reference=task.reference, data={**task.data, "ordered": False}))
    assert (await earned(loose, "SUBMIT SELECT name FROM p ORDER BY age DESC")).value == 1.0
    assert (await earned(loose, "SUBMIT SELECT DISTINCT name FROM p")).value == 0.0


async def test_what_an_agent_sees() -> None:
    environment = TextToSql(question_on("sales", 1), seconds=0.3)
    assert "CREATE TABLE orders" in environment.opening
    assert "INSERT" not in environment.opening

    async def seen(action: str) -> str:
        observation = await environment.observe((action,))
        assert not isinstance(observation, Failure)
        return observation.text

    assert await seen("RUN SELECT id, name FROM products WHERE id < 3") == "id | name\n1 | lamp\n2 | chair\n(2 rows)"
    assert "1 not shown" in await seen("RUN SELECT id FROM products")
    assert await seen("RUN SELECT id FROM nowhere") == "Error: no such table: nowhere"
    assert "not authorized" in await seen("RUN DELETE FROM products")
    assert "no action" in await seen("SELECT 1")
    endless = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT COUNT(*) FROM t"
    assert "stopped" in await seen(f"RUN {endless}")
    assert (await earned(environment, f"SUBMIT {endless}")).value == 0.0


async def test_a_search_uses_what_queries_said() -> None:
    """The whole of it: a wrong query is submitted first, and the revision, which sees it, is right."""
    task = question_on("library", 5)
    engine = playing("SUBMIT SELECT 1", then={"An earlier attempt": f"SUBMIT {task.reference}"})
    environment = TextToSql(task)
    process = AgentProcess(engine, environment, Agent(turns=3, max_tokens=400))
    session = Session.open()
    method = Refine(n=2, rounds=2, base="best", threshold=1.0)
    result = await Search(lambda task: process, method, EnvironmentReward(environment)).solve(task, session)
    session.close()
    assert (result.answer, result.scores[result.chosen or 0]) == (task.reference, 1.0)
    assert result.by_role["refine"].calls == 2


def test_what_is_no_question_on_a_database_is_refused() -> None:
    with pytest.raises(InputError, match="lacks tables, script, ordered"):
        TextToSql(Task(prompt="?", reference="SELECT 1"))
    with pytest.raises(InputError, match="no schema 'libary'"):
        question_on("libary", 0)
