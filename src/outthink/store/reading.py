"""Reading runs back from a store's tables."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from outthink.core.errors import explain, nearest
from outthink.core.events import AnyEvent
from outthink.core.key import Key
from outthink.core.task import Candidate, Task
from outthink.store.contents import content_hash, unpack, unpack_features
from outthink.store.errors import NoSuchRun
from outthink.store.owner import is_gone
from outthink.store.recorder import Resumption
from outthink.store.results import chosen_node, unpack_result
from outthink.store.stored import RunLine, StoredRun
from outthink.store.tables import candidates, checkpoints, contents, details, events, replies, runs, scores

LAST = "last"
"""The name that stands for the run begun last."""


def list_runs(
    connection: sa.Connection, *, limit: int | None, status: str | None = None, method: str | None = None
) -> list[RunLine]:
    """Runs, the latest first."""
    wanted = sa.select(runs).order_by(runs.c.number.desc())
    if method is not None:
        wanted = wanted.where(runs.c.method == method)
    if status is not None:
        wanted = wanted.where(runs.c.status == ("running" if status == "killed" else status))
    if limit is not None and status not in ("running", "killed"):
        wanted = wanted.limit(limit)
    gone: dict[tuple[str, str], bool] = {}
    lines = [line_of(row, gone) for row in connection.execute(wanted).mappings()]
    if status is not None:
        lines = [line for line in lines if line.status == status]
    return lines[:limit]


def find_run(connection: sa.Connection, name: str) -> RunLine:
    """The run of this name, of which this is the beginning, or "last". Raises `NoSuchRun`."""
    latest = sa.select(runs).order_by(runs.c.number.desc())
    if name == LAST:
        rows = connection.execute(latest.limit(1)).mappings().all()
    else:
        # The whole name is found by its index; only a beginning asks for a look at every name.
        rows = connection.execute(latest.where(runs.c.id == name)).mappings().all()
        begins = latest.where(runs.c.id.startswith(name, autoescape=True)).limit(2)
        rows = rows or connection.execute(begins).mappings().all()
    if len(rows) == 1:
        return line_of(rows[0], {})
    if rows:
        remedy = "Write more of its name: " + ", ".join(row["id"] for row in rows) + ", ..."
        raise NoSuchRun(explain("Several stored runs begin so.", got=name, expected="the name of one", remedy=remedy))
    known = connection.execute(sa.select(runs.c.id).order_by(runs.c.number.desc()).limit(200)).scalars().all()
    remedy = nearest(name, known) if known else "The store is empty."
    raise NoSuchRun(
        explain(
            "There is no stored run of this name.",
            got=name,
            expected=f"the name of a run, its beginning, or {LAST!r}",
            remedy=f"{remedy} `outthink runs list` shows them.",
        )
    )


def read_run(connection: sa.Connection, name: str) -> StoredRun:
    """Everything of one run. Raises `NoSuchRun`."""
    line = find_run(connection, name)
    wide = connection.execute(sa.select(details).where(details.c.run == line.number)).one()
    found = read_candidates(connection, line.number)
    steps = sa.select(checkpoints.c.step).where(checkpoints.c.run == line.number).order_by(checkpoints.c.step.desc())
    open_requests = sa.select(replies.c.about).where(
        replies.c.run == line.number, replies.c.kind == "generate", replies.c.value.is_(None)
    )
    return StoredRun(
        line=line,
        task=msgspec.msgpack.decode(wide.task, type=Task),
        recipe=msgspec.json.decode(wide.recipe),
        budget=msgspec.json.decode(wide.budget),
        version=wide.version,
        result=None if wide.result is None else unpack_result(wide.result, found),
        error=wide.error or "",
        candidates=found,
        scores=read_scores(connection, line.number),
        events=tuple(read_events(connection, line.number)),
        checkpoints=tuple(connection.execute(steps).scalars()),
        unanswered=tuple(connection.execute(open_requests).scalars()),
    )


def read_chosen(connection: sa.Connection, number: int) -> int | None:
    """The node of a run's answer; None where it has none, or none yet."""
    packed = connection.execute(sa.select(details.c.result).where(details.c.run == number)).scalar()
    return None if packed is None else chosen_node(packed)


def read_events(connection: sa.Connection, number: int, *, first: int = 0) -> list[AnyEvent]:
    """The events of a run from the `first` on, in order; `Event.run` is "" for the run itself."""
    rows = connection.execute(
        sa.select(events.c.name, events.c.body)
        .where(events.c.run == number, events.c.sequence >= first)
        .order_by(events.c.sequence)
    )
    decoder = msgspec.json.Decoder(AnyEvent)
    found = []
    for name, body in rows:
        event = decoder.decode(body)
        found.append(msgspec.structs.replace(event, run=name) if name else event)
    return found


def read_candidates(
    connection: sa.Connection, number: int, *, name: str = "", first: int = 0, last: int | None = None
) -> dict[int, Candidate]:
    """What was seen at each node, from `first` to `last`, of the run itself, or of the run of this name inside it."""
    wanted = (
        sa.select(candidates, contents.c.form, contents.c.body)
        .join(contents, contents.c.hash == candidates.c.content)
        .where(candidates.c.run == number, candidates.c.name == name, candidates.c.node >= first)
        .order_by(candidates.c.node)
    )
    rows = connection.execute(wanted if last is None else wanted.where(candidates.c.node <= last))
    return {
        row.node: Candidate(
            id=row.node,
            content=unpack(row.form, row.body),
            kind=row.kind,
            final=row.final,
            answer=row.answer,
            features=unpack_features(row.features),
        )
        for row in rows
    }


def read_scores(connection: sa.Connection, number: int) -> dict[int, float | None]:
    """What the verifier said of each node of the run itself; None is no opinion."""
    own = sa.select(scores.c.node, scores.c.value).where(scores.c.run == number, scores.c.name == "")
    return {row.node: row.value for row in connection.execute(own.order_by(scores.c.node))}


def read_key(connection: sa.Connection, line: RunLine) -> Key:
    """The root of a run's randomness."""
    written = connection.execute(sa.select(details.c.key_path).where(details.c.run == line.number)).scalar_one()
    return Key(line.seed, tuple(msgspec.json.decode(written)))


def last_checkpoint(connection: sa.Connection, number: int) -> Resumption | None:
    """The newest checkpoint whose bytes are as they were written; None when there is none: the run starts again."""
    rows = connection.execute(
        sa.select(checkpoints).where(checkpoints.c.run == number).order_by(checkpoints.c.step.desc())
    )
    for row in rows:
        if content_hash(row.data) == row.hash:
            return Resumption(row.step, row.sequence, row.next_node, row.seconds, row.data)
    return None


def line_of(row: Any, gone: dict[tuple[str, str], bool]) -> RunLine:
    """A row of the table of runs. `gone` remembers which processes are gone, so that each is looked for once."""
    values = dict(row)
    owner = (values.pop("host"), values.pop("process"))
    if values["status"] == "running":
        if owner not in gone:
            gone[owner] = is_gone(*owner)
        values["status"] = "killed" if gone[owner] else "running"
    return RunLine(**{**values, "seed": int(values["seed"])})
