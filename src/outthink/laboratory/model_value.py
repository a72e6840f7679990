"""The exact value of a prefix under a model: the chance that the model's own continuation, drawn at temperature 1, solves the problem.

    value = await model_value(engine, "3 5 7 -> 22", "5*3=15\\n")      # ModelValue(value=0.93, continuations=2, cost=...)

The solutions of a laboratory problem are a finite set of texts, so this is a sum and no estimate: the model's probabilities of all texts
that complete the prefix to a solution, each with the end token behind it. Every token of this model is one byte, so that a text can be
written in one way only and the sum is exact, up to the rounding of the engine's arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, Incompatible, explain
from outthink.engines.engine import Continued, Engine, ScoresContinuations, Tokenizing, TokenPrompt
from outthink.laboratory.value import continuations, follow


@dataclass(frozen=True)
class ModelValue:
    """The chance that the model's continuation solves the problem, from how many solutions it was summed, and what that cost."""

    value: float
    continuations: int
    cost: Cost


async def model_value(engine: Engine, question: str, text: str, *, owner: str = "") -> ModelValue:
    """The value of `text` as the beginning of a solution of `question`, under the engine's model at temperature 1.

    Raises:
        InputError: the question is no laboratory problem.
        Incompatible: the engine cannot rate given texts.
    """
    if not (isinstance(engine, ScoresContinuations) and isinstance(engine, Tokenizing)):
        raise Incompatible(
            explain(
                "The exact value under a model needs the model's probabilities of given texts.",
                got=engine.name,
                expected="an engine that rates continuations, such as the embedded one",
                remedy="Use --model laboratory, or the verifier 'laboratory-oracle', which needs no model.",
            )
        )
    endings = list(continuations(follow(question, text)))
    tokenizer = engine.tokenizer
    prompt = TokenPrompt((*tokenizer.opening, *tokenizer.encode(f"{question}\n{text}")))
    (end,) = tokenizer.end_tokens
    rated = await engine.log_probs([(prompt, (*tokenizer.encode(ending), end)) for ending in endings], owner=owner)
    return ModelValue(
        value=float(sum(np.exp(sum(one.log_probs)) for one in _all(rated))),
        continuations=len(endings),
        cost=sum((one.cost for one in _all(rated)), ZERO),
    )


def _all(rated: Sequence[Continued | Failure]) -> list[Continued]:
    for one in rated:
        if isinstance(one, Failure):
            raise one.as_error()
    return [one for one in rated if isinstance(one, Continued)]
