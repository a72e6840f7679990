"""What a store tells of its runs: a line a run for lists, and everything of one run."""

from __future__ import annotations

from typing import Any

import msgspec

from outthink.core.events import AnyEvent
from outthink.core.result import Result
from outthink.core.task import Candidate, Task


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One run in a list.

    Attributes:
        number: its number within this store; `id` is its name anywhere.
        status: "running", "killed" (its process is gone), "ended", or "failed".
        created, updated: seconds since 1970, UTC.
        task, question: the task's own id, and the first 200 characters of what was asked.
        digest: of the recipe; "" for a search that was put together by hand.
        stop, limit: why it ended; "" while it has not.
        answer: its first 200 characters.
    """

    number: int
    id: str
    status: str
    created: float
    updated: float
    task: str
    question: str
    method: str
    digest: str
    engine: str
    seed: int
    steps: int
    seconds: float
    tokens: int
    calls: int
    verifier_calls: int
    denoiser_evals: int
    stop: str
    limit: str
    answer: str | None


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run.

    Attributes:
        recipe: its tables; empty for a search that was put together by hand.
        result: None while it runs, and when it failed. Features that are not plain numbers or short text are not stored.
        error: why it failed; "" when it did not.
        candidates, scores: by node, those of the run itself. None is no opinion.
        events: of the run itself and of the runs inside it (`Event.run` names those).
        checkpoints: the steps from which it can be resumed, last first.
        unanswered: requests that were sent and had no reply when its process was gone.
    """

    line: RunLine
    task: Task
    recipe: dict[str, Any]
    budget: dict[str, float]
    version: str
    result: Result | None
    error: str
    candidates: dict[int, Candidate]
    scores: dict[int, float | None]
    events: tuple[AnyEvent, ...]
    checkpoints: tuple[int, ...]
    unanswered: tuple[str, ...]
