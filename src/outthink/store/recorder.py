"""What writes one run into a store while it runs: a sink of its events, the keeper of its checkpoints and of its replies.

    recorder = await store.begin(task, method="vote")
    session = Session.open(seed=0, sinks=[recorder], name=recorder.id)
    recorder.watch(session)
    result = await search.solve(task, session, on_step=recorder.on_step)       # with recording(engine, recorder.replies)
    await recorder.ended(result)                                               # `solve_stored` does all this

Nothing here waits for the database: events gather in memory, and each step hands its events, contents, scores and checkpoint to the
store's writer as one piece, which becomes part of one transaction. So what is stored is always the state after some whole step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from outthink.core.errors import explain
from outthink.core.events import AnyEvent, Charged, Scored
from outthink.core.key import Key
from outthink.core.result import Result, Stop
from outthink.core.session import Session
from outthink.core.solver import Snapshot
from outthink.core.task import Candidate
from outthink.store.contents import content_hash, pack, pack_features
from outthink.store.database import insert_or_replace, insert_or_skip
from outthink.store.errors import StoreError
from outthink.store.journal import Journal
from outthink.store.late import LateRow, Line
from outthink.store.results import answer_shown, pack_result
from outthink.store.tables import candidates, checkpoints, contents, details, events, replies, runs, scores
from outthink.store.writer import Writer

CHECKPOINTS = 2
"""How many checkpoints of a live run are kept: the last, and the one before it in case the last is damaged."""

SPENT = ("tokens", "calls", "verifier_calls", "denoiser_evals")

# Statements are made once: making them costs more than running them.
EVENTS = events.insert()
OUTDATED = tuple(
    table.delete().where(table.c.run == sa.bindparam("of"), table.c.step < sa.bindparam("oldest"))
    for table in (checkpoints, replies)
)
_ONE = runs.update().where(runs.c.number == sa.bindparam("of"))
STEPPED = _ONE.values(steps=sa.bindparam("step"))
PROGRESSED = _ONE.values({name: sa.bindparam(name) for name in (*SPENT, "seconds", "updated")})
_RESULT = (
    "status",
    "steps",
    "seconds",
    "tokens",
    "calls",
    "verifier_calls",
    "denoiser_evals",
    "stop",
    "limit",
    "answer",
    "updated",
)
ENDED = _ONE.values({name: sa.bindparam(name) for name in _RESULT})
CONCLUDED = (
    details.update().where(details.c.run == sa.bindparam("of")).values(result=sa.bindparam("packed"), error=None)
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Resumption:
    """Where a run goes on: the checkpoint, and how many events, nodes and seconds came before it."""

    step: int
    sequence: int
    next_node: int
    seconds: float
    data: bytes


class Recorder:
    """Writes one run. Made by `Store.begin` and `Store.resume`; used from the run's event loop.

    Attributes:
        id: the run's name in the store, and the name to give its session.
        key: the root of the run's randomness.
        replies: the reply log for `outthink.engines.recording.recording`.
        resume: the checkpoint to hand to `Search.solve`; None for a run that begins.
        seconds_before: seconds that the run had used before this process took it up.
    """

    def __init__(
        self,
        writer: Writer | LateRow,
        line: Line,
        name: str,
        key: Key,
        journal: Journal,
        at: Resumption | None = None,
    ) -> None:
        self.id = name
        self.key = key
        self.replies = journal
        self.resume = at.data if at else None
        self.seconds_before = at.seconds if at else 0.0
        self._writer = writer
        self._line = line
        self._sequence = at.sequence if at else 0
        self._events: list[AnyEvent] = []
        self._session: Session | None = None
        self._contents_seen = 0
        self._failures = 0
        self._spent: Row = dict.fromkeys(SPENT, 0)

    def __call__(self, event: AnyEvent) -> None:
        """Take an event, as a sink of the session's trace."""
        self._events.append(event)

    def watch(self, session: Session) -> None:
        """Say whose contents are to be stored. Raises `StoreError` when the session does not bear this run's name."""
        if session.name != self.id:
            raise StoreError(
                explain(
                    "The session is not named as the stored run.",
                    got=session.name,
                    expected=self.id,
                    remedy="Open it with Session.open(name=recorder.id).",
                )
            )
        self._session = session
        session.began -= self.seconds_before

    def on_step(self, snapshot: Snapshot) -> None:
        """Store a step with its checkpoint; give it to `Search.solve`.

        A step that a limit or a cut has touched, or in which a member failed, is stored without a checkpoint: who resumes the run goes on
        before it, with the replies of that step, and so comes to what a run without that limit or failure had come to.
        """
        write = self._flush()
        if not self._is_whole(snapshot):
            self._writer.post(write)
            return
        sequence, seconds = self._sequence, self._seconds()
        next_node = int(snapshot.run.get("next_node", 0))

        def step(connection: sa.Connection) -> None:
            write(connection)
            # States are immutable, so they may be written out while the search goes on.
            data = snapshot.dump()
            row = {"run": self._line.number, "step": snapshot.step, "sequence": sequence, "next_node": next_node}
            more = {"seconds": seconds, "hash": content_hash(data), "data": data}
            insert_or_replace(connection, checkpoints, [{**row, **more}])
            oldest = snapshot.step - CHECKPOINTS + 1
            for outdated in OUTDATED:
                connection.execute(outdated, {"of": self._line.number, "oldest": oldest})
            connection.execute(STEPPED, {"of": self._line.number, "step": snapshot.step})

        self._writer.post(step)
        self.replies.checkpoint(snapshot.step)

    async def ended(self, result: Result, *, brief: bool = False) -> None:
        """Store the result; returns when it is written. A complete run gives up its checkpoints and replies.

        `brief`: the run has kept none, and nobody waits for it to be written.
        """
        # What the record keeps of a candidate stands before the whole one, which may be too large for it.
        seen = self._session.trace.contents if self._session is not None else {}
        kept = [(self.id, seen.get((self.id, one.id), one)) for one in result.candidates if one.id >= 0]
        write = self._flush(kept, ending=True)
        final = result.stop in (Stop.DONE, Stop.MAX_STEPS) and not brief
        values = {
            "status": "ended",
            "steps": result.steps,
            "seconds": result.seconds,
            "tokens": result.cost.tokens,
            "calls": result.cost.calls,
            "verifier_calls": result.cost.verifier_calls,
            "denoiser_evals": result.cost.denoiser_evals,
            "stop": result.stop.value,
            "limit": result.limit,
            "answer": answer_shown(result),
        }

        def end(connection: sa.Connection) -> None:
            write(connection)
            connection.execute(CONCLUDED, {"of": self._line.number, "packed": pack_result(result)})
            connection.execute(ENDED, {"of": self._line.number, **values, "updated": time.time()})
            if final:
                for table in (checkpoints, replies):
                    connection.execute(table.delete().where(table.c.run == self._line.number))

        if brief:
            self._writer.post(end)
        else:
            await self._writer.run(end)

    def failed(self, error: BaseException) -> None:
        """Store, without waiting for it, that the run ended without a result, and why; it may be resumed."""
        write, message = self._flush(), f"{type(error).__name__}: {error}"

        def end(connection: sa.Connection) -> None:
            write(connection)
            connection.execute(details.update().where(details.c.run == self._line.number).values(error=message))
            connection.execute(self._row().values(status="failed", updated=time.time()))

        self._writer.post(end)

    async def written(self) -> None:
        """Return once all that was handed in is written."""
        await self.replies.kept()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _is_whole(self, snapshot: Snapshot) -> bool:
        """Whether a step is as it would be with all the budget and time in the world."""
        before, self._failures = self._failures, len(snapshot.run.get("failures", ()))
        cut = self._session is not None and self._session.cut.reason
        return not (snapshot.run.get("limit") or cut or self._failures > before)

    def _row(self) -> sa.Update:
        return runs.update().where(runs.c.number == self._line.number)

    def _seconds(self) -> float:
        return self._session.elapsed() if self._session is not None else 0.0

    def _flush(
        self, also: Sequence[tuple[str, Candidate]] = (), *, ending: bool = False
    ) -> Callable[[sa.Connection], None]:
        """Take what has gathered; the function returned writes it.

        Args:
            also: further candidates with their run's name, which stand before what has gathered of the same nodes.
            ending: whether the result, which is written next, tells how far the run has come.
        """
        taken, self._events = self._events, []
        first, self._sequence = self._sequence, self._sequence + len(taken)
        new: list[tuple[str, Candidate]] = []
        if self._session is not None:
            seen = self._session.trace.contents
            fresh = islice(seen.items(), self._contents_seen, None)
            new = [(name, value) for (name, _), value in fresh if isinstance(value, Candidate)]
            self._contents_seen = len(seen)
        charged = [event for event in taken if isinstance(event, Charged)]
        if charged:
            last = charged[-1]
            self._spent = {name: getattr(last, name) for name in SPENT}
        progress = {**self._spent, "seconds": self._seconds()}

        def write(connection: sa.Connection) -> None:
            if taken:
                connection.execute(EVENTS, [self._event(first + i, e) for i, e in enumerate(taken)])
            self._keep(connection, [(self._below(name), candidate) for name, candidate in (*new, *also)])
            insert_or_replace(connection, scores, self._scores(taken))
            if not ending:
                connection.execute(PROGRESSED, {"of": self._line.number, **progress, "updated": time.time()})

        return write

    def _below(self, name: str) -> str:
        """A run's name within this one: "" for itself."""
        return name.removeprefix(self.id).removeprefix("/")

    def _event(self, sequence: int, event: AnyEvent) -> Row:
        body = msgspec.json.encode(msgspec.structs.replace(event, run="")).decode()
        return {"run": self._line.number, "sequence": sequence, "name": self._below(event.run), "body": body}

    def _scores(self, taken: list[AnyEvent]) -> list[Row]:
        found = {
            (self._below(event.run), node): value
            for event in taken
            if isinstance(event, Scored)
            for node, value in zip(event.nodes, event.values, strict=True)
        }
        return [
            {"run": self._line.number, "name": name, "node": node, "value": value}
            for (name, node), value in found.items()
        ]

    def _keep(self, connection: sa.Connection, seen: list[tuple[str, Candidate]]) -> None:
        rows: dict[tuple[str, int], Row] = {}
        bodies: dict[bytes, Row] = {}
        for name, candidate in seen:
            content = pack(candidate.content)
            bodies[content.hash] = {"hash": content.hash, "form": content.form, "body": content.body}
            rows[(name, candidate.id)] = {
                "run": self._line.number,
                "name": name,
                "node": candidate.id,
                "content": content.hash,
                "kind": candidate.kind,
                "final": candidate.final,
                "answer": candidate.answer,
                "features": pack_features(candidate.features),
            }
        # In the order of their hashes: two writers that insert the same contents must not wait for each other.
        insert_or_skip(connection, contents, [bodies[name] for name in sorted(bodies)])
        insert_or_replace(connection, candidates, list(rows.values()))
