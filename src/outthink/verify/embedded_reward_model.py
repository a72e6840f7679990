"""A process reward model on the embedded engine: a GGUF that says after each step, by one of two words, whether all is well so far.

    [verifier]
    type = "embedded-reward-model"
    model = "laboratory-value"
    format = "laboratory-value"
    split = "\\n"

The models of `math-shepherd` and `rlhflow-prm` are published as GGUF too; this runs them without torch. The chance of the good word among
the two, at the last step's mark, is the value of the prefix. Nothing is generated, and what a candidate shares with one that was rated
before comes from the engine's cache, so that rating every step of a search costs little more than rating its answers once. If unsure: the
format that the model's card names.

Sources: Wang et al. 2024, Math-Shepherd (the two words); the formats' own in `reward_formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta

from outthink.core.component import Parts
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, SettingsError, explain
from outthink.core.settings import Positive
from outthink.core.task import Task
from outthink.engines.engine import Continued, TokenPrompt, owner_of
from outthink.engines.local.settings import Local
from outthink.verify.readings import Rating
from outthink.verify.reward_layout import PLACEHOLDER, laid_out, word
from outthink.verify.rewards import Rated, RewardSettings, RewardVerifier

if TYPE_CHECKING:
    from outthink.engines.local.engine import LocalEngine

OWNER = "reward"


class EmbeddedRewardModel(RewardSettings):
    """A reward model of words on the embedded engine.

    Attributes:
        model: path of a GGUF file, or a known model such as "laboratory-value".
        threads, memory, context, max_sequences, retained: as for the engine `local`.
    """

    threads: Positive | None = None
    memory: Annotated[float, Meta(gt=0.0)] = 384.0
    context: Positive | None = None
    max_sequences: Annotated[int, Meta(ge=1, le=128)] = 32
    retained: Annotated[int, Meta(ge=0, le=222)] = 192

    def check(self) -> None:
        super().check()
        problem = ""
        if self.form.head != "words":
            problem = f"head = {self.form.head!r}"
        elif self.aggregation not in ("last", "whole", "step"):
            problem = f"aggregation = {self.aggregation!r}"
        if problem:
            raise SettingsError(
                explain(
                    "The embedded engine reads the chances of two words, once a candidate.",
                    got=problem,
                    expected='a format with head = "words", and the aggregation "last", "whole" or "step"',
                    remedy='Use a format such as "math-shepherd"; put outthink.verify.Aggregated around "step" for a minimum or a product.',
                )
            )
        self.local()

    def local(self) -> Local:
        """The engine's settings."""
        return Local(
            model=self.model,
            threads=self.threads,
            memory=self.memory,
            context=self.context,
            max_sequences=self.max_sequences,
            retained=self.retained,
        )

    def build(self, parts: Parts) -> EmbeddedRewards:
        return EmbeddedRewards(self, self.local().open())


@dataclass(frozen=True)
class EmbeddedRewards(RewardVerifier):
    """Live part of `EmbeddedRewardModel`; it owns the engine. Raises `Incompatible` where the format's words are not single tokens."""

    settings: EmbeddedRewardModel
    engine: LocalEngine

    def __post_init__(self) -> None:
        for text in (self.settings.form.good, self.settings.form.bad):
            word(self.engine.tokenizer, text)

    @property
    def words(self) -> tuple[int, int]:
        """The tokens of the good and of the bad word."""
        form, tokenizer = self.settings.form, self.engine.tokenizer
        return word(tokenizer, form.good), word(tokenizer, form.bad)

    def most(self, task: Task) -> Cost:
        form, tokenizer = self.settings.form, self.engine.tokenizer
        prompt = len(laid_out(tokenizer, form, task.question, (PLACEHOLDER,)).tokens)
        size = prompt + self.settings.candidate_tokens
        # The second word is read where the first one was, for one token.
        return Cost(verifier_calls=1, calls=2, input_tokens=2 * size, cached_input_tokens=size - 1)

    async def ratings(self, task: Task, answers: Sequence[tuple[str, ...]]) -> Rated:
        form, tokenizer, words = self.settings.form, self.engine.tokenizer, self.words
        readings = [laid_out(tokenizer, form, task.question, steps) for steps in answers]
        prompts = [reading.tokens[: reading.marks[-1] + 1] for reading in readings]
        most = (self.most(task).input_tokens // 2, 1)
        different = [prompt for prompt in dict.fromkeys(prompts) if len(prompt) <= most[0]]
        replies = await self.engine.log_probs(
            [(TokenPrompt(prompt), (token,)) for prompt in different for token in words],
            owner=owner_of(task, OWNER),
            max_uncached=most * len(different),
        )
        read = {prompt: _read(replies[2 * i : 2 * i + 2]) for i, prompt in enumerate(different)}
        cost = sum((reply.cost for reply in replies if isinstance(reply, Continued)), ZERO)
        return Rated([read.get(prompt) or self._too_long(len(prompt), most[0]) for prompt in prompts], cost)

    async def close(self) -> None:
        await self.engine.close()

    def _too_long(self, size: int, most: int) -> Failure:
        return Failure(
            "ContextOverflow",
            explain(
                "The candidate is longer than was promised to the budget.",
                got=f"{size} tokens with its prompt",
                expected=f"at most {most}",
                remedy=f"Raise the verifier's candidate_tokens (now {self.settings.candidate_tokens}).",
            ),
        )


def _read(replies: Sequence[Continued | Failure]) -> Rating | Failure:
    values: list[float] = []
    for reply in replies:
        if isinstance(reply, Failure):
            return reply
        values.append(reply.log_probs[0])
    tokens = sum(reply.cost.input_tokens for reply in replies if isinstance(reply, Continued))
    cached = sum(reply.cost.cached_input_tokens for reply in replies if isinstance(reply, Continued))
    return Rating(np.array([values]), tokens, tokens - cached)
