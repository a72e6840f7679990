"""One search, solved while it is stored: opens the session, hands the search its checkpoint, writes the end.

    recorder = await store.begin(task, method=search.method, seed=0)
    result = await solve_stored(search, task, recorder)

An engine whose replies are to survive a kill is wrapped with `outthink.engines.recording.recording(engine, recorder.replies)` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.events import Sink, Trace
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.settings import replace as changed
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.store.recorder import Recorder

LEAST_SECONDS = 1e-3


async def solve_stored(
    search: Search,
    task: Task,
    recorder: Recorder,
    *,
    budget: Budget | None = None,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
) -> Result:
    """The search's result, stored, in a session of its own with the key that the run began with.

    A run that is resumed goes on after its checkpoint, and its time limit counts what it had used. Raises what the search raises, after
    it is stored, and `StoreError` when the store fails.
    """
    limits = _rest(budget, recorder.seconds_before)
    session = Session.open(budget=limits, sinks=sinks, cut=cut)
    session.key = recorder.key
    try:
        return await solve_in_session(search, task, recorder, session)
    finally:
        session.close()


async def solve_in_session(
    search: Search, task: Task, recorder: Recorder, session: Session, *, checkpoints: bool = True
) -> Result:
    """The same in a session that is open: its key, ledger, cut and sinks, under the name of the stored run.

    Without `checkpoints` it is written in one piece when it ends, which nobody waits for; one that is killed begins again.
    """
    inner = replace(session, trace=Trace((recorder, *session.trace.sinks)), name=recorder.id)
    recorder.watch(inner)
    on_step = recorder.on_step if checkpoints else None
    try:
        result = await search.solve(task, inner, resume=recorder.resume, on_step=on_step)
        await recorder.ended(result, brief=not checkpoints)
    except Exception as error:
        recorder.failed(error)
        await recorder.written()
        raise
    except BaseException as error:
        # Cancelled: there is no time to wait for the database.
        recorder.failed(error)
        raise
    return result


def _rest(budget: Budget | None, used: float) -> Budget | None:
    if budget is None or budget.seconds is None or not used:
        return budget
    return changed(budget, seconds=max(LEAST_SECONDS, budget.seconds - used))
