"""The folder of one run: everything that a report, a resume and a reader need, each in a file of its own.

grid.toml         the grid as it runs             outcomes.jsonl    a line for every method, size, seed and question
pools.jsonl       samples, drawn and judged once  questions.jsonl   id, set, prompt, right answer
problems.jsonl    rows that became no question    spending.jsonl    marks of what was spent, for the cap
run.json          versions, machine, estimate, spent, what is not run here and why
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec

from outthink.bench.grid.posing import NotRun, Posed
from outthink.bench.grid.reading import digest, grid_from, grid_to_toml
from outthink.bench.grid.settings import Grid
from outthink.bench.journal import Journal, with_nan
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.cost import Cost
from outthink.core.errors import InputError, explain

THEN = ", then "
Ended = Literal["running", "done", "interrupted", "cap"]


class QuestionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of questions.jsonl."""

    id: str
    set: str
    prompt: str
    reference: str | None = None


class SetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One set of tasks in run.json; `constant` is the best answer without looking at the question, right for `constant_share`."""

    name: str
    questions: int
    constant: str | None
    constant_share: float
    origin: dict[str, str] = {}


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pool in run.json: whose it is, how large, who reads it, who judged it."""

    name: str
    set: str
    n: int
    methods: tuple[str, ...]
    verifiers: tuple[str, ...]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """run.json.

    Attributes:
        ended: how it stands: "running" where a kill has left it.
        spent: by role, over all starts. uncertain: how much more it may have been, where a kill hides it.
        seconds: that it has run by the clock, over all starts.
        processor_seconds: what this took of processors, all threads of the process without its workers; 0 where it was not kept.
        done, total: rows of outcomes.jsonl, and how many there will be.
        estimate: what was said beforehand, in words.
    """

    name: str
    digest: str
    started: str
    updated: str
    ended: Ended = "running"
    seconds: float = 0.0
    processor_seconds: float = 0.0
    spent: dict[str, Cost] = {}
    uncertain: Cost = Cost()
    done: int = 0
    total: int = 0
    executor: str = "local"
    estimate: str = ""
    versions: dict[str, str] = {}
    machine: dict[str, str] = {}
    sets: tuple[SetRow, ...] = ()
    pools: tuple[PoolRow, ...] = ()
    recipes: dict[str, str] = {}
    bad_rows: int = 0
    not_run: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Folder:
    """The folder of a run of this grid."""

    path: Path
    grid: Grid

    @property
    def digest(self) -> str:
        """What its journals belong to."""
        return f"grid {digest(self.grid)}"

    @classmethod
    def made(cls, path: Path, grid: Grid) -> Folder:
        """The folder for a grid, made where it is missing. Raises `InputError` for the folder of another grid."""
        path.mkdir(parents=True, exist_ok=True)
        file = path / "grid.toml"
        if file.exists():
            there = grid_from(file.read_text(encoding="utf-8"), str(file))
            if digest(there) != digest(grid):
                raise InputError(
                    explain(
                        f"{path} holds the run of another grid.",
                        got=f"grid {digest(there)}",
                        expected=f"grid {digest(grid)}",
                        remedy="Give another --folder, or `outthink bench resume` to go on with that one.",
                    )
                )
        written_whole(file, grid_to_toml(grid))
        return cls(path, grid)

    @classmethod
    def found(cls, path: Path) -> Folder:
        """The folder of a run that was begun. Raises `InputError` where there is none."""
        file = path / "grid.toml"
        if not file.is_file():
            raise InputError(
                explain(
                    "This is no folder of a benchmark.",
                    got=str(path),
                    expected="a folder that `outthink bench run` has made",
                    remedy="Check the path.",
                )
            )
        return cls(path, grid_from(file.read_text(encoding="utf-8"), str(file)))

    def outcomes(self) -> Journal[Outcome]:
        """The journal of outcomes."""
        return Journal(self.path / "outcomes.jsonl", Outcome, identity=self.digest)

    def pools(self) -> Journal[Pool]:
        """The journal of pools."""
        return Journal(self.path / "pools.jsonl", Pool, identity=self.digest)

    def keep_questions(self, posed: Posed) -> None:
        """Write questions and problems down. Raises `InputError` when a run was begun with other questions."""
        rows = [
            QuestionRow(id=q.task.id, set=name, prompt=q.task.question, reference=q.task.reference)
            for name, found in posed.sets.items()
            for q in found.questions
        ]
        text, file = _lines(rows), self.path / "questions.jsonl"
        if file.exists() and file.read_text(encoding="utf-8") != text:
            raise InputError(
                explain(
                    "The questions are not those that this run was begun with.",
                    got=f"{len(rows)} questions",
                    expected=f"those of {file}",
                    remedy="Put the data back, or give another --folder for a new run.",
                )
            )
        written_whole(file, text)
        written_whole(self.path / "problems.jsonl", _lines(posed.problems))

    def record(self) -> RunRecord:
        """run.json as it stands; a fresh one where there is none."""
        file = self.path / "run.json"
        if file.exists():
            return msgspec.convert(with_nan(msgspec.json.decode(file.read_bytes())), RunRecord)
        return RunRecord(name=self.path.name, digest=digest(self.grid), started=now(), updated=now())

    def keep(self, record: RunRecord) -> None:
        """Write run.json, whole or not at all."""
        data = msgspec.json.format(msgspec.json.encode(record), indent=2)
        written_whole(self.path / "run.json", data.decode() + "\n")


def versions() -> dict[str, str]:
    """The package and Python."""
    return {"outthink": metadata.version("outthink"), "python": platform.python_version()}


def machine() -> dict[str, str]:
    """What it ran on, as far as figures depend on it."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": str(os.cpu_count() or 0)}


def over_starts(before: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Facts of a run that was resumed: where one changed, all that it was, in order, so that rows of several versions are known as such."""
    found = dict(own)
    for name, value in before.items():
        if name in own:
            found[name] = value if value.split(THEN)[-1] == own[name] else f"{value}{THEN}{own[name]}"
    return found


def now() -> str:
    """The time of day, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def said(found: tuple[NotRun, ...]) -> tuple[dict[str, str], ...]:
    """What is not run, for run.json."""
    return tuple({"what": one.what, "why": one.why} for one in found)


def written_whole(path: Path, text: str) -> None:
    """Write a file so that a kill leaves the old one or the new one."""
    aside = path.with_name(path.name + ".new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def _lines(rows: Any) -> str:
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)
