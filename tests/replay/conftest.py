from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def recorded(questions: int, samples: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows as others record them: answers to sums, each right by its question's own rate; scores that know something, with ties."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(questions):
        truth, rate = int(rng.integers(10, 99)), rng.beta(1.2, 1.0)
        right = rng.random(samples) < rate
        answers = np.where(right, truth, truth + rng.integers(1, 4, samples))
        said = [None if rng.random() < 0.05 else str(a) for a in answers.tolist()]
        marks = [bool(r) and a is not None for r, a in zip(right.tolist(), said, strict=True)]
        scores = np.round(np.clip(0.3 * right + 0.7 * rng.random(samples), 0, 1), 1)
        rows.append(
            {
                "id": f"q{i}",
                "question": f"What is it? ({i})",
                "reference": str(truth),
                "responses": [f"It is {a}." for a in said],
                "answers": said,
                "scores": scores.tolist(),
                "right": marks,
                "tokens": rng.integers(20, 60, samples).tolist(),
            }
        )
    return rows


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return recorded(100, 8)


@pytest.fixture
def file(rows: list[dict[str, Any]], tmp_path: Path) -> Path:
    return written(tmp_path / "samples.jsonl", rows)


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path
