"""From a search's result to the n answers of a request: only finished candidates, only valid ones, the search's own choice first.

Among the others the heavier, then the better scored comes first, and a text that was not given yet before one that was. Where documents
were voted on, the first answer is put together field by field. Too few candidates are an error, never filled up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outthink.core.result import Result
from outthink.engines.tools import ToolCall
from outthink.serve.documents import Form, canonical, elected, problem
from outthink.serve.process import TOKENS, ServedToken
from outthink.serve.refusal import no_answer

Split = Callable[[str], tuple[str, tuple[ToolCall, ...]]]


@dataclass(frozen=True)
class Answered:
    """One answer as it is sent.

    Attributes:
        finish: OpenAI's word for why it ended.
        candidate: which of the search's candidates it is; None where it was put together from several.
    """

    text: str
    finish: str
    candidate: int | None = None
    tokens: tuple[ServedToken, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()


async def selected(
    result: Result, n: int, *, form: Form | None, votes: bool, split: Split, log_probs: bool
) -> list[Answered]:
    """n answers, best first. Raises `Refusal` where the search has not so many."""
    finished = [i for i, candidate in enumerate(result.candidates) if candidate.final]
    problems = {i: await problem(str(result.candidates[i].content), form) if form else "" for i in finished}
    eligible = [i for i in finished if not problems[i]]
    _enough(result, finished, eligible, problems, n)
    answers = [_answered(result, i, split) for i in _ranked(result, eligible)[:n]]
    if votes and form is not None and n == 1:
        answers = [await _voted(result, eligible, form, answers[0])]
    if log_probs and any(answer.tokens is None for answer in answers):
        raise no_answer(
            "The log-probabilities of this answer are not known: its text is not what the model's server sent token by token.",
            "no_logprobs",
        )
    return answers


def _enough(result: Result, finished: list[int], eligible: list[int], problems: dict[int, str], n: int) -> None:
    if len(eligible) >= n:
        return
    ended = f" The search ended by its limit on {result.limit}." if result.limit else ""
    if not finished:
        raise no_answer(f"No candidate was finished.{ended}", "budget_exhausted" if result.limit else "no_answer")
    why = sorted({text for text in problems.values() if text})
    if not eligible and why:
        raise no_answer(
            f"None of {len(finished)} candidates is what response_format asks for: {'; '.join(why)[:600]}.{ended}",
            "no_valid_candidate",
        )
    raise no_answer(f"The search has {len(eligible)} of the {n} answers asked for.{ended}", "too_few_answers")


def _ranked(result: Result, eligible: Sequence[int]) -> list[int]:
    def rank(i: int) -> tuple[bool, float, float, int]:
        score = result.scores[i]
        return (i != result.chosen, -result.weights[i], -score if score is not None else float("inf"), i)

    order = sorted(eligible, key=rank)
    fresh: list[int] = []
    again: list[int] = []
    seen: set[str] = set()
    for i in order:
        text = str(result.candidates[i].content)
        (again if text in seen else fresh).append(i)
        seen.add(text)
    return [*fresh, *again]


def _answered(result: Result, i: int, split: Split) -> Answered:
    candidate = result.candidates[i]
    text, calls = split(str(candidate.content))
    finish = "tool_calls" if calls else "length" if candidate.features.get("stop") == "length" else "stop"
    return Answered(text, finish, i, candidate.features.get(TOKENS), calls)


async def _voted(result: Result, eligible: Sequence[int], form: Form, first: Answered) -> Answered:
    """The document whose every field has most votes, where it is valid; as a candidate wrote it, where one did."""
    texts = [str(result.candidates[i].content) for i in eligible]
    weights = [result.weights[i] for i in eligible]
    document = elected(texts, weights if sum(weights) > 0 else [1.0] * len(eligible))
    if document is None:
        return first
    written = json.dumps(document, ensure_ascii=False)
    wanted = canonical(written)
    for i, text in zip(eligible, texts, strict=True):
        if canonical(text) == wanted:
            return _answered(result, i, lambda given: (given, ()))
    return Answered(written, "stop") if not await problem(written, form) else first
