"""One SQL query against an SQLite database, inside a worker process only: a query can take for ever.

The database is opened for reading and nothing else: no other file can be attached, no setting changed, nothing written, even where the
query asks for it. What comes back is a digest of the rows, so that two queries are compared without their rows leaving the process.

Values are compared as SQLite holds them: 1 and 1.0 are equal, '1' is another value; decimal fractions count with ten digits, because a
sum depends on its order; text is compared exactly. Column names are no part of a result; the order and number of columns are.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MOST_ROWS = 1_000_000
MOST_BYTES = 200_000_000
"""Of texts and blobs in a result."""
LONGEST_VALUE = 10_000_000
"""Bytes of one text or blob; a query cannot make a longer one."""
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


LONGEST_SHOWN = 60
"""Characters of one value that is shown."""


def result(database: str, script: str, query: str, ordered: bool, shown: int = 0) -> dict[str, Any]:
    """What a query gives: `digest` and `rows`, or `error` in the words of SQLite; `columns` and `head` where rows are to be shown.

    Args:
        database: a file, or "" for an empty database in memory that `script` fills.
        ordered: whether the order of the rows belongs to the result.
        shown: how many of the first rows come back as text.
    """
    connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True) if database else _filled(script)
    try:
        connection.set_authorizer(_only_reading)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        cursor = connection.execute(query)
        if cursor.description is None:
            return {"error": "the query gives no rows; it is no SELECT"}
        rows, size = [], 0
        for row in cursor:
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(rows) > MOST_ROWS or size > MOST_BYTES:
                return {"error": f"the result has more than {MOST_ROWS} rows or {MOST_BYTES} bytes"}
        found = {"digest": _digest(rows, ordered, len(cursor.description)), "rows": len(rows)}
        if shown:
            found["columns"] = [str(column[0])[:LONGEST_SHOWN] for column in cursor.description]
            found["head"] = [[_shown(value) for value in row] for row in rows[:shown]]
        return found
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError, ValueError) as error:
        return {"error": str(error)}
    finally:
        connection.close()


def _filled(script: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.set_authorizer(_no_other_file)
    connection.executescript(script)
    return connection


def _only_reading(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in ("load_extension", "writefile", "edit"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _no_other_file(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _digest(rows: Iterable[tuple[Any, ...]], ordered: bool, columns: int) -> str:
    written = [repr(tuple(map(_canonical, row))) for row in rows]
    hasher = hashlib.sha256(str(columns).encode())
    for line in written if ordered else sorted(written):
        hasher.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return hasher.hexdigest()


def _shown(value: Any) -> str:
    text = "NULL" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def _canonical(value: Any) -> tuple[str, str]:
    """A value with its kind; numbers of both kinds are one."""
    if value is None:
        return ("null", "")
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 2**63:
            return ("number", str(int(value)))
        return ("number", f"{value:.10g}")
    if isinstance(value, int):
        return ("number", str(value))
    return ("bytes", value.hex()) if isinstance(value, bytes) else ("text", str(value))
