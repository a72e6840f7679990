"""Tasks in the format of HumanEval: a function's head to complete, and a `check` that tests it.

    tasks = human_eval("HumanEval.jsonl.gz")        # JSON lines, packed or not; for the verifier `code`

Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec

from outthink.core.errors import InputError, explain
from outthink.core.task import Task


class Row(msgspec.Struct, frozen=True):
    """One line of the file."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


def human_eval(path: str | Path) -> list[Task]:
    """The tasks of a file; the reference is the canonical solution. Raises `InputError` for a file that is none."""
    try:
        data = Path(path).read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        rows = [msgspec.json.decode(line, type=Row) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise InputError(
            explain(
                "This is no file of HumanEval tasks.",
                got=f"{path}: {error}",
                expected="JSON lines with task_id, prompt, entry_point, canonical_solution and test",
                remedy="Give the path of HumanEval.jsonl or HumanEval.jsonl.gz.",
            )
        ) from error
    return [
        Task(
            prompt=f"Complete this Python function. Answer with the whole function in one block.\n\n```python\n{row.prompt}```",
            id=row.task_id,
            reference=row.canonical_solution,
            data={"prompt": row.prompt, "entry_point": row.entry_point, "test": row.test},
        )
        for row in rows
    ]
