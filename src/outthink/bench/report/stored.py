"""A folder of a benchmark as it stands, finished or not, read without touching it.

    stored = read_folder("bench-runs/laboratory")
    stored.outcomes, stored.questions, stored.pools, stored.problems, stored.record

Only `outcomes.jsonl` must be there: a folder from before `questions.jsonl` was written has no prompts and no references. A torn last line,
which a kill leaves, is passed over; a broken one before it is reported among the problems, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from outthink.bench.grid.folder import QuestionRow, RunRecord
from outthink.bench.journal import with_nan
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool, Sample
from outthink.core.errors import InputError, explain
from outthink.replay import BadRow, QuestionSamples, SampleTable, gathered, same_text
from outthink.replay.choosing import NOBODY

ALL = "all"
T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class StoredBench:
    """What a folder holds.

    Attributes:
        questions: by id, in the order of the file; of a folder without such a file, the ids alone.
        problems: rows of the tasks that became no question, and lines of the folder that cannot be read.
        record: of the run; None for a folder that has none.
    """

    path: Path
    outcomes: tuple[Outcome, ...]
    questions: dict[str, QuestionRow]
    pools: tuple[Pool, ...] = ()
    problems: tuple[BadRow, ...] = ()
    record: RunRecord | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.record.name if self.record is not None else self.path.name

    @property
    def sets(self) -> dict[str, list[str]]:
        """Ids of the questions of each set; under "all" every one of them, where there are several sets."""
        found: dict[str, list[str]] = {}
        for row in self.questions.values():
            found.setdefault(row.set or ALL, []).append(row.id)
        return {ALL: list(self.questions), **found} if len(found) > 1 else found

    def pool_names(self) -> list[str]:
        """Names of the pools, in order of appearance."""
        return list(dict.fromkeys(pool.name for pool in self.pools))

    def samples(self, pool: str, questions: list[str]) -> SampleTable | None:
        """The samples of one pool on these questions, every seed a row; None where there are none."""
        wanted = set(questions)
        rows = [
            samples_of(one, self.questions[one.question].set)
            for one in self.pools
            if one.name == pool and one.question in wanted and one.samples
        ]
        return gathered(rows) if rows else None


def read_folder(path: str | Path) -> StoredBench:
    """What is in a folder. Raises `InputError` where there are no outcomes."""
    folder, problems = Path(path), list[BadRow]()
    if not (folder / "outcomes.jsonl").is_file():
        raise InputError(
            explain(
                "This is no folder of a benchmark.",
                got=str(path),
                expected="a folder with outcomes.jsonl, as `outthink bench run` writes it",
                remedy="Check the path; `outthink bench list` shows the runs that are there.",
            )
        )
    outcomes = {row.cell: row for row in _journal(folder / "outcomes.jsonl", Outcome, problems)}
    pools = {(row.name, row.question, row.seed): row for row in _journal(folder / "pools.jsonl", Pool, problems)}
    rows = list(_lines(folder / "questions.jsonl", QuestionRow, problems))
    questions = {row.id: row for row in rows}
    for outcome in outcomes.values():
        if outcome.question not in questions:
            questions[outcome.question] = QuestionRow(id=outcome.question, set=outcome.task, prompt="")
    for pool in pools.values():
        if pool.question not in questions:
            questions[pool.question] = QuestionRow(id=pool.question, set="", prompt="")
    for line in _lines(folder / "problems.jsonl", BadRow, problems):
        problems.append(line)
    record = folder / "run.json"
    return StoredBench(
        path=folder,
        outcomes=tuple(outcomes.values()),
        questions=questions,
        pools=tuple(pools.values()),
        problems=tuple(problems),
        record=msgspec.convert(with_nan(msgspec.json.decode(record.read_bytes())), RunRecord)
        if record.is_file()
        else None,
    )


def samples_of(pool: Pool, set_name: str) -> QuestionSamples:
    """One pool as a row for replays. Answers are the same where the texts are that the process found, or else the whole texts."""
    answered = any(sample.answer is not None for sample in pool.samples)
    keys = same_text([None if s.failure else (s.answer if answered else s.content) for s in pool.samples])
    known: dict[object, int] = {}
    names = sorted({name for sample in pool.samples for name in sample.judged})
    return QuestionSamples(
        question=pool.question,
        set=set_name,
        answers=[NOBODY if key is None else known.setdefault(key, len(known)) for key in keys],
        right=[sample.right for sample in pool.samples],
        tokens=[float(sample.cost.tokens) for sample in pool.samples],
        scores={name: [_score(sample, name) for sample in pool.samples] for name in names},
        judging={name: [_judging(sample, name) for sample in pool.samples] for name in names},
        failed=[bool(sample.failure) for sample in pool.samples],
    )


def _score(sample: Sample, name: str) -> float:
    judged = sample.judged.get(name)
    return float("nan") if judged is None or judged.value is None else judged.value


def _judging(sample: Sample, name: str) -> float:
    judged = sample.judged.get(name)
    return 0.0 if judged is None else float(judged.cost.tokens)


def _journal(path: Path, kind: type[T], problems: list[BadRow]) -> Iterator[T]:
    """The rows of a journal, its head aside."""
    return _lines(path, kind, problems, first=1)


def _lines(path: Path, kind: type[T], problems: list[BadRow], first: int = 0) -> Iterator[T]:
    if not path.is_file():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number <= first or not line.strip() or not line.endswith(b"\n"):
                continue
            try:
                if b'"money":null' in line:
                    yield msgspec.convert(with_nan(msgspec.json.decode(line)), kind)
                else:
                    yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problems.append(BadRow(file=path.name, line=number, what=f"This line cannot be read: {error}."))
