"""Folders of benchmarks as `outthink bench run` writes them, read without that command: what was right at what cost, by method and size.

A folder may be in the middle of its run: a torn last line is passed over, and other lines that cannot be read are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from outthink.numerics.intervals import Interval, wilson

OUTCOMES = "outcomes.jsonl"
MOST_FOLDERS, MOST_LINES = 200, 200_000


@dataclass
class Row:
    """One method at one size: how many questions were asked and right, over all seeds, and what they cost in all."""

    method: str
    size: int
    task: str
    asked: int = 0
    right: int = 0
    tokens: float = 0.0
    failed: int = 0

    @property
    def interval(self) -> Interval:
        """Of the share of right answers, as if all were questions of their own."""
        return wilson(self.right, self.asked)


@dataclass
class Bench:
    """One folder. `record` is what run.json says, as far as it can be read; `bad` counts lines that cannot."""

    name: str
    path: Path
    rows: list[Row] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    bad: int = 0


def folders(places: Sequence[Path]) -> dict[str, Path]:
    """The folders of benchmarks in these places, by the name under which they are shown; two of one name are numbered."""
    found: dict[str, Path] = {}
    for place in places:
        here = [place] if (place / OUTCOMES).is_file() else sorted(p.parent for p in place.glob(f"*/{OUTCOMES}"))
        for folder in here[: MOST_FOLDERS - len(found)]:
            name, again = folder.name or "bench", 2
            while name in found:
                name, again = f"{folder.name}-{again}", again + 1
            found[name] = folder
    return found


def read_bench(name: str, folder: Path) -> Bench:
    """One folder, whole."""
    bench = Bench(name, folder)
    record = folder / "run.json"
    if record.is_file():
        try:
            found = msgspec.json.decode(record.read_bytes())
        except msgspec.DecodeError:
            bench.bad += 1
        else:
            bench.record = found if isinstance(found, dict) else {}
    rows: dict[tuple[str, str, int], Row] = {}
    for line in _lines(folder / OUTCOMES):
        try:
            told = _OUTCOME.decode(line)
        except msgspec.DecodeError:
            bench.bad += 1
            continue
        row = rows.setdefault((told.task, told.method, told.size), Row(told.method, told.size, told.task))
        row.asked += 1
        row.right += told.right
        row.failed += bool(told.failure)
        row.tokens += told.generated.tokens + told.judged.tokens
    bench.rows = sorted(rows.values(), key=lambda row: (row.task, row.method, row.size))
    return bench


class _Cost(msgspec.Struct):
    input_tokens: float = 0
    cached_input_tokens: float = 0
    output_tokens: float = 0

    @property
    def tokens(self) -> float:
        return self.output_tokens + self.input_tokens - self.cached_input_tokens


class _Outcome(msgspec.Struct):
    method: str
    size: int
    right: bool
    task: str = ""
    failure: str = ""
    generated: _Cost = msgspec.field(default_factory=_Cost)
    judged: _Cost = msgspec.field(default_factory=_Cost)


_OUTCOME = msgspec.json.Decoder(_Outcome)


def _lines(path: Path) -> Iterator[bytes]:
    """Whole lines that are rows, the heading of a journal left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number >= MOST_LINES or not line.endswith(b"\n"):
                return
            if line.strip() and b'"method"' in line:
                yield line
