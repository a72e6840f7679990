"""Text over the embedded model: worked sums step by step, with the tokens as the truth and a true bill."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.core import Allowance, Budget, Key, Ledger, Task
from outthink.engines.engine import Choice, Sampling
from outthink.engines.local import Local
from outthink.text import Delimiter, Example, TextProcess
from outthink.verify import Arithmetic, Numeric

pytestmark = pytest.mark.local_model
SUMS = (("4 + 7 + 2", 11, 13), ("8 + 5 + 9", 13, 22), ("14 + 3 + 6", 17, 23))
EXAMPLES = tuple(
    Example(question=q, answer=f"{q.rpartition(' + ')[0]} = {a}\n{a} + {q.split()[-1]} = {b}\n#### {b}")
    for q, a, b in SUMS
)
PLAIN = {
    "format": "plain",
    "prompt": "Add: {question}\n{answer}\n\n",
    "examples": EXAMPLES,
    "stepper": Delimiter(text="\n"),
    "stop": ("\n\n",),
    "max_tokens": 40,
    "sampling": Sampling(temperature=0.8),
}


async def test_sums_step_by_step_and_a_constrained_whole_answer() -> None:
    engine = Local(memory=120.0).open()
    try:
        process = TextProcess(engine, Task(prompt="12 + 9 + 5"), extract=Numeric().extract, **PLAIN)  # type: ignore[arg-type]
        before, ledger = engine.counters(), Ledger(Budget(tokens=1200))
        states = await process.start(Key(1).seeds(4))
        for step in range(6):
            allowance = Allowance(ledger)
            got = await process.advance(states, Key(1).child(step).seeds(4), allowance=allowance)
            assert not got.failures
            ledger.settle(allowance.claimed, got.cost, "generate", got.uncertain)
            states = got.states
            if got.done.all():
                break
        assert all(state.stop == "stop" for state in states)
        assert ledger.total == engine.counters() - before
        assert ledger.total.tokens <= 1200
        for state in states:
            assert state.tokens is not None
            assert engine.tokenizer.decode(state.tokens).startswith(state.text)
            assert state.log_prob is not None
            assert state.log_prob < 0
            assert len(state.marks) >= 2
        seen = await process.view(states, frozenset({"steps"}))
        assert all("".join(candidate.features["steps"]) == candidate.content for candidate in seen)
        assert sum(candidate.answer == "26" for candidate in seen) >= 1
        scores = await Arithmetic().score(seen, process.task)
        assert (scores.values != 0.5).any(), "it writes equations"
        forced = await process.complete(
            process.take(await process.start(Key(2).seeds(1)), np.array([0])), Key(2).seeds(1), allowance=Allowance()
        )
        assert forced.states[0].text.startswith("\nAnswer:")

        choice = TextProcess(
            engine, Task(prompt="Is water wet?"), constraint=Choice(options=("yes", "no")), max_tokens=8
        )
        assert not choice.step_wise
        whole = await choice.advance(
            await choice.start(Key(3).seeds(3)), Key(3).seeds(3), steps=None, allowance=Allowance()
        )
        assert {state.text for state in whole.states} <= {"yes", "no"}
        assert whole.done.all()
    finally:
        await engine.close()
