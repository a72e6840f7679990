"""What a reply says besides the answer: usage as it was counted, by role, and how the answer was found."""

from __future__ import annotations

import math
from typing import Any

from outthink.core.cost import Cost
from outthink.core.result import Result
from outthink.serve.searching import Outcome
from outthink.serve.selecting import Answered

_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "calls", "verifier_calls")


def usage(result: Result, first: str = "prompt", second: str = "completion") -> dict[str, Any]:
    """OpenAI's usage over all calls of the search, verifiers included; `by_role` splits it."""
    cost = result.cost
    block: dict[str, Any] = {
        f"{first}_tokens": cost.input_tokens,
        f"{second}_tokens": cost.output_tokens,
        "total_tokens": cost.input_tokens + cost.output_tokens,
        f"{first}_tokens_details": {"cached_tokens": cost.cached_input_tokens},
        f"{second}_tokens_details": {"reasoning_tokens": cost.reasoning_tokens},
        "by_role": {role: _counts(part) for role, part in result.by_role.items()},
    }
    if result.uncertain != Cost():
        block["uncertain"] = _counts(result.uncertain)
    return block


def account(outcome: Outcome, model: str) -> dict[str, Any]:
    """The field `outthink` of a reply. Scores and weights are those of all candidates, in the search's order.

    `chosen` and `answer` are what is sent: not the search's own choice where that was no valid document, or where fields were voted on.
    """
    result, first = outcome.result, outcome.answers[0]
    extracted = result.answer if first.candidate == result.chosen else _extracted(result, first)
    return {
        "model": model,
        "run": outcome.run or None,
        "method": outcome.method,
        "seed": outcome.seed,
        "stop": result.stop.value,
        "limit": result.limit or None,
        "steps": result.steps,
        "candidates": len(result.candidates),
        "chosen": first.candidate,
        "answer": extracted if isinstance(extracted, str) else None,
        "scores": result.scores,
        "weights": result.weights,
        "agreement": result.agreement,
        "effective_n": result.effective_n,
        "degraded": result.degraded,
    }


def _extracted(result: Result, answer: Answered) -> str:
    own = None if answer.candidate is None else result.candidates[answer.candidate].answer
    return answer.text if own is None else own


def _counts(cost: Cost) -> dict[str, Any]:
    counts: dict[str, Any] = {name: getattr(cost, name) for name in _COUNTS}
    counts["money"] = None if math.isnan(cost.money) else cost.money
    return counts
