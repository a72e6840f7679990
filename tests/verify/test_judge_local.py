"""Judges on the embedded engine: replies are held to their form, and the bill keeps the promise."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.core import Cost, Parts, Task
from outthink.engines.local.settings import Local
from outthink.verify import Judge, Pairwise
from tests.verify.judges import check_promise, texts

TASK = Task(prompt="What is 2 + 3?", reference="5")


@pytest.mark.local_model
async def test_every_reply_is_a_verdict() -> None:
    engine = Local(memory=64.0, threads=2).open()
    try:
        for judge in (
            Judge(rubric="short", n_evaluate=2, max_tokens=8),
            Judge(rubric="critique", n_evaluate=1, max_tokens=40),
            Pairwise(rubric="choice", rounds=1, max_tokens=8),
        ):
            verifier, before = judge.build(Parts(engine=engine)), engine.counters()
            got = await verifier.score(texts("2 + 3 = 5\nAnswer: 5", "Answer: 7"), TASK)
            assert got.failures == {}
            if judge.max_tokens == 8:
                assert not np.isnan(got.values).any()
            assert got.cost == engine.counters() - before + Cost(verifier_calls=2)
            check_promise(verifier, got, 2, TASK)
    finally:
        await engine.close()
