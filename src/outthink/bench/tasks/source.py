"""What every source of tasks shares: a name, a part of the questions, and how rows of files become questions.

A reader of a file says how one row becomes an `Item`; the rest (reading, bad rows, ids, order, limits, the record of where it came from) is
done here, once for all.
"""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from outthink.bench.contest import Question
from outthink.bench.tasks.fields import BadField
from outthink.bench.tasks.hub import Fetched, fetch
from outthink.bench.tasks.rows import ENDINGS, BadRow, Row, read_rows
from outthink.bench.tasks.scorers.scorer import Scorer
from outthink.bench.tasks.task_set import TaskSet
from outthink.core.errors import InputError, explain
from outthink.core.key import Key
from outthink.core.settings import Count, Positive, Tagged
from outthink.core.task import Task

SHOWN = 3
_HUB_NAME = re.compile(r"(?:hf:)?([\w.-]+/[\w.-]+)")


@dataclass(frozen=True)
class Item:
    """A question on its way into a set.

    Attributes:
        id: the row's own, "" for its line. reference: the right answer as people and oracles read it.
        scorer: who marks it. data, hidden: as in `Task` and `Question`.
        constant: its answer as a class of equal answers, None where it can serve no other question.
    """

    prompt: str
    reference: str
    scorer: Scorer
    id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    constant: str | None = None


class Source(Tagged):
    """A source of tasks.

    Attributes:
        called: the set's name in tables; "" for one made from its kind or file.
        limit: at most so many questions; None for all. offset: questions left out before them.
        shuffle: the seed of a random order, before offset and limit; None for the order of the file.
    """

    called: str = ""
    limit: Positive | None = None
    offset: Count = 0
    shuffle: Count | None = None

    @property
    def set_name(self) -> str:
        """What the set is called."""
        return self.called or self._own_name()

    def _own_name(self) -> str:
        return self.name()

    def ready(self) -> None:
        """Raises `Incompatible` where answers could not be marked here; before anything is spent."""

    @abstractmethod
    def load(self) -> TaskSet:
        """The questions. Blocks: it reads files, and may fetch them. Raises `InputError` where there is
        nothing to ask, `Incompatible` where answers could not be marked here.
        """

    def _chosen(self, n: int) -> list[int]:
        """Places of the questions that are asked, of n."""
        order = list(range(n))
        if self.shuffle is not None:
            order = [int(place) for place in Key(self.shuffle).child("tasks").rng().permutation(n)]
        return order[self.offset :][: self.limit]

    def _questions(self, items: list[tuple[str, Item]]) -> tuple[tuple[Question, ...], tuple[str | None, ...]]:
        """Items with their ids as questions, and their constants."""
        chosen = [items[place] for place in self._chosen(len(items))]
        questions = tuple(
            Question(
                Task(prompt=item.prompt, id=f"{self.set_name}/{own}", reference=item.reference, data=item.data),
                item.scorer,
                self.set_name,
                item.hidden,
            )
            for own, item in chosen
        )
        return questions, tuple(item.constant for _, item in chosen)


class FileSource(Source):
    """A source that reads files.

    Attributes:
        path: a file, a folder that holds one, or a name at Hugging Face such as "openai/gsm8k"; "" for the data set's usual home there.
        config, split: which part of a data set at Hugging Face; "" for the usual one.
        revision: a commit of the data set's Parquet branch, or of the data set; "" for the newest, which the record then names.
    """

    path: str = ""
    config: str = ""
    split: str = ""
    revision: str = ""

    HOME: ClassVar[tuple[str, str, str]] = ("", "", "")
    """Name, config and split at Hugging Face; empty where there is no usual one."""
    STYLE: ClassVar[str] = ""
    NAMED_BY_FILE: ClassVar[bool] = False

    @abstractmethod
    def item(self, row: Row, folder: Path) -> Item:
        """A row as a question; `folder` is where its file lies. Raises `BadField`."""

    def style(self) -> str:
        """How an answer is to be given."""
        return self.STYLE

    def table(self) -> dict[str, Any]:
        """The recipe's `[answer]`."""
        return {"type": "plain"}

    def _own_name(self) -> str:
        if self.NAMED_BY_FILE and self.path:
            return Path(self.path).name.split(".")[0]
        return super()._own_name()

    def load(self) -> TaskSet:
        """The questions of all files. Raises `InputError` where none is left."""
        self.ready()
        return self.read(self.files())

    def read(self, fetched: Fetched) -> TaskSet:
        """The questions of files that are at hand."""
        items: dict[str, Item] = {}
        problems: list[BadRow] = []
        for row, folder in rows_of(fetched.files):
            if isinstance(row, BadRow):
                problems.append(row)
                continue
            try:
                item = self.item(row, folder)
            except BadField as error:
                problems.append(row.bad(str(error)))
                continue
            own = item.id or (str(row.line) if len(fetched.files) == 1 else f"{row.file}:{row.line}")
            if own not in items:
                items[own] = item
            elif not self.same(items[own], item):
                problems.append(row.bad(f"the id {own!r} is taken by an earlier row"))
        return self._set(items, problems, fetched)

    def same(self, first: Item, again: Item) -> bool:
        """Whether a row that comes with an id once more is part of the same question, by the file's own documentation."""
        return False

    def _set(self, items: dict[str, Item], problems: list[BadRow], fetched: Fetched) -> TaskSet:
        questions, constants = self._questions(list(items.items()))
        if not questions:
            shown = "; ".join(map(str, problems[:SHOWN]))
            raise InputError(
                explain(
                    f"There are no questions in {self.path or self.HOME[0]!r}.",
                    got=f"{len(items)} questions before offset and limit, {len(problems)} bad rows"
                    + (f": {shown}" if shown else ""),
                    expected=f"rows of the kind {self.name()!r}",
                    remedy="Check that this is the right kind of file, and that offset is less than its length.",
                )
            )
        return TaskSet(
            self.set_name, questions, tuple(problems), self.style(), self.table(), dict(fetched.origin), constants
        )

    def files(self) -> Fetched:
        """The files to read, fetched where they are not on this disk."""
        path = self.path or self.HOME[0]
        if not path:
            raise InputError(
                explain(
                    f"The tasks {self.name()!r} need a path.",
                    got="none",
                    expected="a file, a folder, or a name at Hugging Face",
                    remedy='For example path = "questions.jsonl".',
                )
            )
        local = Path(path).expanduser()
        name = _HUB_NAME.fullmatch(path)
        if not local.exists() and name and not path.lower().endswith(ENDINGS):
            config = self.config or (self.HOME[1] if name[1] == self.HOME[0] else "") or "default"
            split = self.split or (self.HOME[2] if name[1] == self.HOME[0] else "") or "test"
            return fetch(name[1], config, split, self.revision)
        return _local(local)


def _local(path: Path) -> Fetched:
    files = [path] if path.is_file() else []
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file() and one.name.lower().endswith(ENDINGS))
    if not files:
        raise InputError(
            explain(
                "There is nothing to read." if path.is_dir() else "This file does not exist.",
                got=str(path),
                expected="a file or folder of " + ", ".join(ENDINGS) + ", or OWNER/NAME at Hugging Face",
                remedy="Check the path.",
            )
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                digest.update(part)
    return Fetched(tuple(files), {"path": ", ".join(file.name for file in files), "sha256": digest.hexdigest()})


def rows_of(files: Iterable[Path]) -> Iterator[tuple[Row | BadRow, Path]]:
    """Every row of several files, with the folder of its file."""
    for file in files:
        for row in read_rows(file):
            yield row, file.parent
