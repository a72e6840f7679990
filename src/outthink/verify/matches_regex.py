"""1 for a text or an answer that matches a regular expression, 0 for one that does not.

The pattern runs in a worker process: one that would run for ever is stopped, and that candidate's score is a failure, not a 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.settings import PositiveFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.finders import checked_pattern
from outthink.verify.live_settings import LiveVerifier
from outthink.verify.pool import workers


class MatchesRegex(LiveVerifier):
    """Whether the candidate has a given form.

    Attributes:
        pattern: in the syntax of Python's `re`.
        whole: whether it must match as a whole, not only somewhere.
        of: "content" (the text) or "answer" (0 where there is none).
        seconds: processor seconds for one candidate.
    """

    pattern: Annotated[str, Meta(min_length=1)]
    whole: bool = False
    of: Literal["content", "answer"] = "content"
    seconds: PositiveFloat = 2.0

    def check(self) -> None:
        checked_pattern(self.pattern)

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, log_map=LogMap.PROBABILITY, local=False)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        texts = [str(c.content) if self.of == "content" else c.answer for c in candidates]
        different = [text for text in dict.fromkeys(texts) if text is not None]
        replies = await asyncio.gather(
            *[workers().call("matches", self.pattern, text, self.whole, seconds=self.seconds) for text in different]
        )
        by_text = dict(zip(different, replies, strict=True))
        values, notes, failures = np.zeros(len(texts)), [""] * len(texts), {}
        for i, text in enumerate(texts):
            if text is None:
                notes[i] = "no answer"
            elif isinstance(reply := by_text[text], Failure):
                failures[i], values[i] = reply, np.nan
            else:
                values[i] = float(reply)
        return Scores(values, tuple(notes), Cost(verifier_calls=len(texts)), failures)
