"""What is finished, on disk as soon as it is: one line a row, so that a benchmark that was killed goes on where it stopped.

    with Journal(folder / "outcomes.jsonl", Outcome, identity="...") as journal:
        journal.rows                     # those of an earlier run of the same benchmark
        journal.add(row)

The first line says whose journal it is. A journal of another benchmark is refused, and so is one that another process is writing; a last
line that a kill has torn is cut off.
"""

from __future__ import annotations

import fcntl
import math
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar

import msgspec

from outthink.core.errors import InputError, explain

R = TypeVar("R", bound=msgspec.Struct)


UNKNOWN = b'"money":null'
"""What JSON makes of a price that is not known, which is nan."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: what the rows belong to."""

    journal_of: str
    schema: int = 1


class Journal(Generic[R]):
    """Rows of one type in one file, appended."""

    def __init__(self, path: Path, row: type[R], *, identity: str) -> None:
        self.path, self.identity = path, identity
        self.rows: list[R] = []
        self._decoder = msgspec.json.Decoder(row)
        self._encoder = msgspec.json.Encoder()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Open, reading what is there.

        Raises `InputError` for a journal of something else, one that is being written, or a broken line in the middle.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        try:
            self._claim(file)
            file.seek(0)
            keep = self._read(file.read())
            file.truncate(keep)
        except BaseException:
            file.close()
            raise
        self._file = file
        if not keep:
            self._write(self._encoder.encode(Head(journal_of=self.identity)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def add(self, row: R) -> None:
        """Append a row; it is with the operating system when this returns, so that a kill of this process cannot lose it."""
        self.rows.append(row)
        self._write(self._encoder.encode(row))

    def _write(self, line: bytes) -> None:
        if self._file is None:
            raise InputError(f"The journal {self.path.name} is not open.")
        self._file.write(line + b"\n")
        self._file.flush()

    def _claim(self, file: IO[bytes]) -> None:
        """Nobody else writes here until the file is closed, by this process or by its end."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                explain(
                    f"{self.path} is being written by another process.",
                    got="a second run in one folder",
                    expected="one at a time",
                    remedy="Wait for the other one or stop it, or give another folder.",
                )
            ) from None

    def _read(self, data: bytes) -> int:
        """Read all whole lines; the number of bytes that they take."""
        whole = data[: data.rfind(b"\n") + 1]
        head, *lines = whole.splitlines() or [b""]
        if not head:
            return 0
        self._check_head(head)
        for number, line in enumerate(lines, start=2):
            try:
                self.rows.append(self._decoded(line))
            except msgspec.DecodeError as error:
                raise InputError(
                    explain(
                        f"Line {number} of {self.path.name} cannot be read: {error}.",
                        got=line[:80].decode(errors="replace"),
                        expected="a row as it was written",
                        remedy="Delete that line; what it held is done again.",
                    )
                ) from None
        return len(whole)

    def _decoded(self, line: bytes) -> R:
        if UNKNOWN not in line:
            return self._decoder.decode(line)
        return msgspec.convert(with_nan(msgspec.json.decode(line)), self._decoder.type)

    def _check_head(self, head: bytes) -> None:
        try:
            found = msgspec.json.decode(head, type=Head).journal_of
        except msgspec.DecodeError:
            found = "no journal"
        if found != self.identity:
            raise InputError(
                explain(
                    f"{self.path.name} belongs to something else.",
                    got=found,
                    expected=self.identity,
                    remedy="Give another folder, or delete the file to begin anew.",
                )
            )


def with_nan(value: Any) -> Any:
    """The same, where money that is not known is nan again."""
    if isinstance(value, dict):
        return {name: math.nan if name == "money" and one is None else with_nan(one) for name, one in value.items()}
    return [with_nan(one) for one in value] if isinstance(value, list) else value
