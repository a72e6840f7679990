"""A recording as a file of JSON lines, one reply a line, appended as replies arrive: readable, diffable, fit for version control.

    {"kind": "generate", "key": "5e...", "index": 0, "about": "chat of 1 messages ...", "value": {"text": "42", ...}}

A process that dies while it writes leaves at most one unfinished line, which the next reader drops; any other damage is an error.
"""

from __future__ import annotations

import os
from collections import Counter
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from outthink.core.errors import EngineError, InputError, explain
from outthink.engines.reply_log import Kind

EVERYTHING: frozenset[str] = frozenset({"generate", "log-probs", "most", "encode", "decode", "chat", "engine"})
REPLIES: frozenset[str] = frozenset({"generate", "log-probs", "engine"})


class Entry(msgspec.Struct, frozen=True):
    """One line of the file."""

    kind: Kind
    key: str
    index: int
    about: str
    value: msgspec.Raw


class Cassette:
    """A reply log in one file. Open one with `Cassette.read` to replay it, with `Cassette.append` to add to it.

    `kinds` is everything that a replay without a model needs; `REPLIES` alone makes a cache.
    """

    def __init__(self, path: Path, file: FileIO | None, kinds: frozenset[str]) -> None:
        self.path = path
        self.kinds = kinds
        self._file = file
        self._values: dict[tuple[str, str, int], bytes] = {}
        self._about: dict[tuple[str, str, int], str] = {}
        self._places: Counter[tuple[str, str]] = Counter()

    @classmethod
    def read(cls, path: str | Path) -> Cassette:
        """The recording in this file, to be replayed. Raises `InputError` when there is none, or when it is damaged."""
        path = Path(path)
        if not path.is_file():
            raise InputError(
                explain(
                    "There is no recording here.",
                    got=str(path),
                    expected="a file written by a recording engine",
                    remedy="Record a run first: `outthink run --record FILE`.",
                )
            )
        cassette = cls(path, None, EVERYTHING)
        cassette._load()
        return cassette

    @classmethod
    def append(cls, path: str | Path, kinds: frozenset[str] = EVERYTHING) -> Cassette:
        """The file opened to be added to, made where it is missing. What it holds already is not asked for again."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        cassette = cls(path, None, kinds)
        whole = cassette._load()
        if whole < path.stat().st_size:
            os.truncate(path, whole)
        # Unbuffered, so that a line is one write and lines of several processes never mix.
        cassette._file = path.open("ab", buffering=0)
        return cassette

    def __len__(self) -> int:
        return len(self._values)

    def keys(self, kind: Kind) -> list[str]:
        """The keys of one kind, in the order of recording."""
        return [key for found, key, _ in self._values if found == kind]

    def place(self, kind: str, key: str) -> int:
        self._places[(kind, key)] += 1
        return self._places[(kind, key)] - 1

    def rewind(self) -> None:
        """Number the requests from the start again, as a process that opens the file anew does."""
        self._places.clear()

    def find(self, kind: str, key: str, index: int) -> bytes | None:
        return self._values.get((kind, key, index))

    def lost(self, kind: str, key: str, index: int) -> bool:
        """Never: a recording holds replies, not attempts."""
        return False

    def asked(self, kind: str, key: str, index: int, about: str) -> None:
        self._about[(kind, key, index)] = about

    def answered(self, kind: str, key: str, index: int, value: bytes) -> None:
        if self._file is None:
            raise EngineError(f"The recording {self.path} was opened for reading only.")
        about = self._about.pop((kind, key, index), "")
        line = msgspec.json.encode(
            {"kind": kind, "key": key, "index": index, "about": about, "value": msgspec.Raw(value)}
        )
        self._file.write(line + b"\n")
        self._values[(kind, key, index)] = value

    async def kept(self) -> None:
        """Every line was handed to the operating system when it was written, so it survives this process."""

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self) -> int:
        """Read the file; the number of bytes in whole lines."""
        whole = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = msgspec.json.decode(line, type=Entry)
                except msgspec.DecodeError as error:
                    raise InputError(
                        explain(
                            f"Line {number} of the recording {self.path} is damaged.",
                            got=str(error),
                            expected="one reply as JSON",
                            remedy="Record it anew, or take that line out.",
                        )
                    ) from None
                self._values[(entry.kind, entry.key, entry.index)] = bytes(entry.value)
                whole += len(line)
        return whole
