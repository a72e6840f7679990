"""How a run stands: budgets, roles, answers; and a watch reads what is new and nothing else."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from outthink.core import Budget, Search, Session, Task
from outthink.dash import streaming
from outthink.dash.state import state_of
from outthink.dash.streaming import Streams
from outthink.dash.watching import Watch
from outthink.search import BestOfN, ParticleFilter, Vote
from outthink.store import NoSuchRun, Recorder, Store
from tests.dash.solved import chain, share_of_a, solved
from tests.dash.test_listing import statements


async def test_meters_hold_what_the_bill_says(store: Store) -> None:
    run = store.run(
        await solved(store, BestOfN(n=4), verifier=share_of_a(), budget=Budget(tokens=200, verifier_calls=4))
    )
    assert run.result is not None
    state = state_of(run)
    meters = {meter["name"]: (meter["used"], meter["most"]) for meter in state["meters"]}
    assert meters["tokens"] == (run.result.cost.tokens, 200)
    assert meters["verifier_calls"] == (4, 4)
    assert {one["role"]: one["spent"] for one in state["roles"]} == {
        role: cost.tokens for role, cost in run.result.by_role.items() if cost.tokens
    }


async def test_roles_of_a_run_that_goes_on_come_from_its_events(store: Store) -> None:
    run = store.run(await solved(store, BestOfN(n=4), verifier=share_of_a()))
    going = msgspec.structs.replace(run, result=None)
    assert state_of(going)["roles"] == state_of(run)["roles"]


async def test_answers_share_the_vote(store: Store) -> None:
    run = store.run(await solved(store, Vote(n=9), seed=1))
    assert run.result is not None
    found = state_of(run)["answers"]
    assert found[0]["answer"] == run.result.answer
    assert found[0]["chosen"]
    assert found[0]["share"] == pytest.approx(run.result.agreement)
    assert sum(one["count"] for one in found) <= 9


class Stepping:
    """A run whose steps happen one at a time, when the test says so."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.may = asyncio.Semaphore(0)
        self.done = asyncio.Semaphore(0)

    async def begin(self) -> Recorder:
        self.task = Task(prompt="Which letters?")
        self.recorder = await self.store.begin(self.task, method="particle-filter", seed=0)
        self.working = asyncio.ensure_future(self._solve())
        return self.recorder

    async def _solve(self) -> None:
        steps = self.may
        one = chain()
        advance = one.advance

        async def waits(*states: object, **how: object) -> object:
            await steps.acquire()
            return await advance(*states, **how)  # type: ignore[arg-type]

        one.advance = waits  # type: ignore[assignment, method-assign]
        session = Session.open(seed=0, sinks=[self.recorder], name=self.recorder.id)
        self.recorder.watch(session)
        search = Search(lambda task: one, ParticleFilter(n=4), share_of_a())
        result = await search.solve(self.task, session, on_step=self._stepped)
        await self.recorder.ended(result)

    def _stepped(self, snapshot: object) -> None:
        self.recorder.on_step(snapshot)  # type: ignore[arg-type]
        self.done.release()

    async def step(self) -> None:
        self.may.release()
        await self.done.acquire()
        await self.recorder.written()


async def test_a_watch_reads_what_is_new_and_no_more(store: Store) -> None:
    run = Stepping(store)
    recorder = await run.begin()
    watch = Watch.open(store, recorder.id)
    assert watch.going
    known = 0
    for level in (1, 2, 3):
        await run.step()
        with statements(store) as asked:
            assert watch.look()
        # The last step may have ended the run, which is then read as it was stored.
        assert len(asked) <= 4 or not watch.going, asked
        assert len(watch.run.events) > known
        known = len(watch.run.events)
        assert state_of(watch.run)["members"] == 4 * level
        if level < 3:
            with statements(store) as asked:
                assert not watch.look()
            assert len(asked) == 1, "nothing new is one row"
    await run.working
    watch.look()
    assert not watch.going
    assert watch.run == store.run(recorder.id)


async def test_a_run_that_was_taken_up_again_is_read_anew(store: Store) -> None:
    name = await solved(store, ParticleFilter(n=4), verifier=share_of_a(), budget=Budget(verifier_calls=6))
    assert store.run(name).line.stop == "budget"
    watch = Watch.open(store, name)
    before = watch.run.events
    recorder = await store.resume(name)
    assert watch.look()
    assert watch.going
    assert len(watch.run.events) < len(before)
    recorder.failed(RuntimeError("enough"))
    await recorder.written()
    assert watch.look()
    assert "enough" in watch.run.error


async def test_a_stream_tells_each_change_and_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LOOK_SECONDS", 0.01)
    run = Stepping(store)
    recorder = await run.begin()
    streams = Streams(store)
    reply = await streams.run(recorder.id, None)
    told: list[str] = []
    changed = asyncio.Event()

    async def listen() -> None:
        async for piece in reply.body_iterator:  # type: ignore[attr-defined]
            told.append(bytes(piece).decode())
            changed.set()

    listening = asyncio.ensure_future(listen())
    for _ in range(3):
        changed.clear()
        await run.step()
        await asyncio.wait_for(changed.wait(), 20)
    await asyncio.wait_for(listening, 20)
    assert streams.open == 0
    assert told[-1].startswith("event: ended\n")
    members = [text.partition('"members":')[2].partition(",")[0] for text in told[:-1]]
    assert members[-1] == "12"
    assert members == sorted(members, key=int)
    assert len(set(members)) >= 3, "each step is told when it is written, not all at the end"


async def test_streams_are_counted_and_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await solved(store, Vote(n=2))
    monkeypatch.setattr(streaming, "MOST", 0)
    assert (await Streams(store).run(name, None)).status_code == 503
    with pytest.raises(NoSuchRun):
        await Streams(store).run("nobody", None)
