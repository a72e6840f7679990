"""A reward model in this process: a Hugging Face classifier, or a model that rates every step.

    [verifier]
    type = "reward-model"
    model = "models/my-process-reward-model"
    format = "qwen-prm"
    aggregation = "min"

Needs `outthink[local-torch]`. What a candidate shares with one that was rated before is not computed again, so that rating every step of a
search costs little more than rating its answers once. If unsure: the format that the model's card names, and "last".

Sources: Lightman et al. 2023, Let's Verify Step by Step; the formats' own in `reward_formats`; spec 03 and 05 for aggregation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from outthink.core.component import Parts
from outthink.core.cost import Cost
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Count, Positive
from outthink.core.task import Task
from outthink.verify.extras import require
from outthink.verify.readings import AnswerScorer, Rating
from outthink.verify.rewards import Rated, RewardSettings, RewardVerifier


class RewardModel(RewardSettings):
    """A reward model on torch in this process.

    Attributes:
        model: a folder with weights (safetensors) and a fast tokenizer, or a name of the hub. Code that a model brings is never run.
        head: what the tensors of its head are called; "" looks for the usual names.
        both_directions: whether it is a sequence classifier that reads in both directions (BERT and its kin): question and answer as a
            pair, whole each time.
        revision: which version of a model of the hub; None for its main one.
        device, dtype: as for the engine `transformers`.
        memory: megabytes (10^6 bytes) for the cache of prefixes.
        context: the longest candidate with its prompt, in tokens; None for the model's own.
        retained: prefixes that are kept, as far as memory allows.
    """

    head: str = ""
    both_directions: bool = False
    revision: str | None = None
    device: Annotated[str, Meta(min_length=1)] = "auto"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    memory: Annotated[float, Meta(gt=0.0)] = 1000.0
    context: Positive | None = None
    retained: Annotated[Count, Meta(le=1024)] = 96

    def check(self) -> None:
        super().check()
        if self.both_directions and self.form.step_wise:
            raise SettingsError(
                explain(
                    "A model that reads in both directions rates whole answers.",
                    got=f"format = {self.format!r}",
                    expected='a format with head = "sequence"',
                    remedy='Set format = "outcome".',
                )
            )

    def build(self, parts: Parts) -> LocalRewards:
        require("torch", extra="local-torch", needed_by="reward models in this process")
        require("transformers", extra="local-torch", needed_by="reward models in this process")
        from outthink.verify.neural.scorer import open_scorer  # imports torch

        return LocalRewards(self, open_scorer(self, self.form))


@dataclass(frozen=True)
class LocalRewards(RewardVerifier):
    """Live part of `RewardModel`. The model works in a thread of its own."""

    scorer: AnswerScorer
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="outthink-reward"), repr=False
    )
    _prompts: dict[str, int] = field(default_factory=dict, repr=False)

    def most(self, task: Task) -> Cost:
        return Cost(verifier_calls=1, input_tokens=self._longest(task))

    async def ratings(self, task: Task, answers: Sequence[tuple[str, ...]]) -> Rated:
        loop = asyncio.get_running_loop()
        most = self._longest(task)
        found = await loop.run_in_executor(self._thread, lambda: self.scorer.rate(task.question, answers, most=most))
        read = [rating for rating in found if isinstance(rating, Rating)]
        tokens, computed = sum(rating.tokens for rating in read), sum(rating.computed for rating in read)
        return Rated(found, Cost(input_tokens=tokens, cached_input_tokens=tokens - computed))

    async def close(self) -> None:
        self._thread.shutdown(wait=True)
        self.scorer.close()

    def _longest(self, task: Task) -> int:
        """The most tokens of one candidate with its prompt."""
        if task.question not in self._prompts:
            self._prompts[task.question] = self.scorer.prompt_tokens(task.question)
        return self._prompts[task.question] + self.settings.candidate_tokens
