"""The tables in the terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from outthink.core.cost import Cost
from outthink.demo import wording
from outthink.demo.plan import Plan
from outthink.demo.running import Finished
from outthink.demo.scoring import Summary, summarise
from outthink.demo.table import accuracy_table, bill_table, tables
from tests.demo.made_up import result, solved, where_right

PLAN = Plan(problems=40)
SUMMARY = summarise(
    "sums", where_right({"greedy": 10, "vote": 12, "best-of-n": 30, "particle-filter": 31}, 40), {}, PLAN
)


def shown(thing: object, width: int = 110) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_differences_that_were_not_shown_say_so() -> None:
    table = accuracy_table(SUMMARY)
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    against_greedy, against_best = cells[3], cells[5]
    assert against_greedy[1].startswith("no difference shown")
    assert against_greedy[2].startswith("+50 points")
    assert against_best[3].startswith("no difference shown")
    assert "+2 points" not in against_best[3]
    assert cells[0][-1] == "always 42"


def test_the_checker_is_labelled_where_it_is_used() -> None:
    titles = [str(cell) for cell in accuracy_table(SUMMARY).columns[0].cells]
    assert ["knows arithmetic, not the problem" in title for title in titles] == [False, False, True, True, False]


@pytest.mark.parametrize("width", [80, 110])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(width: int) -> None:
    text = shown(tables(SUMMARY, Finished(PLAN)), width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "Budget: 1024 tokens for each problem and method; the most used was 100; no cap was passed." in words
    assert "always saying 42 would be right on 40 of 40" in words
    assert "…" not in text
    open_ = sum(not a.shown for row in SUMMARY.rows for a in row.against)
    assert len(re.findall(r"\bshown\b", shown(accuracy_table(SUMMARY), width))) == open_ == 2
    assert len(re.findall(r"\bproblem\b", shown(accuracy_table(SUMMARY), width))) == 2


def test_the_bill_has_tokens_and_checks() -> None:
    judged = solved(0, [], particle_filter=result("42", tokens=500, checks=32))
    table = bill_table(summarise("sums", [judged], {"particle-filter": 1.25}, PLAN))
    last = [list(column.cells)[-1] for column in table.columns]
    assert [str(cell) for cell in last] == ["particle filter, 16 members", "490", "10", "32", "500", "1.2"]


def test_a_passed_cap_is_said_aloud() -> None:
    broken: Summary = summarise("sums", [solved(0, [], vote=result("1", overshoot={"tokens": 7.0}))], {}, PLAN)
    assert "THE CAP WAS PASSED 1 TIMES" in wording.budget_line(broken)


def test_a_ledger_that_differs_from_the_engine_is_said_aloud() -> None:
    same = Finished(PLAN, paid=Cost(output_tokens=5), counted=Cost(output_tokens=5))
    other = Finished(PLAN, paid=Cost(output_tokens=5), counted=Cost(output_tokens=6))
    assert "so does the engine's own counter" in wording.ledger_line(same)
    assert "but the engine counted 6" in wording.ledger_line(other)
