"""Tasks that are made: the same for a seed, marked by the library's own scorer in a sandbox, or by the laboratory's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from outthink.bench.tasks import CountdownTasks, LaboratoryTasks, ReasoningGym
from outthink.bench.tasks.scorers.generated import given
from outthink.core.errors import InputError
from outthink.core.task import Candidate

needs_gym = pytest.mark.needs("reasoning-gym")
needs_box = pytest.mark.needs("sandbox")


def says(text: str) -> Candidate:
    return Candidate(content=text)


@needs_gym
@needs_box
def test_any_task_of_reasoning_gym() -> None:
    first, again, other = (ReasoningGym(task="leg_counting", limit=3, seed=seed).load() for seed in (1, 1, 2))
    assert [q.task.prompt for q in first.questions] == [q.task.prompt for q in again.questions]
    assert [q.task.prompt for q in first.questions] != [q.task.prompt for q in other.questions]
    question = first.questions[2]
    assert question.task.id == "leg_counting/3"
    gold = question.task.reference
    assert question.right(says(f"So it is <answer>{gold}</answer>"))
    assert question.right(says(f"The answer is {gold}"))
    # The library gives part of the credit for these.
    assert not question.right(says(f"It is {gold}, I think."))
    assert question.right.credit(says(f"It is {gold}, I think.")) > 0  # type: ignore[attr-defined]
    assert not question.right(says(f"<answer>{gold}0</answer>"))
    assert first.origin["reasoning-gym"]


@needs_gym
@needs_box
def test_a_question_that_comes_again_is_left_out_and_reported() -> None:
    small = {"min_value": 2, "max_value": 6}
    found = ReasoningGym(task="gcd", limit=12, settings=small).load()
    prompts = [q.task.prompt for q in found.questions]
    assert len(set(prompts)) == len(prompts) == 12
    assert found.problems
    assert all("the same question as" in problem.what for problem in found.problems)
    last = int(found.questions[-1].task.id.split("/")[1])
    assert last == 12 + len(found.problems), "drawn until there are enough, and no further"
    assert found.questions[-1].right(says(f"Answer: {found.questions[-1].task.reference}"))
    few = ReasoningGym(task="gcd", limit=40, settings={"min_value": 2, "max_value": 3}).load()
    assert len(few.questions) < 40
    assert len({q.task.prompt for q in few.questions}) == len(few.questions)


@needs_gym
@needs_box
def test_an_answer_that_would_run_as_code_can_do_nothing(tmp_path: Path) -> None:
    (question,) = ReasoningGym(task="n_queens", limit=1).load().questions
    mark = tmp_path / "mark"
    escape = f"__import__('os').system('touch {mark}')"
    assert not question.right(says(f"<answer>{escape}</answer>"))
    assert not mark.exists()
    assert question.right(says(f"<answer>{question.task.reference}</answer>"))


@needs_gym
def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match="no_such_task"):
        ReasoningGym(task="no_such_task").load()
    with pytest.raises(InputError, match="legs"):
        ReasoningGym(task="leg_counting", settings={"legs": 3}).load()


def test_where_an_answer_stands() -> None:
    assert given("<answer>1\n2</answer> or <answer> 3\n4 </answer>") == "3\n4"
    assert given("Answer: 5") == "5"
    assert given("just this") == "just this"
    assert given("<answer>cut off") == "<answer>cut off"


def test_countdown_in_words() -> None:
    found = CountdownTasks(numbers=3, limit=5, seed=3).load()
    assert len({q.task.prompt for q in found.questions}) == 5
    assert found.questions[0].task.id == "countdown/1"
    assert not found.questions[0].right(says(f"Answer: {found.questions[0].task.reference}"))
    assert found.best_constant().answer is None


def test_problems_of_the_laboratory() -> None:
    found = LaboratoryTasks(kind="chains", size=2, limit=4, offset=1).load()
    assert found.name == "chains-2"
    question = found.questions[0]
    assert question.task.id == "chains-2/chains-2"
    assert question.right(says(f"{question.task.question}={question.task.reference}"))
    assert not question.right(says(str(question.task.reference)))
    assert {q.task.id.split("/")[1].rpartition("-")[0] for q in LaboratoryTasks(limit=3).load().questions} == {
        "chains-5",
        "countdown-3",
        "countdown-4",
    }
