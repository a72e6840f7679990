"""Which fields of a file hold what: names that are in use are found by themselves, others are given, dotted paths too."""

from __future__ import annotations

from typing import Any, Literal

from outthink.core.settings import Settings

MISSING: Any = object()

USUAL: dict[str, tuple[str, ...]] = {
    "id": ("id", "question_id", "unique_id", "task_id", "idx", "question"),
    "set": ("set", "task", "dataset", "subject"),
    "reference": ("reference", "gt_answer", "ground_truth", "answer", "target", "solution"),
    "responses": ("responses", "samples", "candidates", "completions", "outputs", "generations", "resps"),
    "answers": ("answers", "predicted_answers", "predictions", "preds", "pred", "extracted_answers", "filtered_resps"),
    "scores": ("scores", "rewards", "verifier_scores"),
    "right": ("right", "correct", "is_correct", "is_corrects", "correctness", "is_right", "labels"),
    "tokens": ("tokens", "completion_tokens", "num_tokens", "output_tokens", "lengths"),
}
"""Names of a row's own fields, the first that is there wins."""

WITHIN: dict[str, tuple[str, ...]] = {
    "responses": ("response", "content", "text", "completion", "output"),
    "answers": ("answer", "predicted_answer", "prediction", "pred", "extracted_answer"),
    "scores": ("score", "reward", "scores"),
    "right": ("right", "correct", "is_correct"),
    "tokens": ("tokens", "completion_tokens", "output_tokens", "cost.output_tokens"),
}
"""Names inside one sample, where the samples are objects."""


class Fields(Settings):
    """Which fields hold what; "" looks for the usual names. A dotted name looks inside an object: `judged.head.value`.

    Attributes:
        id: of the question; the number of the line where there is none. set: what it belongs to.
        reference: the right answer. responses: texts, or objects with all that is known of a sample.
        answers: predicted answers. scores: numbers, lists of step scores, or a table of such by verifier. right: right or wrong.
        tokens: what each sample cost.
        aggregate: how step scores become one: the last one, the least, their product or their mean.
    """

    id: str = ""
    set: str = ""
    reference: str = ""
    responses: str = ""
    answers: str = ""
    scores: str = ""
    right: str = ""
    tokens: str = ""
    aggregate: Literal["last", "min", "prod", "mean"] = "last"

    def of_row(self, row: dict[str, Any], role: str) -> Any:
        """What a row has for that role; `MISSING` for nothing."""
        return _first(row, getattr(self, role), USUAL[role])

    def of_sample(self, sample: dict[str, Any], role: str) -> Any:
        """What one sample has for that role; `MISSING` for nothing."""
        return _first(sample, getattr(self, role), WITHIN[role])


def _first(source: dict[str, Any], given: str, usual: tuple[str, ...]) -> Any:
    for name in (given,) if given else usual:
        found = _inside(source, name)
        if found is not MISSING:
            return found
    return MISSING


def _inside(source: Any, path: str) -> Any:
    if isinstance(source, dict) and path in source:
        return source[path]
    head, dot, rest = path.partition(".")
    if dot and isinstance(source, dict) and head in source:
        return _inside(source[head], rest)
    return MISSING
