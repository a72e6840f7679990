"""`solve` with a store: a run is kept as the command line keeps it, and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import outthink
from outthink.core.errors import Failure, InputError, SettingsError
from outthink.core.result import Result, Stop
from outthink.engines.scripted_table import Scripted
from outthink.store import NoSuchRun, Store, StoreError

MODEL = Scripted(otherwise="it is 42 and so it is")
HOW: dict[str, Any] = {"model": MODEL, "method": outthink.BestOfN(n=6), "verifier": "confidence", "answer": "numeric"}
CUT: dict[str, Any] = {**HOW, "budget": outthink.Budget(calls=2), "seed": 7}


def score(text: str) -> float:
    """A live part, which no store can hold."""
    return float(len(text))


def test_a_run_is_stored_where_it_is_said(tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    result = outthink.solve("What is it?", store=where, seed=3, **HOW)
    again = outthink.solve("What is it?", store=str(where), seed=3, **HOW)
    with Store.open(where) as store:
        found = store.run(result.run)
        assert found.task.question == "What is it?"
        assert found.line.seed == 3
        assert found.recipe["algorithm"]["n"] == 6
        assert found.result is not None
        assert found.result.answer == result.answer == "42"
        third = outthink.solve("What is it?", store=store, seed=3, **HOW)
        assert [line.id for line in store.runs()] == [third.run, again.run, result.run]


def test_without_a_store_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "own.sqlite"
    monkeypatch.setenv("OUTTHINK_STORE", str(where))
    outthink.solve("What is it?", **HOW)
    assert not where.exists()
    named = outthink.solve("What is it?", store="default", **HOW)
    with Store.open(where) as store:
        assert [line.id for line in store.runs()] == [named.run]


def test_many_questions_are_runs_of_their_own(tmp_path: Path) -> None:
    tasks = ["first", outthink.Task(prompt="second", id="b")]
    results = outthink.solve(tasks, store=tmp_path / "runs.sqlite", **HOW)
    with Store.open(tmp_path / "runs.sqlite") as store:
        stored = {line.question: store.run(line.id).result for line in store.runs()}
    assert set(stored) == {"first", "second"}
    for result in results:
        assert not isinstance(result, Failure)
        assert result.answer == "42"


def test_a_run_that_its_budget_stopped_goes_on(tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    whole = outthink.solve("What is it?", **{**CUT, "budget": None})
    cut = outthink.solve("What is it?", store=where, **CUT)
    assert cut.stop is Stop.BUDGET
    done = outthink.solve(store=where, resume=cut.run, budget="calls=100")
    assert done.stop is Stop.DONE
    assert done.seed == 7
    assert (done.answer, done.scores, done.cost) == (whole.answer, whole.scores, whole.cost)
    assert [c.content for c in done.candidates] == [c.content for c in whole.candidates]
    with pytest.raises(StoreError, match="complete"):
        outthink.solve(store=where, resume=cut.run)


async def test_resuming_on_the_callers_loop(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.sqlite") as store:
        await outthink.asolve("What is it?", store=store, **CUT)
        done = await outthink.asolve(store=store, resume="last", budget="calls=100", seed=7)
        assert isinstance(done, Result)
        assert done.cost.calls == 6
        assert len(store.runs()) == 1


def test_a_run_with_live_parts_is_resumed_with_the_same_words(tmp_path: Path) -> None:
    where, how = tmp_path / "runs.sqlite", {**CUT, "verifier": score}
    cut = outthink.solve("What is it?", store=where, **how)
    with pytest.raises(StoreError, match="recipe alone"):
        outthink.solve(store=where, resume=cut.run)
    done = outthink.solve(store=where, resume=cut.run, **{**how, "budget": "calls=100"})
    assert done.scores == (21.0,) * 6
    assert done.cost.calls == 6


def test_what_a_resumed_run_has_already_is_refused(tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    run = outthink.solve("What is it?", store=where, **CUT).run
    for wrong, message in (
        ({"prompt": "And this?"}, "has its question"),
        ({"seed": 8}, "own seed"),
        ({"store": None}, "no store"),
        ({"store": 5}, "cannot be that"),
    ):
        with pytest.raises(SettingsError, match=message):
            outthink.solve(**{"store": where, "resume": run, **wrong})  # type: ignore[call-overload]
    with pytest.raises(StoreError, match="another recipe"):
        outthink.solve(store=where, resume=run, **{**HOW, "method": outthink.BestOfN(n=7)})
    with pytest.raises(StoreError, match="another recipe"):
        outthink.solve(store=where, resume=run, **{**HOW, "verifier": score})
    with pytest.raises(NoSuchRun):
        outthink.solve(store=where, resume="20200101-000000-abcde")
    with pytest.raises(InputError, match="Nothing is asked"):
        outthink.solve(store=where)  # type: ignore[call-overload]
    # The same search, said again, is no other one.
    assert outthink.solve(store=where, resume=run, **{**HOW, "budget": "calls=100"}).cost.calls == 6
