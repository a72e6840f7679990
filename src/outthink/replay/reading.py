"""Others' recorded samples: a JSON object a question, its lists as long as there are samples; names of fields are found or given.

    found = read_samples("samples.jsonl")                                      # usual names are known
    found = read_samples("their.jsonl", Fields(answers="extracted", right="graded"))
    found.table, found.problems                                                # what could not be read, by file and line

    {"id": "q1", "responses": ["... 4", "... 5"], "answers": ["4", "5"], "scores": [0.9, 0.2], "right": [true, false], "tokens": [120, 98]}
    {"id": "q2", "reference": "4", "samples": [{"answer": "4", "score": 0.9, "tokens": 120}, ...]}      # or a list of objects

Answers are the same where their texts are (white space around them aside), unless `keys` says otherwise. What is right is read from the
file, or else decided by comparing with the reference. The file is read line by line; a line that cannot be used is left out and reported.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from outthink.core.errors import InputError, explain
from outthink.replay.fields import Fields
from outthink.replay.row import Keys, read_row
from outthink.replay.samples import QuestionSamples, SampleTable, gathered

LONGEST_BYTES = 8 << 20


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was left out: its file and line (from 1), and what is wrong with it."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Imported:
    """What a file held: the samples, and the rows that could not be used."""

    table: SampleTable
    problems: tuple[BadRow, ...]


def same_text(answers: Sequence[str | None]) -> list[Hashable | None]:
    """Equal texts are equal answers, white space around them aside; blank ones abstain."""
    return [None if answer is None else answer.strip() or None for answer in answers]


def read_samples(
    path: str | Path, fields: Fields | None = None, *, keys: Keys = same_text, longest_bytes: int = LONGEST_BYTES
) -> Imported:
    """All questions of a file of JSON lines.

    Args:
        keys: answers by what counts as the same, None for no answer; also told the reference. longest_bytes: longer lines are bad rows.
    Raises `InputError`: a file that cannot be read, or of which no row can be used.
    """
    wanted, rows, problems = fields or Fields(), list[QuestionSamples](), list[BadRow]()
    seen: dict[str, int] = {}
    decoder = msgspec.json.Decoder()
    try:
        with Path(path).open("rb") as file:
            for number, line in lines(file, longest_bytes):
                try:
                    if line is None:
                        raise InputError(f"The line is longer than {longest_bytes} bytes.")
                    row = read_row(_decoded(decoder, line), wanted, number, keys)
                    if row.question in seen:
                        raise InputError(f"The id {row.question!r} is taken by line {seen[row.question]}.")
                except InputError as error:
                    problems.append(BadRow(file=str(path), line=number, what=str(error)))
                else:
                    seen[row.question] = number
                    rows.append(row)
    except OSError as error:
        raise InputError(
            explain(
                f"The file {str(path)!r} cannot be read: {error.strerror or error}.",
                got=str(path),
                expected="a readable file of JSON lines",
                remedy="Check the path.",
            )
        ) from None
    if not rows:
        raise InputError(
            explain(
                f"No row of {str(path)!r} can be used.",
                got=str(problems[0]) if problems else "no rows",
                expected="a JSON object a line, with answers and what is right",
                remedy="Say which fields hold them, such as answers=predictions.",
            )
        )
    return Imported(gathered(rows), tuple(problems))


def lines(file: IO[bytes], longest_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not blank; None for one that is too long, which is passed over without keeping it."""
    number = 0
    while line := file.readline(longest_bytes + 1):
        number += 1
        if len(line) > longest_bytes and not line.endswith(b"\n"):
            while (rest := file.readline(longest_bytes)) and not rest.endswith(b"\n"):
                continue
            yield number, None
        elif line.strip():
            yield number, line


def _decoded(decoder: msgspec.json.Decoder[Any], line: bytes) -> dict[str, Any]:
    try:
        plain = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"This is no JSON: {error}.") from None
    if not isinstance(plain, dict):
        raise InputError(f"Expected an object, got {type(plain).__name__}.")
    return plain
