"""What the store promises, on both databases."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from outthink.core import (
    AllFailed,
    Budget,
    Candidate,
    Cut,
    EngineError,
    Result,
    Session,
    Stop,
    Task,
)
from outthink.core.errors import OutthinkError
from outthink.core.events import RunEnded, RunStarted, Scored, StepEnded
from outthink.engines.recording import recording
from outthink.engines.scripted import Behaviour, Call, ScriptedEngine
from outthink.store import NoSuchRun, Recorder, Store, StoreError, solve_in_session, solve_stored
from tests.store.words import TASK, filtered, script, scripted, voted


async def stored(
    store: Store, *, task: Task = TASK, seed: int = 0, budget: Budget | None = None, n: int = 4, **how: Any
) -> tuple[Result, Recorder]:
    engine = how.pop("engine", None) or scripted()
    recorder = await store.begin(task, method="particle-filter", seed=seed, engine=engine.name, **how)
    search = filtered(recording(engine, recorder.replies), n=n)
    return await solve_stored(search, task, recorder, budget=budget), recorder


async def test_a_run_comes_back_as_it_was(store: Store) -> None:
    result, recorder = await stored(store, digest="d" * 32, recipe={"algorithm": {"type": "particle-filter"}})
    found = store.run(recorder.id)
    assert found.result is not None
    want = msgspec.structs.replace(
        result,
        candidates=tuple(msgspec.structs.replace(c, features={"letters": len(c.content)}) for c in result.candidates),
    )
    assert found.result == want
    assert found.task == TASK
    assert found.recipe == {"algorithm": {"type": "particle-filter"}}
    line = found.line
    assert (line.status, line.stop, line.answer, line.steps) == ("ended", "done", result.answer, result.steps)
    assert (line.tokens, line.calls, line.verifier_calls) == (
        result.cost.tokens,
        result.cost.calls,
        result.cost.verifier_calls,
    )
    assert (line.method, line.digest, line.engine, line.seed) == ("particle-filter", "d" * 32, "letters", 0)
    assert found.line == store.runs()[0]


async def test_events_scores_and_contents_are_those_of_the_trace(store: Store) -> None:
    engine = scripted()
    recorder = await store.begin(TASK, method="particle-filter", engine=engine.name)
    seen: list[Any] = []
    trace: dict[Any, Any] = {}
    search = filtered(engine)

    def watch(event: Any) -> None:
        seen.append(event)

    session = Session.open(seed=0, sinks=[recorder, watch], name=recorder.id)
    recorder.watch(session)
    result = await search.solve(TASK, session, on_step=recorder.on_step)
    await recorder.ended(result)
    trace = session.trace.contents
    found = store.run(recorder.id)
    assert found.events == tuple(msgspec.structs.replace(event, run="") for event in seen)
    assert isinstance(found.events[0], RunStarted)
    assert isinstance(found.events[-1], RunEnded)
    assert {(recorder.id, node) for node in found.candidates} == set(trace)
    assert all(found.candidates[node].content == content.content for (_, node), content in trace.items())
    scored = {n: v for e in seen if isinstance(e, Scored) for n, v in zip(e.nodes, e.values, strict=True)}
    assert found.scores == scored
    assert found.events[-1].answer == result.candidates[result.chosen or 0].id


async def test_equal_contents_are_stored_once(store: Store) -> None:
    await stored(store, seed=1)
    first = count(store, "contents")
    assert first < count(store, "candidates")
    await stored(store, seed=1)
    assert count(store, "contents") == first


async def test_a_live_run_keeps_two_checkpoints_and_a_complete_one_none(store: Store) -> None:
    recorder = await store.begin(TASK, method="particle-filter")
    search = filtered(recording(scripted(), recorder.replies))
    kept: list[tuple[int, ...]] = []

    async def look() -> None:
        while not kept or kept[-1]:
            await asyncio.sleep(0.001)
            kept.append(store.run(recorder.id).checkpoints)

    def on_step(snapshot: Any) -> None:
        recorder.on_step(snapshot)
        store._writer.submit(lambda connection: None).result()
        kept.append(store.run(recorder.id).checkpoints)
        assert store.runs()[0].status == "running"
        assert store.runs()[0].steps == snapshot.step

    session = Session.open(name=recorder.id)
    session.trace.sinks = (recorder,)
    recorder.watch(session)
    result = await search.solve(TASK, session, on_step=on_step)
    await recorder.ended(result)
    assert kept == [(step, step - 1)[: min(step, 2)] for step in range(1, result.steps + 1)]
    assert store.run(recorder.id).checkpoints == ()
    assert count(store, "replies") == 0


async def test_one_transaction_a_step_and_requests_before_they_are_sent(store: Store) -> None:
    seen: list[tuple[int, int]] = []
    recorder = await store.begin(TASK, method="vote")

    class Watching(ScriptedEngine):
        async def generate(self, requests: Any, *, cut: Any = None) -> Any:
            found = store.run(recorder.id)
            seen.append((len(requests), len(found.unanswered)))
            assert all("letters:" in about for about in found.unanswered)
            return await super().generate(requests, cut=cut)

    engine = Watching(script, vocabulary=tuple("abcd"))
    before = store.transactions
    result = await solve_stored(filtered(recording(engine, recorder.replies)), TASK, recorder)
    assert sum(asked for asked, _ in seen) == result.cost.calls
    assert all(asked <= written for asked, written in seen)
    # The moments of a step: its requests, each reply that came by itself, its end; and the run's own end.
    assert store.transactions - before <= (1 + 4 + 1) * result.steps + 1


async def test_the_event_loop_never_waits_for_the_database(store: Store) -> None:
    import sqlalchemy as sa

    threads: list[str] = []
    sa.event.listen(
        store._database.engine,
        "before_cursor_execute",
        lambda *_: threads.append(threading.current_thread().name),
    )
    await stored(store)
    assert set(threads) == {"outthink-store"}
    assert len(threads) > 20


async def test_a_budget_stop_is_resumed_with_more(store: Store) -> None:
    whole, _ = await stored(store)
    short, recorder = await stored(store, budget=Budget(calls=14))
    assert short.stop is Stop.BUDGET
    again = await store.resume(recorder.id)
    assert store.run(again.id).line.status == "running"
    engine = scripted()
    more = await solve_stored(filtered(recording(engine, again.replies)), TASK, again)
    assert (more.answer, more.scores, more.weights) == (whole.answer, whole.scores, whole.weights)
    assert more.cost == whole.cost
    assert len(engine.requests) <= whole.cost.calls - short.cost.calls
    assert more.seconds >= again.seconds_before > 0


async def test_an_interrupted_run_is_resumed(store: Store) -> None:
    whole, _ = await stored(store)
    recorder = await store.begin(TASK, method="particle-filter")
    cut = Cut()
    search = filtered(recording(scripted(seconds=0.01), recorder.replies))
    asyncio.get_running_loop().call_later(0.035, cut.fire, "interrupt")
    stopped = await solve_stored(search, TASK, recorder, cut=cut)
    assert stopped.stop is Stop.INTERRUPTED
    again = await store.resume("last")
    result = await solve_stored(filtered(recording(scripted(), again.replies)), TASK, again)
    assert (result.answer, result.scores) == (whole.answer, whole.scores)
    assert store.run(again.id).line.stop == "done"


async def test_a_failed_run_says_why_and_is_resumed(store: Store) -> None:
    def refuse(call: Call) -> EngineError | None:
        return EngineError("no key", status=401)

    engine = ScriptedEngine(script, vocabulary=tuple("abcd"), behaviour=Behaviour(fails=refuse), name="letters")
    with pytest.raises(AllFailed):
        await stored(store, engine=engine)
    found = store.run("last")
    assert found.line.status == "failed"
    assert "no key" in found.error
    assert found.result is None
    again = await store.resume("last")
    result = await solve_stored(filtered(recording(scripted(), again.replies)), TASK, again)
    assert result.answer == (await stored(store))[0].answer


async def test_a_damaged_checkpoint_gives_way_to_the_one_before(store: Store) -> None:
    import sqlalchemy as sa

    from outthink.store.tables import checkpoints

    whole, _ = await stored(store)
    _short, recorder = await stored(store, budget=Budget(calls=14))
    steps = store.run(recorder.id).checkpoints
    assert len(steps) == 2
    with store._database.write() as connection:
        damaged = checkpoints.update().where(checkpoints.c.step == steps[0])
        connection.execute(damaged.values(data=sa.literal(b"damage")))
    again = await store.resume(recorder.id)
    result = await solve_stored(filtered(recording(scripted(), again.replies)), TASK, again)
    assert (result.answer, result.scores, result.cost) == (whole.answer, whole.scores, whole.cost)


async def test_what_cannot_be_resumed_is_refused(store: Store) -> None:
    _, complete = await stored(store)
    with pytest.raises(StoreError, match="is complete"):
        await store.resume(complete.id)
    live = await store.begin(TASK, method="vote")
    with pytest.raises(StoreError, match="is at work"):
        await store.resume(live.id)
    assert (await store.resume(live.id, take_over=True)).id == live.id
    with pytest.raises(NoSuchRun, match="Did you mean"):
        await store.resume(complete.id + "x")


async def test_names(store: Store) -> None:
    with pytest.raises(NoSuchRun, match="The store is empty"):
        store.run("last")
    _, one = await stored(store)
    _, two = await stored(store)
    assert store.run("last").line.id == two.id
    assert store.run(one.id[:-1]).line.id == one.id
    with pytest.raises(NoSuchRun, match="Several stored runs"):
        store.run("2")
    with pytest.raises(NoSuchRun):
        store.run("%")


async def test_a_name_that_is_taken_is_not_given_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr("outthink.store.store.secrets.randbelow", lambda below: next(drawn))
    monkeypatch.setattr("outthink.store.store.time.strftime", lambda form, when: "20260101-000000")
    first, second = [await store.begin(TASK, method="vote") for _ in range(2)]
    assert first.id != second.id
    assert next(drawn, None) is None
    assert {line.id for line in store.runs()} == {first.id, second.id}


async def test_a_run_that_nobody_resumes_is_written_in_few_statements(store: Store) -> None:
    said: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement.split()[0])

    recorder = await store.begin(TASK, method="vote")
    sa.event.listen(store._database.engine, "before_cursor_execute", hear)
    session = Session.open()
    session.key = recorder.key
    result = await solve_in_session(voted(scripted(), n=1), TASK, recorder, session, checkpoints=False)
    session.close()
    await recorder.written()
    # Events, contents, candidates; then the result in two tables. PostgreSQL's lock and SQLite's BEGIN stand beside them.
    assert sorted(word for word in said if word in ("INSERT", "UPDATE", "DELETE")) == ["INSERT"] * 3 + ["UPDATE"] * 2
    found = store.run(recorder.id)
    assert found.result is not None
    assert found.result.candidates[0].content == result.candidates[0].content
    assert (found.line.tokens, found.line.calls) == (result.cost.tokens, result.cost.calls)
    assert found.line.seconds == result.seconds


async def test_a_late_run_is_one_transaction_that_nobody_waits_for(store: Store) -> None:
    before = store.transactions
    recorder = await store.begin(TASK, method="vote", late=60.0)
    assert (store.transactions, store.runs()) == (before, [])
    session = Session.open()
    session.key = recorder.key
    result = await solve_in_session(voted(scripted(), n=1), TASK, recorder, session, checkpoints=False)
    session.close()
    await recorder.written()
    assert store.transactions <= before + 2  # the run, and the wait for it
    found = store.run(recorder.id)
    assert found.result is not None
    assert found.result.candidates[0].content == result.candidates[0].content
    assert (found.line.status, found.line.tokens) == ("ended", result.cost.tokens)
    prompt = await store.begin(TASK, method="vote", seed=recorder.key)
    await solve_stored(voted(scripted(), n=1), TASK, prompt)
    assert [type(event) for event in store.events(prompt.id)] == [type(event) for event in store.events(recorder.id)]


async def test_a_late_run_is_seen_after_its_time_and_when_it_breaks(store: Store) -> None:
    slow = await store.begin(TASK, method="vote", late=0.01)
    await asyncio.sleep(0.05)
    await slow.written()
    assert [(line.id, line.status) for line in store.runs()] == [(slow.id, "running")]
    broken = await store.begin(TASK, method="vote", late=60.0)
    broken.failed(OutthinkError("no"))
    await broken.written()
    assert {line.id: line.status for line in store.runs()} == {slow.id: "running", broken.id: "failed"}


async def test_many_runs_at_once_share_transactions(store: Store) -> None:
    engine = scripted(seconds=0.002)
    before = store.transactions
    alone = [(await stored(store, seed=seed))[0] for seed in range(2)]
    each = (store.transactions - before) / 2
    before = store.transactions
    together = await asyncio.gather(*(stored(store, seed=seed, engine=engine) for seed in range(16)))
    assert [r.answer for r, _ in together][:2] == [r.answer for r in alone]
    assert len({recorder.id for _, recorder in together}) == 16
    for result, recorder in together:
        found = store.run(recorder.id)
        assert found.result is not None
        assert found.result.answer == result.answer
    assert store.transactions - before < 16 * each


async def test_lists(store: Store) -> None:
    for seed in range(3):
        await stored(store, seed=seed)
    live = await store.begin(TASK, method="vote")
    assert [line.id for line in store.runs(limit=1)] == [live.id]
    assert len(store.runs()) == 4
    assert [line.method for line in store.runs(method="vote")] == ["vote"]
    assert [line.seed for line in store.runs(status="ended")] == [2, 1, 0]
    assert [line.id for line in store.runs(status="running")] == [live.id]
    assert store.runs(status="killed") == []


async def test_removing_takes_only_what_nobody_else_holds(store: Store) -> None:
    for seed in (1, 1, 2):
        await stored(store, seed=seed)
    two, twin, one = [line.id for line in store.runs()]
    every = count(store, "contents")
    assert store.remove(one).contents == 0
    assert store.run(twin).result is not None
    assert store.remove(twin).contents > 0
    assert store.run(two).result is not None
    live = await store.begin(TASK, method="vote")
    with pytest.raises(StoreError, match="at work"):
        store.remove(live.id)
    assert store.remove(two).runs == 1
    assert count(store, "contents") == 0 < every
    for table in ("events", "candidates", "scores", "run_details"):
        assert count(store, table) == (1 if table == "run_details" else 0)


async def test_retention(store: Store) -> None:
    for seed in range(4):
        await stored(store, seed=seed)
    live = await store.begin(TASK, method="vote")
    assert store.prune(keep=2).runs == 2
    assert next(line.id for line in store.runs()) == live.id
    assert len(store.runs()) == 3
    assert store.prune(older_than=3600).runs == 0
    assert store.prune(older_than=-1).runs == 2
    with pytest.raises(StoreError, match="keep"):
        store.prune()


@pytest.mark.parametrize(
    "content",
    [
        "NUL \0 and a lone \ud800 surrogate, \x1a too",
        {"turns": [{"role": "user", "content": "hi"}], "n": 3},
        np.arange(6.0).reshape(2, 3),
        [1, 2.5, None, math.inf],
    ],
)
async def test_any_content_comes_back(store: Store, content: Any) -> None:
    found = await roundtrip(store, Candidate(id=3, content=content, answer="a\0\udfff", kind="transcript"))
    assert np.array_equal(found.content, content)
    assert type(found.content) is type(content)
    assert (found.answer, found.kind, found.id) == ("a\0\udfff", "transcript", 3)


async def test_a_content_without_a_saved_form_is_kept_as_it_shows(store: Store) -> None:
    found = await roundtrip(store, Candidate(id=0, content=object))
    assert found.content == "<class 'object'>"


async def roundtrip(store: Store, candidate: Candidate) -> Candidate:
    recorder = await store.begin(Task(prompt="what \0?", data={"k": [1]}), method="vote")
    session = Session.open(name=recorder.id, sinks=[recorder])
    recorder.watch(session)
    session.trace.contents[(recorder.id, candidate.id)] = candidate
    session.trace.emit(StepEnded(step=1, run=recorder.id))
    recorder.failed(ValueError("a\0b"))
    store._writer.submit(lambda connection: None).result()
    found = store.run(recorder.id)
    assert found.error == "ValueError: a\0b"
    assert found.task.question == "what \0?"
    return found.candidates[candidate.id]


async def test_a_task_that_cannot_be_stored_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="data cannot be stored"):
        await store.begin(Task(prompt="x", data={"k": object()}), method="vote")


async def test_a_write_that_fails_stops_the_run(store: Store) -> None:
    recorder = await store.begin(TASK, method="vote")

    def breaks(connection: Any) -> None:
        raise StoreError("disk full")

    store._writer.post(breaks)
    with pytest.raises(StoreError, match="disk full"):
        await solve_stored(voted(recording(scripted(), recorder.replies)), TASK, recorder)
    with pytest.raises(StoreError, match="disk full"):
        store.close()
    store.close()
    with pytest.raises(StoreError, match="after it was closed"):
        await store.begin(TASK, method="vote")


def count(store: Store, table: str) -> int:
    import sqlalchemy as sa

    with store._database.read() as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())
