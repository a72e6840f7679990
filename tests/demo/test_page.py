"""The report is one file, complete, and safe to open."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from outthink.core.errors import Failure
from outthink.core.markup import Markup, join, tag
from outthink.demo.main import summaries_of
from outthink.demo.page import page, shown_problems
from outthink.demo.plan import METHODS
from outthink.demo.problems import Problem
from outthink.demo.running import Finished
from tests.demo.adder import SMALL, adder, finished_with
from tests.demo.made_up import result, solved

VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture
async def finished() -> Finished:
    return await finished_with(adder(right=0.5))


def written(finished: Finished) -> str:
    return page(finished, summaries_of(finished), {"engine": "scripted <engine>"})


class Balanced(HTMLParser):
    """Fails on an element that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_it_loads_nothing(finished: Finished) -> None:
    html = written(finished)
    assert not re.search(r"https?:|//\w|url\(|@import|<script|<link|<img|<iframe|\ssrc=|\son\w+=", html)
    assert "default-src 'none'" in html


async def test_it_is_well_formed_and_made_for_phones_and_dark_rooms(finished: Finished) -> None:
    html = written(finished)
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert {"svg", "table", "style"} <= parser.seen
    assert 'name="viewport"' in html
    assert "prefers-color-scheme: dark" in html


async def test_every_problem_and_method_is_there(finished: Finished) -> None:
    html = written(finished)
    problems = re.findall(r'data-problem="([^"]+)"', html)
    assert problems == [one.id for one in finished.solved["sums"]]
    assert all(one.problem.question in html for one in finished.solved["sums"])
    for method in METHODS:
        assert html.count(f'data-method="{method.name}"') == 2  # the chart and the table
        assert method.titled(SMALL.members) in html
    assert "no cap was passed" in html
    assert "Where to look next" in html


def test_what_was_stored_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    results = {m.name: result(evil, text=evil) for m in METHODS}
    one = solved(0, [], vote=Failure("Evil", evil))
    one = type(one)(evil, Problem("sums", (1, 1, 1), evil, 3), {**results, "vote": one.results["vote"]})
    finished = Finished(SMALL, solved={"sums": [one]}, seconds={"sums": {}})
    html = written(finished)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_elements_escape_unless_they_are_elements() -> None:
    assert (
        tag("p", "a < b", tag("b", "&"), title='"x" <y>')
        == '<p title="&quot;x&quot; &lt;y&gt;">a &lt; b<b>&amp;</b></p>'
    )
    assert tag("rect", rx=5, x=1.0, y=1.234, class_="a b", data_node=3, title=None) == (
        '<rect rx="5" x="1" y="1.23" class="a b" data-node="3"></rect>'
    )
    assert isinstance(join("<", Markup("<b>")), Markup)
    assert join("<", Markup("<b>")) == "&lt;<b>"


def test_the_problem_shown_is_one_that_the_vote_missed() -> None:
    both, alone, neither = solved(0, ["vote", "particle-filter"]), solved(1, ["particle-filter"]), solved(2, [])
    assert [one.id for one in shown_problems([both, alone, neither])] == ["sums-01", "sums-02"]
    assert [one.id for one in shown_problems([both, neither])] == ["sums-00", "sums-02"]
    assert [one.id for one in shown_problems([neither])] == ["sums-02"]
    assert shown_problems([solved(3, [], particle_filter=Failure("EngineError", "gone"))]) == []


async def test_a_run_that_was_ended_early_says_so(finished: Finished) -> None:
    finished.interrupted = True
    assert "ended early" in written(finished)
    assert msgspec.json.encode(finished.paid)
