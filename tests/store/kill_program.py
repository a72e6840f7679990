"""Kills a run with SIGKILL at many random moments and resumes it; prints what was seen, one JSON document a kill.

    python -m tests.store.kill_program STORE_URL FOLDER KILLS SEED

A process of its own, because it forks: every run and every resumption is a child that holds nothing of the others but the store and one
file, in which the engine notes each call that it serves before it answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outthink.core import Cut, Failure, Result
from outthink.engines import Engine, EngineCapabilities, Generation, Request
from outthink.engines.recording import recording
from outthink.engines.request_key import request_key
from outthink.store import Store, solve_stored
from tests.store.words import TASK, filtered, scripted

CALL_SECONDS = 0.003


class Counting(Engine):
    """An engine that notes in a file, before it answers, which request it served."""

    def __init__(self, inside: Engine, path: Path) -> None:
        self.inside = inside
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @property
    def name(self) -> str:
        return self.inside.name

    @property
    def capabilities(self) -> EngineCapabilities:
        return self.inside.capabilities

    def most(self, requests: Sequence[Request]) -> Any:
        return self.inside.most(requests)

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        # Each call its own time, so that a kill finds some replies stored and others not.
        await asyncio.sleep(CALL_SECONDS * (1 + requests[0].seed % 3))
        replies = await self.inside.generate(requests, cut=cut)
        for request in requests:
            os.write(self.file, f"{request_key(self.name, request)}\n".encode())
        return replies

    def counters(self) -> Any:
        return self.inside.counters()

    async def close(self) -> None:
        os.close(self.file)
        await self.inside.close()


def child(url: str, served: Path, outcome: Path, resume: str | None) -> int:
    """Solve, or resume, in a child process; its number."""
    number = os.fork()
    if number:
        return number
    try:
        solve(url, served, outcome, resume)
        os._exit(0)
    finally:
        # Only a failure comes here; nothing of the parent's may run in this process.
        traceback.print_exc()
        os._exit(1)


def solve(url: str, served: Path, outcome: Path, resume: str | None) -> None:
    async def main() -> Result:
        with Store.open(url) as store:
            engine = Counting(scripted(), served)
            if resume is None:
                recorder = await store.begin(TASK, method="particle-filter", engine=engine.name)
            else:
                recorder = await store.resume(resume)
            search = filtered(recording(engine, recorder.replies))
            result = await solve_stored(search, TASK, recorder)
            await engine.close()
        return result

    outcome.write_text(asyncio.run(main()).to_json())


def calls(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def stored_replies(url: str, run: str) -> tuple[int, set[str]]:
    """The step that the run would go on from, and the requests past it whose replies are stored."""
    import sqlalchemy as sa

    from outthink.store.tables import replies

    with Store.open(url) as store:
        found = store.run(run)
        step = max(found.checkpoints, default=0)
        wanted = sa.select(replies.c.key).where(
            replies.c.run == found.line.number,
            replies.c.step == step,
            replies.c.kind == "generate",
            replies.c.value.is_not(None),
        )
        with store._database.read() as connection:
            return step, set(connection.execute(wanted).scalars())


def ended(url: str, run: str | None) -> str | None:
    """The stored result of a run that is complete."""
    if run is None:
        return None
    with Store.open(url) as store:
        result = store.run(run).result
    return None if result is None else result.to_json()


def newest(url: str, known: set[str]) -> str | None:
    with Store.open(url) as store:
        return next((line.id for line in store.runs() if line.id not in known), None)


def say(document: str) -> None:
    sys.stdout.write(document + "\n")
    sys.stdout.flush()


def main(url: str, folder: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    known: set[str] = set()
    seconds = 0.0
    for name in ("first", "whole"):  # the first one makes the tables
        started = time.monotonic()
        os.waitpid(child(url, folder / f"{name}.calls", folder / f"{name}.json", None), 0)
        seconds = time.monotonic() - started
        known.add(newest(url, known) or "")
    order = calls(folder / "whole.calls")
    say(json.dumps({"whole": json.loads((folder / "whole.json").read_text()), "calls": order}))
    for number in range(kills):
        served, outcome = folder / f"{number}.calls", folder / f"{number}.json"
        run: str | None = None
        paid_twice: list[str] = []
        moments = []
        # The first process is killed, and now and then the one that resumes it as well.
        for _ in range(rng.choice([1, 1, 2])):
            before = len(calls(served))
            kept = stored_replies(url, run) if run else (0, set())
            number_of_child = child(url, served, outcome, run)
            moments.append(rng.uniform(0.0, seconds * 1.02))
            time.sleep(moments[-1])
            os.kill(number_of_child, signal.SIGKILL)
            os.waitpid(number_of_child, 0)
            paid_twice += sorted(set(calls(served)[before:]) & kept[1])
            run = run or newest(url, known)
        killed_at = len(calls(served))
        stopped = ended(url, run)
        if stopped is not None:  # the moment came too late, maybe so late that only the store knows the result
            outcome.write_text(stopped)
        complete = stopped is not None
        if complete and len(moments) == 1:
            # The machine has become faster since the whole run was timed: this one was over before its moment.
            seconds = min(seconds, moments[-1])
        step, kept_keys = stored_replies(url, run) if run else (0, set())
        if not complete:
            number_of_child = child(url, served, outcome, run)
            _, status = os.waitpid(number_of_child, 0)
            if status:
                raise SystemExit(f"the resumed run failed with status {status}")
            run = run or newest(url, known)
        known.add(run or "")
        later = calls(served)[killed_at:]
        report = {
            "moments": moments,
            "complete_before": complete,
            "step": step,
            "kept": len(kept_keys),
            "again": sorted(set(later) & kept_keys) + paid_twice,
            "earlier_steps": [key for key in later if key in order[: step * 4]],
            "most_served": max(Counter(calls(served)).values(), default=0),
            "served": len(calls(served)),
            "resumed_calls": len(later),
            "result": json.loads(outcome.read_text()),
        }
        say(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
