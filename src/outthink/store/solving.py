"""One search, solved while it is stored: opens the session, hands the search its checkpoint, writes the end.

    recorder = await store.begin(task, method=search.method, seed=0)
    result = await solve_stored(search, task, recorder, seed=0)

An engine whose replies are to survive a kill is wrapped with `outthink.engines.recording.recording(engine, recorder.replies)` first.
"""

from __future__ import annotations

from collections.abc import Sequence

from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.settings import replace
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.store.recorder import Recorder

LEAST_SECONDS = 1e-3


async def solve_stored(
    search: Search,
    task: Task,
    recorder: Recorder,
    *,
    seed: int,
    budget: Budget | None = None,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
) -> Result:
    """The search's result, stored. A run that is resumed goes on after its checkpoint, and its time limit counts what it had used.

    Raises what the search raises, after it is stored, and `StoreError` when the store fails.
    """
    limits = _rest(budget, recorder.seconds_before)
    session = Session.open(seed=seed, budget=limits, sinks=[recorder, *sinks], cut=cut, name=recorder.id)
    recorder.watch(session)
    try:
        result = await search.solve(task, session, resume=recorder.resume, on_step=recorder.on_step)
        await recorder.ended(result)
    except Exception as error:
        recorder.failed(error)
        await recorder.written()
        raise
    except BaseException as error:
        # Cancelled: there is no time to wait for the database.
        recorder.failed(error)
        raise
    finally:
        session.close()
    return result


def _rest(budget: Budget | None, used: float) -> Budget | None:
    if budget is None or budget.seconds is None or not used:
        return budget
    return replace(budget, seconds=max(LEAST_SECONDS, budget.seconds - used))
