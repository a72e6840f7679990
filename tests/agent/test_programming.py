"""Programs with unit tests: the reward is all hidden tests, feedback is the shown ones, and everything runs in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.agent import Agent, AgentProcess, EnvironmentReward, Programming, Reward
from outthink.core import Failure, Incompatible, InputError, Search, Session, Task
from outthink.search import Refine
from outthink.verify.sandbox import Limits
from tests.agent.players import playing

pytestmark = pytest.mark.needs("sandbox")

TASK = Task(
    prompt="Write add(a, b).",
    data={
        "shown": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"],
        "tests": ["assert add(-1, 1) == 0", "assert add(20, 22) == 42", "assert add(1, 2) == 3"],
    },
)
LIMITS = Limits(seconds=5, wall_seconds=60)
RIGHT = "def add(a, b):\n    return a + b"
OVERFITTED = "def add(a, b):\n    return {(1, 2): 3, (2, 2): 4}.get((a, b))"


async def test_the_reward_is_every_hidden_test() -> None:
    environment = Programming(TASK, limits=LIMITS)
    for action, value, passed in (
        (f"SUBMIT\n{RIGHT}", 1.0, 1.0),
        (f"SUBMIT\n```python\n{RIGHT}\n```", 1.0, 1.0),
        (f"SUBMIT {OVERFITTED}", 0.0, 1 / 3),
        ("SUBMIT no program", 0.0, 0.0),
        (f"TEST {RIGHT}", 0.0, 0.0),
    ):
        reward = await environment.reward((action,))
        assert isinstance(reward, Reward)
        assert (reward.value, reward.parts["passed"]) == (value, pytest.approx(passed)), action


async def test_feedback_is_of_the_shown_tests_alone() -> None:
    environment = Programming(TASK, limits=LIMITS)
    assert "assert add(1, 2) == 3" in environment.opening
    assert "42" not in environment.opening

    async def seen(action: str) -> str:
        observation = await environment.observe((action,))
        assert not isinstance(observation, Failure)
        assert "42" not in observation.text
        return observation.text

    assert await seen(f"TEST {OVERFITTED}") == "All tests passed."
    assert "1 of 2 tests passed" in await seen("TEST def add(a, b):\n    return 3")
    assert "no action" in await seen("hello")
    bare = Programming(Task(prompt="?", data={"tests": ["assert f() == 1"]}), limits=LIMITS)
    observation = await bare.observe(("TEST x",))
    assert not isinstance(observation, Failure)
    assert observation.text == "There are no tests to be seen."


async def test_a_search_mends_a_program() -> None:
    engine = playing(f"SUBMIT {OVERFITTED}", then={"An earlier attempt": f"SUBMIT {RIGHT}"})
    environment = Programming(TASK, limits=LIMITS)
    process = AgentProcess(engine, environment, Agent(turns=2, max_tokens=100))
    session = Session.open()
    method = Refine(n=1, rounds=1, base="best", threshold=1.0)
    result = await Search(lambda task: process, method, EnvironmentReward(environment)).solve(TASK, session)
    session.close()
    assert result.scores == (0.0, 1.0)
    assert "return a + b" in str(result.answer)


@pytest.mark.parametrize("data", [{}, {"tests": []}], ids=["none", "an empty list"])
async def test_tasks_without_tests_can_be_worked_on_and_not_rewarded(data: dict[str, Any]) -> None:
    task = Task(prompt="?", data=data)
    environment = Programming(task)
    assert not environment.rewarded
    with pytest.raises(InputError, match="lacks what an episode is rewarded by"):
        EnvironmentReward(environment).most(task)
    with pytest.raises(Incompatible, match="no tests"):
        await environment.reward(("SUBMIT x",))


def test_tests_that_are_no_list_are_refused() -> None:
    with pytest.raises(InputError, match="tests"):
        Programming(Task(prompt="?", data={"tests": "assert True"}))
