"""Each reader on rows of its documented columns: what is asked, what is right, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from outthink.bench.tasks import (
    Aime,
    Bamboogle,
    Fever,
    FileSource,
    Gsm8k,
    GsmHard,
    Hotpotqa,
    HumanEval,
    Jsonl,
    Math500,
    Mawps,
    MultipleChoice,
    Prontoqa,
    TaskSet,
)
from outthink.core.errors import Incompatible
from outthink.core.task import Candidate
from tests.needs import need


def load(kind: type[FileSource], folder: Path, *rows: dict[str, Any], **settings: Any) -> TaskSet:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return kind(path=str(path), **settings).load()


def marks(found: TaskSet, place: int, text: str) -> bool:
    return found.questions[place].right(Candidate(content=text))


def test_gsm8k(tmp_path: Path) -> None:
    found = load(
        Gsm8k,
        tmp_path,
        {"question": "Eggs?", "answer": "She has <<16-3=13>>13.\n#### 1,018"},
        {"question": "No mark?", "answer": "18"},
        {"question": "Words?", "answer": "#### eighteen"},
    )
    assert [p.line for p in found.problems] == [2, 3]
    assert found.questions[0].task.reference == "1018"
    assert marks(found, 0, "#### 1018")
    assert not marks(found, 0, "She has 1018 eggs and 3 more.")


def test_gsm_hard_and_mawps_are_right_within_a_thousandth(tmp_path: Path) -> None:
    found = load(GsmHard, tmp_path, {"input": "Eggs?", "code": "def solution(): ...", "target": -9867630.0})
    assert "solution" not in found.questions[0].asked.prompt
    assert marks(found, 0, "#### -9,867,630")
    assert not marks(found, 0, "#### 9867630")
    found = load(Mawps, tmp_path, {"input": "Pie ?", "target": 0.6666666667}, {"input": "Pie ?", "target": True})
    assert found.name == "rows"
    assert marks(found, 0, "Answer: 2/3")
    assert len(found.problems) == 1


def test_aime(tmp_path: Path) -> None:
    found = load(
        Aime,
        tmp_path,
        {"id": 60, "problem": "Walk?", "answer": "025"},
        {"id": 61, "problem": "Half?", "answer": "1/2"},
        {"id": 62, "problem": "Much?", "answer": 1000},
    )
    assert found.questions[0].task.id == "aime/60"
    assert len(found.problems) == 2
    assert marks(found, 0, "\\boxed{25}")
    assert marks(found, 0, "\\boxed{025}")
    assert not marks(found, 0, "\\boxed{250}")


def test_math_500(tmp_path: Path) -> None:
    need("math-verify")
    prefix = "Return your final response within \\boxed{}. "
    row = {
        "problem": f"{prefix}Half?",
        "solution": "\\boxed{\\frac12}",
        "answer": "\\frac12",
        "unique_id": "test/algebra/1.json",
    }
    found = load(Math500, tmp_path, {**row, "level": 2})
    (question,) = found.questions
    assert question.task.prompt == "Half?"
    assert question.task.id == "math-500/test/algebra/1"
    assert "solution" not in str(question.asked)
    assert marks(found, 0, "\\boxed{0.5}")
    assert found.best_constant() == ("0.5", 1.0)


def test_multiple_choice_in_the_usual_layouts(tmp_path: Path) -> None:
    found = load(
        MultipleChoice,
        tmp_path,
        {"question": "Sea?", "choices": ["red", "black"], "answer": 1},
        {"question": "Sea?", "choices": {"text": ["red", "black"], "label": ["1", "2"]}, "answerKey": "2", "id": "arc"},
        {"question": "Sea?", "choices": ["red", "black"], "answer": "black"},
        {"question": "Sea?", "choices": ["red", "black"], "answer": 2},
        {"question": "Sea?", "choices": ["red", "red"], "answer": 0},
        {"question": "Sea?", "choices": ["red"], "answer": 0},
        {"question": "Sea?", "choices": ["red", None], "answer": 0},
        {"question": "Sea?", "choices": ["red", "black"], "answer": "C"},
    )
    assert [p.line for p in found.problems] == [4, 5, 6, 7, 8]
    assert found.questions[0].task.prompt == "Sea?\n\n(A) red\n(B) black"
    assert all(marks(found, place, "Answer: B") and not marks(found, place, "Answer: A") for place in range(3))
    assert found.best_constant() == ("B", 1.0)
    columns = {"Question": "Sea?", "A": "red", "B": "black", "Key": "B"}
    found = load(MultipleChoice, tmp_path, columns, question="Question", choices="", answer="Key")
    assert marks(found, 0, "(B) black")


def test_prontoqa_in_both_spellings(tmp_path: Path) -> None:
    options = {"context": "Cats are mammals.", "options": ["A) True", "B) False"]}
    asked = "Is the following statement true or false? Max is a mammal."
    generated = {
        "question": "Cats are mammals.",
        "query": "Prove: Max is a cat.",
        "answer": "True",
        "chain_of_thought": [],
    }
    found = load(
        Prontoqa,
        tmp_path,
        {"id": "P_1", **options, "question": asked, "answer": "B"},
        {"id": "g", "test_example": generated},
        {"id": "P_2", **options, "question": asked, "answer": "C"},
    )
    assert len(found.problems) == 1
    assert marks(found, 0, "Answer: False")
    assert not marks(found, 0, "Answer: B")
    assert not marks(found, 0, "That is not True or False")
    assert marks(found, 1, "True")
    assert "Prove" not in str(found.questions[1].task.prompt)


def test_fever_has_three_labels_and_one_question_a_claim(tmp_path: Path) -> None:
    claim = {"id": 7, "claim": "Rome is in Spain.", "label": "REFUTES"}
    found = load(
        Fever,
        tmp_path,
        {**claim, "evidence_id": 1},
        {**claim, "evidence_id": 2},
        {"id": 8, "claim": "Ann likes tea.", "label": "NOT ENOUGH INFO"},
        {"id": 9, "claim": "Unlabelled."},
        {"id": 8, "claim": "Another claim.", "label": "SUPPORTS"},
    )
    assert [q.task.id for q in found.questions] == ["fever/7", "fever/8"]
    assert [p.line for p in found.problems] == [4, 5]
    assert marks(found, 0, "Answer: REFUTES")
    assert not marks(found, 1, "Answer: SUPPORTS")


def test_bamboogle_and_hotpotqa(tmp_path: Path) -> None:
    found = load(Bamboogle, tmp_path, {"Question": "Who?", "Answer": "James Chadwick"})
    assert marks(found, 0, "Answer: James Chadwick.")
    assert not marks(found, 0, "Answer: James")
    hub = {"title": ["Rome"], "sentences": [["It is old. ", "It is big."]]}
    rows = [
        {"id": "a", "question": "Old?", "answer": "yes", "context": hub},
        {"_id": "b", "question": "Old?", "answer": "yes", "context": [["Rome", ["It is old."]]]},
        {"_id": "c", "question": "Old?", "answer": "yes", "context": "Rome"},
    ]
    found = load(Hotpotqa, tmp_path, *rows, context=True)
    assert found.questions[0].task.prompt == "Rome: It is old. It is big.\n\nQuestion: Old?"
    assert [p.line for p in found.problems] == [3]
    assert load(Hotpotqa, tmp_path, *rows).questions[2].task.prompt == "Old?"


HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def twice(x: int) -> int:\n    """Twice x."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(5) == 10\n",
}


@pytest.mark.needs("sandbox")
def test_human_eval_shows_no_tests(tmp_path: Path) -> None:
    found = load(HumanEval, tmp_path, HUMAN_EVAL, {**HUMAN_EVAL, "task_id": "HumanEval/1", "test": "def check("})
    (question,) = found.questions
    assert [p.line for p in found.problems] == [2]
    assert "check" not in str(question.asked)
    assert "return 2" not in str(question.asked)
    assert "check" in str(question.task.data)
    assert found.best_constant().answer is None


def test_no_sandbox_no_human_eval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outthink.bench.tasks.confined.refusal", lambda: "none here")
    with pytest.raises(Incompatible, match="cannot be isolated"):
        load(HumanEval, tmp_path, HUMAN_EVAL)
    with pytest.raises(Incompatible, match="none here"):
        load(Jsonl, tmp_path, {"question": "f?", "tests": ["assert f(1)"]})


@pytest.mark.needs("sandbox")
def test_human_eval_runs_what_it_is_given(tmp_path: Path) -> None:
    found = load(HumanEval, tmp_path, HUMAN_EVAL)
    assert marks(found, 0, "```python\ndef twice(x):\n    return x + x\n```")
    assert not marks(found, 0, "```python\ndef twice(x):\n    return 4\n```")
