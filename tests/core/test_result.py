from __future__ import annotations

import json
import math
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from outthink.core import Candidate, Cost, Failure, Result, Stop

CANDIDATES = (
    Candidate(id=3, content="so it is 4", answer="4", features={"log_prob": -1.5}),
    Candidate(id=4, content="so it is\n5", answer="5"),
    Candidate(id=5, content="perhaps", final=False),
)


def result(**changes: object) -> Result:
    fields: dict[str, object] = {
        "answer": "5",
        "chosen": 1,
        "candidates": CANDIDATES,
        "scores": (0.25, 0.75, None),
        "weights": (0.2, 0.8, 0.0),
        "by_role": {
            "generate": Cost(output_tokens=30, input_tokens=12, cached_input_tokens=5, calls=3),
            "verify": Cost(verifier_calls=2),
        },
        "stop": Stop.BUDGET,
        "limit": "tokens",
        "method": "best-of-n",
        "seed": 7,
        "run": "a/b",
        "seconds": 1.25,
        "steps": 2,
        "task": "t1",
        "agreement": 0.8,
        "effective_n": 1.47,
        "log_evidence": -2.5,
        "uncertain": Cost(output_tokens=4),
        "overshoot": {"tokens": 1.0},
        "degraded": ("1 of 3 members unfinished",),
        "failures": (Failure("EngineError", "gone", status=500, retryable=True),),
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


def test_json_comes_back_as_it_was() -> None:
    one = result()
    assert Result.from_json(one.to_json()) == one
    assert Result.from_json(one.to_json().encode()) == one
    assert json.loads(one.to_json())["stop"] == "budget"


def test_money_that_is_not_known_comes_back_unknown() -> None:
    back = Result.from_json(result(by_role={"generate": Cost(calls=1, money=math.nan)}).to_json())
    assert math.isnan(back.by_role["generate"].money)
    assert math.isnan(back.cost.money)
    assert back.by_role["generate"].calls == 1


def test_no_answer_and_evidence_of_nothing() -> None:
    none = result(answer=None, chosen=None, log_evidence=-math.inf)
    back = Result.from_json(none.to_json())
    assert back.answer is None
    assert back.log_evidence is None
    assert "NaN" not in none.to_json()
    assert "Infinity" not in none.to_json()


def test_arrays_are_written_as_lists() -> None:
    point = Candidate(content=np.array([1.0, 2.0]), kind="tensor", answer="++")
    back = Result.from_json(result(candidates=(point,)).to_json())
    assert back.candidates[0].content == [1.0, 2.0]


def test_what_is_not_a_result_is_refused() -> None:
    plain = json.loads(result().to_json())
    with pytest.raises(msgspec.ValidationError, match="unheard"):
        Result.from_json(json.dumps({**plain, "stop": "unheard"}))


def test_cost_is_the_sum_of_the_roles() -> None:
    assert result().cost == Cost(output_tokens=30, input_tokens=12, cached_input_tokens=5, calls=3, verifier_calls=2)


def test_the_table_has_the_answer_first_and_the_bill_last() -> None:
    lines = result().table().splitlines()
    assert lines[0].split() == ["answer", "score", "weight", "state"]
    assert lines[1].split() == ["*", "5", "0.75", "0.800", "finished"]
    assert lines[2].split() == ["4", "0.25", "0.200", "finished"]
    assert lines[3].split() == ["perhaps", "-", "0.000", "unfinished"]
    assert lines[-1] == (
        "best-of-n: budget (tokens); generate 37 tokens (30 out, 7 in), 3 calls, verify 2 judged; 1.25 s"
    )
    assert "\n5" not in result(candidates=(Candidate(content="a\nb"),) * 3).table()


class Reader(HTMLParser):
    """Tags and text of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_notebook_shows_text_and_runs_none() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=y>"
    shown = result(
        answer=evil,
        method=evil,
        limit=evil,
        by_role={evil: Cost(calls=1)},
        candidates=(Candidate(content=evil), *CANDIDATES[1:]),
    )._repr_html_()
    read = Reader(shown)
    assert set(read.tags) == {"p", "b", "table", "tr", "th", "td"}
    assert evil in read.text
    assert read.tags.count("tr") == 4
