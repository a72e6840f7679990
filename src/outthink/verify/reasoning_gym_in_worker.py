"""Tasks of the library reasoning-gym, inside a worker process only: it takes seconds to load, and some of its scorers take for ever.

Several of its scorers hand the answer to Python's `eval`, so the worker that calls `credit` has to stand in a sandbox (see
`outthink.bench.tasks.confined`). A question is named by task, settings, seed and place, and drawn again where it is marked.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

import reasoning_gym


def questions(task: str, settings: str, seed: int, start: int, count: int) -> list[tuple[str, str]]:
    """Question and the library's own answer, from place `start` on. `settings`: a JSON object. Raises ValueError for an unknown task."""
    found = _drawn(task, settings, seed, start + count)
    entries = [found[place] for place in range(start, start + count)]
    return [(str(entry["question"]), "" if entry["answer"] is None else str(entry["answer"])) for entry in entries]


def credit(task: str, settings: str, seed: int, size: int, place: int, answer: str) -> float:
    """What the task's own scorer gives the answer, in [0, 1]."""
    found = _drawn(task, settings, seed, size)
    score = float(found.score_answer(answer, found[place]))
    return score if math.isfinite(score) else 0.0


@lru_cache(maxsize=8)
def _drawn(task: str, settings: str, seed: int, size: int) -> Any:
    return reasoning_gym.create_dataset(task, seed=seed, size=size, **json.loads(settings))
