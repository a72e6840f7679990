"""Stored runs for other programs: JSON lines, one run a line with everything in it, or Parquet, one row a candidate.

A content that is no JSON (an array, a tensor) is written as nested lists, or as its text where it has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from outthink.core.errors import explain
from outthink.core.half_pairs import as_json, mended
from outthink.store.errors import StoreError
from outthink.store.store import Store
from outthink.store.stored import StoredRun

AT_ONCE = 1000
"""Rows in one group of a Parquet file."""


def export_jsonl(store: Store, names: Iterable[str], out: IO[bytes], *, events: bool = False) -> int:
    """Write one line a run; the number of lines. `events`: with the whole record of what happened."""
    written = 0
    for name in names:
        out.write(as_json(document(store.run(name), events=events), _plain) + b"\n")
        written += 1
    return written


def export_parquet(store: Store, names: Iterable[str], path: str | Path) -> int:
    """Write one row a candidate of every run that has ended with a result; the number of rows. Raises `StoreError` without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise StoreError(
            explain(
                "Writing Parquet needs a package that is not installed.",
                got="no pyarrow",
                expected="pyarrow",
                remedy="pip install 'outthink[parquet]', or export JSON lines.",
            )
        ) from None
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    written = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for group in _grouped(row for name in names for row in rows(store.run(name))):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            written += len(group)
    return written


COLUMNS: dict[str, type] = {
    "run": str,
    "created": float,
    "method": str,
    "digest": str,
    "engine": str,
    "seed": str,
    "task": str,
    "question": str,
    "reference": str,
    "stop": str,
    "run_tokens": int,
    "run_calls": int,
    "run_seconds": float,
    "node": int,
    "kind": str,
    "final": bool,
    "answer": str,
    "content": str,
    "score": float,
    "weight": float,
    "chosen": bool,
}


def document(run: StoredRun, *, events: bool) -> dict[str, Any]:
    """A run as plain values."""
    found: dict[str, Any] = {
        **msgspec.to_builtins(run.line),
        "prompt": run.task.prompt,
        "reference": run.task.reference,
        "data": run.task.data,
        "recipe": run.recipe,
        "budget": run.budget,
        "version": run.version,
        "error": run.error,
        "candidates": [
            {**msgspec.structs.asdict(candidate), "score": run.scores.get(node)}
            for node, candidate in run.candidates.items()
        ],
    }
    if run.result is not None:
        plain = msgspec.structs.replace(run.result, candidates=())
        result = msgspec.json.decode(plain.to_json())
        found["result"] = {**result, "candidates": [candidate.id for candidate in run.result.candidates]}
    if events:
        found["events"] = list(run.events)
    return found


def rows(run: StoredRun) -> Iterator[dict[str, Any]]:
    """A run's candidates, each with what is known of the run."""
    line, result = run.line, run.result
    if result is None:
        return
    for i, candidate in enumerate(result.candidates):
        content = candidate.content
        yield {
            "run": line.id,
            "created": line.created,
            "method": line.method,
            "digest": line.digest,
            "engine": line.engine,
            "seed": str(line.seed),
            "task": line.task,
            "question": run.task.question,
            "reference": run.task.reference,
            "stop": line.stop,
            "run_tokens": line.tokens,
            "run_calls": line.calls,
            "run_seconds": line.seconds,
            "node": candidate.id,
            "kind": candidate.kind,
            "final": candidate.final,
            "answer": _valid(candidate.answer),
            "content": _valid(content if isinstance(content, str) else _json(content)),
            "score": result.scores[i],
            "weight": result.weights[i],
            "chosen": i == result.chosen,
        }


def _json(value: Any) -> str:
    return as_json(value, _plain).decode()


def _valid(text: str | None) -> str | None:
    """Parquet's text is UTF-8."""
    return None if text is None else mended(text)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _grouped(found: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in found:
        group.append(row)
        if len(group) == AT_ONCE:
            yield group
            group = []
    if group:
        yield group
