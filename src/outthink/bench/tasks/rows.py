"""Rows of a file of questions, read one by one, so that a bad one is a report with file and line and the rest goes on.

    for row in read_rows(Path("questions.jsonl")):
        match row:
            case BadRow(file=file, line=line, what=what): ...
            case Row(data=data): ...

JSON lines (packed with gzip or not), a JSON list, CSV with a header, and Parquet (extra `parquet`), by the name's ending. A line is never
held when it is longer than `LONGEST_LINE`; a file that cannot be read at all is an `InputError`.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from outthink.core.errors import InputError, explain
from outthink.replay.reading import BadRow as BadRow
from outthink.verify.extras import require

LONGEST_LINE = 4_000_000
"""Bytes of one line; a longer one is no question but an accident."""
LONGEST_FILE = 2_000_000_000
"""Bytes of a JSON list or CSV file, which is read whole."""
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".csv", ".parquet")


@dataclass(frozen=True)
class Row:
    """One row as it stands in the file."""

    file: str
    line: int
    data: dict[str, Any]

    def bad(self, what: str) -> BadRow:
        """This row as a report."""
        return BadRow(file=self.file, line=self.line, what=what)


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Every row of a file, in order. Raises `InputError` where the file as a whole cannot be read."""
    try:
        yield from _rows_by_ending(path)
    except (OSError, EOFError) as error:
        raise InputError(
            explain(
                f"The file {path.name!r} cannot be read: {getattr(error, 'strerror', None) or error}.",
                got=str(path),
                expected="a readable file of questions",
                remedy="Check the path.",
            )
        ) from None


def _rows_by_ending(path: Path) -> Iterator[Row | BadRow]:
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
        with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as file:
            yield from _lines(path.name, file)
    elif name.endswith(".json"):
        yield from _listed(path)
    elif name.endswith(".csv"):
        yield from _table(path)
    elif name.endswith(".parquet"):
        yield from _columns(path)
    else:
        raise InputError(
            explain(
                "This kind of file is not known.",
                got=path.name,
                expected="a name that ends in " + ", ".join(ENDINGS),
                remedy="Rename or convert it.",
            )
        )


def _lines(name: str, file: IO[bytes] | gzip.GzipFile) -> Iterator[Row | BadRow]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            size = len(line)
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
                size += len(line)
            yield BadRow(file=name, line=number, what=f"the line has {size:,} bytes, at most {LONGEST_LINE:,} are read")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _row(name, number, line)


def _row(name: str, number: int, line: bytes) -> Row | BadRow:
    try:
        line.decode("utf-8")
        data = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        return BadRow(
            file=name, line=number, what=f"not UTF-8: byte {line[error.start]:#04x} at position {error.start}"
        )
    except (msgspec.DecodeError, RecursionError) as error:
        return BadRow(file=name, line=number, what=f"not JSON: {error}")
    return _as_row(name, number, data)


def _as_row(name: str, number: int, data: Any) -> Row | BadRow:
    if not isinstance(data, dict):
        return BadRow(file=name, line=number, what=f"expected an object with fields, got a {type(data).__name__}")
    return Row(name, number, data)


def _whole(path: Path) -> str:
    size = path.stat().st_size
    if size > LONGEST_FILE:
        raise InputError(
            explain(
                f"The file {path.name!r} is too long to be read whole.",
                got=f"{size:,} bytes",
                expected=f"at most {LONGEST_FILE:,}",
                remedy="Convert it to JSON lines, which are read one by one.",
            )
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            explain(
                f"The file {path.name!r} is not text.",
                got=f"byte {error.object[error.start]:#04x} at position {error.start}",
                expected="UTF-8",
                remedy="Convert it, or check that this is the file you meant.",
            )
        ) from None


def _listed(path: Path) -> Iterator[Row | BadRow]:
    """A list of objects, or one object that holds named ones; those get their name as `id`."""
    try:
        found = msgspec.json.decode(_whole(path))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(
            explain(
                f"The file {path.name!r} is not JSON: {error}.",
                got=path.name,
                expected="a JSON list of objects",
                remedy="For one object a line, name the file .jsonl.",
            )
        ) from None
    if isinstance(found, dict):
        found = [{"id": key, **value} if isinstance(value, dict) else value for key, value in found.items()]
    if not isinstance(found, list):
        raise InputError(
            explain(
                f"The file {path.name!r} is no list.",
                got=type(found).__name__,
                expected="a JSON list of objects",
                remedy="Put the questions into a list.",
            )
        )
    for number, data in enumerate(found, start=1):
        yield _as_row(path.name, number, data)


def _table(path: Path) -> Iterator[Row | BadRow]:
    reader = csv.DictReader(io.StringIO(_whole(path), newline=""))
    try:
        for data in reader:
            if None in data or None in data.values():
                width = len(reader.fieldnames or ())
                yield BadRow(file=path.name, line=reader.line_num, what=f"the row has not {width} cells as the header")
            else:
                yield Row(path.name, reader.line_num, dict(data))
    except csv.Error as error:
        yield BadRow(file=path.name, line=reader.line_num, what=f"not CSV from here on: {error}")


def _columns(path: Path) -> Iterator[Row | BadRow]:
    require("pyarrow", extra="parquet", needed_by="Parquet files")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        number = 0
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for data in batch.to_pylist():
                    number += 1
                    yield Row(path.name, number, data)
    except ArrowException as error:
        raise InputError(
            explain(
                f"The file {path.name!r} is no Parquet.",
                got=str(error)[:200],
                expected="a Parquet file",
                remedy="Fetch it again: it may have been cut off.",
            )
        ) from None
