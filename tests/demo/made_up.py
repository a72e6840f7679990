"""Results that nobody computed, with chosen answers and bills, for the tests of scoring, table and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.result import Result, Stop
from outthink.core.task import Candidate
from outthink.demo.plan import METHODS
from outthink.demo.problems import Problem
from outthink.demo.scoring import Solved

ANSWER = 42


def result(
    answer: str | None,
    *,
    tokens: int = 100,
    checks: int = 0,
    overshoot: Mapping[str, float] | None = None,
    text: str = "",
) -> Result:
    """One method's result with this answer."""
    by_role = {"generate": Cost(output_tokens=tokens - 10, input_tokens=310, cached_input_tokens=300, calls=1)}
    if checks:
        by_role["verify"] = Cost(verifier_calls=checks)
    return Result(
        answer=answer,
        chosen=None if answer is None else 0,
        candidates=() if answer is None else (Candidate(content=text or f"Answer: {answer}", answer=answer),),
        scores=() if answer is None else (None,),
        weights=() if answer is None else (1.0,),
        by_role=by_role,
        stop=Stop.DONE,
        method="made-up",
        seed=1,
        run="",
        seconds=0.1,
        steps=1,
        overshoot=dict(overshoot or {}),
    )


def solved(index: int, right: Sequence[str], **others: Result | Failure) -> Solved:
    """A problem that the methods named in `right` solve and the rest do not; `others` by method name with underscores."""
    results: dict[str, Result | Failure] = {
        m.name: result(str(ANSWER if m.name in right else ANSWER + 1)) for m in METHODS
    }
    results.update({name.replace("_", "-"): value for name, value in others.items()})
    return Solved(f"sums-{index:02d}", Problem("sums", (20, 20, 2), f"20 + 20 + 2 (no. {index})", ANSWER), results)


def where_right(counts: Mapping[str, int], n: int) -> list[Solved]:
    """n problems of which each method solves the first `counts[method]`."""
    return [solved(i, [name for name, count in counts.items() if i < count]) for i in range(n)]
