"""Recorded texts compared as a recipe's `[answer]` compares them: "$1,234.50" and "1234.5" are one vote.

with keys_by(Numeric()) as keys:
    found = read_samples("samples.jsonl", keys=keys)
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from outthink.core.component import AnswerSettings, Parts
from outthink.core.task import Candidate, Task
from outthink.replay.row import Keys


@contextmanager
def keys_by(answer: AnswerSettings) -> Iterator[Keys]:
    """What counts as the same, for `read_samples` and `run_samples`: the answer is looked for in each text, and compared.

    Not from within a running event loop.
    """
    equivalence = answer.build(Parts(answer=answer))
    with asyncio.Runner() as runner:

        def keys(texts: Sequence[str | None]) -> list[Hashable | None]:
            found = [None if text is None else answer.extract(text) for text in texts]
            shown = [Candidate(content=text or "", answer=one) for text, one in zip(texts, found, strict=True)]
            keyed = runner.run(equivalence.keys(shown, Task()))
            return [None if one is None else key for one, key in zip(found, keyed, strict=True)]

        yield keys
