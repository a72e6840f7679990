from __future__ import annotations

import asyncio

from outthink.core import Budget, Cost, Session
from outthink.core.cost import ZERO
from outthink.core.events import Warned
from outthink.testing import run_virtual


def test_the_deadline_fires_on_the_loops_own_clock() -> None:
    async def work() -> None:
        session = Session.open(budget=Budget(seconds=3600))
        assert await session.cut.wait() == "seconds"
        assert session.elapsed() == 3600.0
        session.close()

    run_virtual(work())


def test_a_closed_session_has_no_deadline() -> None:
    async def work() -> None:
        session = Session.open(budget=Budget(seconds=5))
        session.close()
        await asyncio.sleep(10)
        assert session.cut.reason is None

    run_virtual(work())


def test_children_share_ledger_and_trace_and_extend_the_key() -> None:
    async def work() -> None:
        heard: list[object] = []
        session = Session.open(seed=4, budget=Budget(tokens=10), sinks=[heard.append])
        await asyncio.sleep(2)
        child = session.child("a", budget=Budget(tokens=4)).child("b")
        assert child.name == "a/b"
        assert child.key == session.key.child("a").child("b")
        assert child.ledger.remaining("tokens") == 4
        child.ledger.settle(ZERO, Cost(output_tokens=3), "verify")
        assert session.ledger.total.tokens == 3
        assert session.ledger.remaining("tokens") == 7
        assert (child.elapsed(), session.elapsed()) == (0.0, 2.0)
        child.trace.emit(Warned(message="x", run=child.name))
        assert heard == session.trace.of("a/b") == [Warned(message="x", run="a/b")]
        assert child.cut is session.cut

    run_virtual(work())


def test_a_childs_deadline_is_its_own_and_the_parents_reaches_it() -> None:
    async def work() -> None:
        session = Session.open(budget=Budget(seconds=10))
        short, long = session.child("short", budget=Budget(seconds=2)), session.child("long", budget=Budget(seconds=99))
        await asyncio.sleep(3)
        assert (short.cut.reason, long.cut.reason, session.cut.reason) == ("seconds", None, None)
        session.cut.fire("interrupt")
        assert long.cut.reason == "interrupt"
        assert short.cut.reason == "seconds"
        late = session.child("late", budget=Budget(seconds=5))
        assert late.cut.reason == "interrupt"
        for one in (short, long, late, session):
            one.close()

    run_virtual(work())


def test_a_closed_child_is_forgotten_by_its_parent() -> None:
    async def work() -> None:
        session = Session.open()
        child = session.child("a", budget=Budget(seconds=5))
        child.close()
        session.cut.fire("interrupt")
        assert child.cut.reason is None

    run_virtual(work())
