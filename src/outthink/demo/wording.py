"""Numbers in words, the same in the terminal and in the report."""

from __future__ import annotations

from outthink.core.cost import ZERO, Cost
from outthink.core.result import describe
from outthink.demo.plan import CHOSEN_ON, JUDGE_LABEL, Plan
from outthink.demo.problems import KINDS
from outthink.demo.running import Finished
from outthink.demo.scoring import Against, Row, Summary
from outthink.numerics.intervals import Interval

NO_DIFFERENCE = "no difference shown"


def percent(share: float) -> str:
    """0.635 -> "64%"."""
    return f"{100 * share:.0f}%"


def span(interval: Interval) -> str:
    """An interval of shares, in percent."""
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f}%"


def points(against: Against) -> str:
    """The interval of a difference, in percentage points."""
    low, high = (f"{100 * end:+.0f}" for end in (against.interval.low, against.interval.high))
    return f"{low} to {high}"


def difference(against: Against) -> str:
    """The difference in percentage points; "no difference shown" where the interval holds zero."""
    return f"{100 * against.difference:+.0f} points" if against.shown else NO_DIFFERENCE


def judged(row: Row) -> str:
    """What the method's checker knows; "" for a method without one."""
    return f"its checker {JUDGE_LABEL}" if row.method.judged else ""


def roles(row: Row) -> str:
    """What was billed, by role."""
    return "; ".join(f"{role}: {describe(cost)}" for role, cost in row.by_role.items()) or "nothing"


def prompt_tokens(cost: Cost) -> int:
    """Prompt tokens that had to be computed."""
    return cost.input_tokens - cost.cached_input_tokens


def heading(summary: Summary) -> str:
    """What was solved."""
    return f"{summary.n} {KINDS[summary.kind].title}"


def constant_line(summary: Summary) -> str:
    """The best constant answer, beside the methods, and what is special about the checker on these problems."""
    constant = summary.constant
    said = (
        f"Best constant answer: always saying {constant.answer} would be right on {constant.right} of {summary.n} "
        f"({percent(constant.right / summary.n)})."
    )
    return f"{said} {KINDS[summary.kind].note}".rstrip()


def budget_line(summary: Summary) -> str:
    """Whether the limit held, and how close it came."""
    most = max(row.most for row in summary.rows)
    over = sum(row.over for row in summary.rows)
    cut = sum(row.cut for row in summary.rows)
    held = "no cap was passed" if summary.held else f"THE CAP WAS PASSED {over} TIMES"
    ended = f"; it ended {cut} searches early" if cut else ""
    return f"Budget: {summary.cap} tokens for each problem and method; the most used was {most}; {held}{ended}."


def shared_line(finished: Finished, kind: str) -> str:
    """What computing the worked examples cost, which no method is billed for."""
    return f"Worked examples, computed once for all methods: {finished.shared.get(kind, ZERO).tokens} tokens."


def ledger_line(finished: Finished) -> str:
    """The run's own ledger beside the engine's counters."""
    paid, counted = finished.paid, finished.counted
    same = paid.tokens == counted.tokens and paid.output_tokens == counted.output_tokens
    told = f"The run's ledger says {paid.tokens} tokens ({paid.output_tokens} generated), and so does the engine's own counter."
    if same:
        return told
    return (
        f"The run's ledger says {paid.tokens} tokens ({paid.output_tokens} generated), but the engine counted {counted.tokens} "
        f"({counted.output_tokens} generated)."
    )


def seconds_line(finished: Finished, engine: str) -> str:
    """How long it took, and how fast that was."""
    seconds = finished.total_seconds
    rate = finished.counted.output_tokens / seconds if seconds > 0 else 0.0
    return f"{seconds:.0f} s of solving, {rate:.0f} generated tokens a second, with {engine}."


def method_notes(plan: Plan) -> list[str]:
    """What a reader must know to judge the comparison."""
    return [
        f"Vote and best-of-n choose from the same {plan.members} stored samples of each problem; both are billed for all of them.",
        f"Best-of-n and the filter use one checker; it {JUDGE_LABEL}: it computes each written equation and never sees the answer.",
        "Prompt tokens are those that had to be computed. The worked examples are computed once and are on no method's bill.",
        "A question is paid for by whoever asks it first, which is greedy.",
        f"Settings and the range of the numbers were chosen on other problems (seed {CHOSEN_ON}), not on these (seed {plan.seed}).",
        "Intervals are 95%: Wilson's for a rate, Tango's for paired differences. The problems are the unit.",
    ]
