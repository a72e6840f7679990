"""The published files themselves, where they are at hand: every row is read, and right answers are taken for right."""

from __future__ import annotations

import pytest

from outthink.bench.tasks import Aime, FileSource, Gsm8k, HumanEval, Math500, Mawps
from outthink.core.task import Candidate
from tests.needs import DATA, need

FILES = [
    (Gsm8k, "gsm8k_test.jsonl", 1319, "5", 40),
    (Math500, "math500.jsonl", 500, "3", 19),
    (Aime, "aime24.jsonl", 30, "104", 2),
    (Mawps, "mawps_addsub.jsonl", 395, "12", 12),
    (Mawps, "mawps_singleeq.jsonl", 508, "9", 17),
    (HumanEval, "HumanEval.jsonl.gz", 164, None, 0),
]


@pytest.mark.needs("data-files")
@pytest.mark.parametrize(
    ("kind", "name", "count", "constant", "served"), [pytest.param(*row, id=row[1]) for row in FILES]
)
def test_every_row_is_read(kind: type[FileSource], name: str, count: int, constant: str | None, served: int) -> None:
    found = kind(path=str(DATA / name)).load()
    assert (len(found.questions), found.problems) == (count, ())
    assert found.best_constant() == (constant, served / count)
    asked = [question.asked for question in found.questions]
    assert all(task.reference is None and "test" not in task.data for task in asked)
    if kind is HumanEval:
        need("sandbox")
        sample = found.questions[:2]
        assert all(q.right(Candidate(content=f"{q.task.data['prompt']}{q.task.reference}")) for q in sample)
        assert not sample[0].right(Candidate(content=f"{sample[0].task.data['prompt']}    return True"))
    elif kind is Math500:
        need("math-verify")
        assert all(q.right(Candidate(content=f"\\boxed{{{q.task.reference}}}")) for q in found.questions)
        assert not any(q.right(Candidate(content="\\boxed{123456789}")) for q in found.questions[:60])
    else:
        assert all(q.right(Candidate(content=f"#### {q.task.reference}")) for q in found.questions)
        assert not any(
            q.right(Candidate(content=f"{q.task.reference} is the number I am thinking of.")) for q in found.questions
        )
