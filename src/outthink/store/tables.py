"""The tables of a store.

A *run* is one search on one task, and everything else hangs on its number. Its *events* are the whole record of what happened, in order;
*candidates* and *scores* are that record by node, ready to be read. *Contents* are stored once, by hash, whoever holds them. *Checkpoints*
and *replies* exist only for runs that may be resumed. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

import sqlalchemy as sa

from outthink.store.columns import AnyText

METADATA = sa.MetaData()

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
HASH_BYTES = 16


def _run(*, primary: bool = True) -> sa.Column[int]:
    return sa.Column("run", KEY, sa.ForeignKey("runs.number", ondelete="CASCADE"), primary_key=primary, nullable=False)


runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("number", KEY, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created", sa.Double, nullable=False, index=True),
    sa.Column("updated", sa.Double, nullable=False),
    sa.Column("host", AnyText, nullable=False),
    sa.Column("process", AnyText, nullable=False),
    sa.Column("task", AnyText, nullable=False),
    sa.Column("question", AnyText, nullable=False),
    sa.Column("method", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("engine", AnyText, nullable=False),
    sa.Column("seed", sa.String(80), nullable=False),
    sa.Column("steps", sa.Integer, nullable=False, default=0),
    sa.Column("seconds", sa.Double, nullable=False, default=0.0),
    sa.Column("tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("calls", sa.BigInteger, nullable=False, default=0),
    sa.Column("verifier_calls", sa.BigInteger, nullable=False, default=0),
    sa.Column("denoiser_evals", sa.BigInteger, nullable=False, default=0),
    sa.Column("stop", sa.String(16), nullable=False, default=""),
    sa.Column("limit", sa.String(32), nullable=False, default=""),
    sa.Column("answer", AnyText),
)
"""One row a run. `question` and `answer` are their first 200 characters, for lists."""

LIST_INDEXES = tuple(
    sa.Index(f"runs_by_{column.name}", column, runs.c.number)
    for column in (runs.c.status, runs.c.method, runs.c.engine)
)
"""For lists that are filtered and read a page at a time."""

details = sa.Table(
    "run_details",
    METADATA,
    _run(),
    sa.Column("task", sa.LargeBinary, nullable=False),
    sa.Column("key_path", AnyText, nullable=False),
    sa.Column("recipe", AnyText, nullable=False),
    sa.Column("budget", AnyText, nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("result", sa.LargeBinary),
    sa.Column("error", AnyText),
)
"""What is wide and read for one run at a time."""

contents = sa.Table(
    "contents",
    METADATA,
    sa.Column("hash", sa.LargeBinary(HASH_BYTES), primary_key=True),
    sa.Column("form", sa.String(16), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

events = sa.Table(
    "events",
    METADATA,
    _run(),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", AnyText, nullable=False),
    sa.Column("body", AnyText, nullable=False),
    sqlite_with_rowid=False,
)
"""`name` is the child run that the event belongs to, "" for the run itself."""

candidates = sa.Table(
    "candidates",
    METADATA,
    _run(),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary(HASH_BYTES), sa.ForeignKey("contents.hash"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    sa.Column("answer", AnyText),
    sa.Column("features", AnyText),
    sqlite_with_rowid=False,
)

scores = sa.Table(
    "scores",
    METADATA,
    _run(),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double),
    sqlite_with_rowid=False,
)
"""NULL is no opinion."""

checkpoints = sa.Table(
    "checkpoints",
    METADATA,
    _run(),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("next_node", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("hash", sa.LargeBinary(HASH_BYTES), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""A search between two steps. `sequence` and `next_node` say which events and nodes came before it."""

replies = sa.Table(
    "replies",
    METADATA,
    _run(),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("about", AnyText, nullable=False, default=""),
    sa.Column("value", sa.LargeBinary),
    sqlite_with_rowid=False,
)
"""Requests since a checkpoint, written before they are sent; `value` is NULL until the reply is there."""
