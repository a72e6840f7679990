"""Self-evaluation: the model's own probability that starting over would give nothing better, read for the price of one token.

    [verifier]
    type = "self-evaluation"

A fixed question is appended to a copy of what the model has in view, finished or not, and the log-probabilities of the one-token answers
are read; nothing is generated and the text itself never sees the question. V = p(No) / (p(No) + p(Yes)) in log space, over the tokens that
the question names. All candidates of a round are sent together, and an engine decodes them in one batch with whatever else it is serving;
what the engine has in its cache, which is the whole text, is neither computed nor billed again.

V is relative to the model, not to truth: the chance that another attempt by the same model would win or tie. A model that was never right
on a question is sure of its wrong answers, and rightly so. It is no score to rank questions by. Without training it is often flat; then it
says so. If unsure: the built-in question, with `adaptive` and a threshold chosen on held-out questions.

Source: spec 07 (arXiv 2410.02725). Departs from it: the reading of both tokens is checked, and a model that wanted neither is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, Incompatible, OutthinkError, explain
from outthink.core.settings import Positive
from outthink.core.task import Candidate, Message, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier
from outthink.engines.context import Context
from outthink.engines.engine import Continued, Engine, ScoresContinuations, Tokenizer, Tokenizing, TokenPrompt, owner_of
from outthink.verify.self_evaluation_questions import SelfQuestion, find_question

OWNER = "self-evaluation"
LEAST_MASS = 0.5
FLAT, ENOUGH = 0.02, 16


class SelfEvaluation(VerifierSettings):
    """The generating model's own probability that another attempt would not be better. Always asks the recipe's engine.

    Attributes:
        question: a built-in question by name, or one of your own.
        context_tokens: the longest text, prompt included, that is judged, in tokens; a longer one fails by itself. Promised to the budget
            as input, nearly all of it cached.
    """

    question: str | SelfQuestion = "start-over"
    context_tokens: Positive = 8192

    def check(self) -> None:
        find_question(self.question)

    def build(self, parts: Parts) -> SelfEvaluator:
        engine = parts.engine
        if (
            not isinstance(engine, Engine)
            or not isinstance(engine, ScoresContinuations)
            or not isinstance(engine, Tokenizing)
        ):
            raise Incompatible(
                explain(
                    "Self-evaluation reads the log-probabilities of given answers, and this engine does not tell them.",
                    got=engine.name if isinstance(engine, Engine) else type(engine).__name__,
                    expected="an engine that rates given continuations, such as the embedded one",
                    remedy='Use --model local, or the verifier "judge" with the rubric "short", which asks for a word instead.',
                )
            )
        return SelfEvaluator(find_question(self.question), engine, engine.tokenizer, self.context_tokens)


@dataclass
class SelfEvaluator(Verifier):
    """Live part of `SelfEvaluation`.

    Attributes:
        better, as_good: the tokens of the two answers.
    """

    question: SelfQuestion
    engine: ScoresContinuations
    tokenizer: Tokenizer
    context_tokens: int
    better: tuple[int, ...] = field(init=False)
    as_good: tuple[int, ...] = field(init=False)
    _plain: tuple[int, ...] = field(init=False)
    _turn: tuple[int, ...] | Failure = field(init=False)
    _values: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.better = self._single(self.question.better)
        self.as_good = self._single(self.question.as_good)
        self._plain = self.tokenizer.encode(self.question.plain)
        self._turn = turn(self.tokenizer, self.question.chat)

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.PREFIX_VALUE,
            partial=True,
            log_map=LogMap.PROBABILITY,
            wants=frozenset({"context"}),
            local=False,
        )

    def most(self, task: Task) -> Cost:
        uncached = self._uncached()
        size = (self.context_tokens + uncached[0]) * len(uncached)
        return Cost(input_tokens=size, cached_input_tokens=size - sum(uncached), calls=len(uncached), verifier_calls=1)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        rows = [self._asked(candidate) for candidate in candidates]
        tokens = (*self.better, *self.as_good)
        different = list(dict.fromkeys(row for row in rows if isinstance(row, tuple)))
        pairs = [(TokenPrompt(prompt), (token,)) for prompt in different for token in tokens]
        replies = await self.engine.log_probs(
            pairs, owner=owner_of(task, OWNER), max_uncached=self._uncached() * len(different)
        )
        read = {
            prompt: self._read(replies[i * len(tokens) : (i + 1) * len(tokens)]) for i, prompt in enumerate(different)
        }
        found = [Reading(failure=row) if isinstance(row, Failure) else read[row] for row in rows]
        cost = sum((reply.cost for reply in replies if isinstance(reply, Continued)), ZERO)
        return Scores(
            np.array([one.value for one in found], np.float64),
            tuple(one.note for one in found),
            cost + Cost(verifier_calls=len(different)),
            {i: one.failure for i, one in enumerate(found) if one.failure is not None},
            warnings=self._doubts([one for one in found if not math.isnan(one.value)]),
        )

    # -- inside -----------------------------------------------------------------------------------------------------

    def _asked(self, candidate: Candidate) -> tuple[int, ...] | Failure:
        """What the model is shown: a copy of its context, and the question."""
        context = candidate.features.get("context")
        if not isinstance(context, Context) or not context.tokens:
            return Failure(
                "Incompatible", "The process does not show what the model has in view, so nothing can be asked of it."
            )
        if len(context.tokens) > self.context_tokens:
            return Failure(
                "ContextOverflow",
                explain(
                    "The text is longer than self-evaluation was told to expect.",
                    got=f"{len(context.tokens)} tokens",
                    expected=f"at most {self.context_tokens}",
                    remedy="Raise context_tokens.",
                ),
            )
        tail = self._turn if context.chat else self._plain
        if isinstance(tail, Failure):
            return tail
        # A reply that has ended brings the end token that the next turn begins with.
        ended = context.chat and context.tokens[-1] == tail[0] and tail[0] in self.tokenizer.end_tokens
        return (*context.tokens, *(tail[1:] if ended else tail))

    def _uncached(self) -> list[int]:
        """What reading each token may bill: the question once, with the last token before it; then one token each."""
        longest = max(len(self._plain), 0 if isinstance(self._turn, Failure) else len(self._turn))
        return [longest + 1] + [1] * (len(self.better) + len(self.as_good) - 1)

    def _single(self, words: Sequence[str]) -> tuple[int, ...]:
        found = dict.fromkeys(ids[0] for word in words if len(ids := self.tokenizer.encode(word)) == 1)
        if not found:
            raise Incompatible(
                explain(
                    "None of these answers is a single token of this model, so its probability cannot be read at one place.",
                    got=", ".join(map(repr, words)),
                    expected="a word that the model writes as one token",
                    remedy="Give a question of your own with other words.",
                )
            )
        return tuple(found)

    def _read(self, replies: Sequence[Continued | Failure]) -> Reading:
        values = []
        for reply in replies:
            if isinstance(reply, Failure):
                return Reading(failure=reply)
            values.append(reply.log_probs[0])
        yes = float(np.logaddexp.reduce(values[: len(self.better)]))
        no = float(np.logaddexp.reduce(values[len(self.better) :]))
        both = float(np.logaddexp(yes, no))
        if both == -math.inf:
            return Reading(note="the model gives both answers no probability at all")
        mass = min(1.0, math.exp(both))
        note = f"the answers have {mass:.0%} of the probability" if mass < LEAST_MASS else ""
        return Reading(min(1.0, math.exp(no - both)), mass, note)

    def _doubts(self, found: Sequence[Reading]) -> tuple[str, ...]:
        said = []
        low = sum(one.mass < LEAST_MASS for one in found)
        if low:
            said.append(
                "Self-evaluation: on some candidates the model gives less than half of its probability to the two answers that are read; "
                "the scores say little. Choose words that it would use, by a question of your own."
            )
        before = len(self._values)
        self._values += [one.value for one in found][: max(0, ENOUGH - before)]
        if before < ENOUGH <= len(self._values) and float(np.std(self._values)) < FLAT:
            said.append(
                f"Self-evaluation is flat: over the first {ENOUGH} candidates its standard deviation is under {FLAT}. An untrained "
                "model may not be able to tell; compare with a verifier, or with 'confidence'."
            )
        return tuple(said)


@dataclass(frozen=True)
class Reading:
    """One candidate's value, nan for no opinion, and the probability that both answers have together."""

    value: float = math.nan
    mass: float = math.nan
    note: str = ""
    failure: Failure | None = None


def turn(tokenizer: Tokenizer, question: str) -> tuple[int, ...] | Failure:
    """What the template puts between a reply and the next one, the question in it; a failure where it cannot be gone on with."""
    asked, said = Message("user", "1"), Message("assistant", "2")
    try:
        before = tokenizer.chat([asked], prefix="2")
        after = tokenizer.chat([asked, said, Message("user", question)])
    except OutthinkError as error:
        return Failure.of(error)
    if after[: len(before)] != before or len(after) == len(before):
        return Failure(
            "Incompatible",
            explain(
                "The model's chat template rewrites earlier turns, so no question can be appended to a copy of a conversation.",
                got="a template that changes what stands before",
                expected="one that appends",
                remedy='Set [process] format = "plain", or use the verifier "judge".',
            ),
        )
    return after[len(before) :]
