from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np

from outthink.core import Allowance, Candidate, Cut, Key, Task
from outthink.testing import Flaky, FunctionOfAnswer, FunctionOfContent, Slow, TokenChain, run_virtual

SEEDS, START = Key(2).seeds(200), Key(1).seeds(200)


async def test_whether_a_slot_fails_follows_from_its_seed() -> None:
    chain = TokenChain("ab", length=2)
    flaky = Flaky(chain, 0.25)
    states = await flaky.start(START)
    whole = await flaky.advance(states, SEEDS, allowance=Allowance())
    assert 25 < len(whole.failures) < 75
    part = await flaky.advance(flaky.take(states, np.arange(100, 200)), SEEDS[100:], allowance=Allowance())
    assert {slot + 100 for slot in part.failures} == {slot for slot in whole.failures if slot >= 100}
    assert [text == "" for text in chain.texts(whole.states)] == [i in whole.failures for i in range(200)]
    assert whole.cost.calls == 200, "what failed was paid"


def test_every_slot_takes_its_own_time() -> None:
    async def work() -> None:
        slow = Slow(TokenChain("ab", length=2), 1.0, 3.0)
        states = await slow.start(START)
        await slow.advance(states, SEEDS, allowance=Allowance())
        loop = asyncio.get_running_loop()
        assert 2.9 < loop.time() < 3.0
        cut, began = Cut(), loop.time()
        loop.call_later(2.0, cut.fire, "seconds")
        got = await slow.advance(states, SEEDS, allowance=Allowance(cut=cut))
        assert loop.time() == began + 2.0
        assert 70 < got.was_short().sum() < 130
        assert [text == "" for text in slow.inner.texts(got.states)] == got.was_short().tolist()  # type: ignore[attr-defined]

    run_virtual(work())


async def test_toy_verifiers_count_and_fail() -> None:
    verifier = FunctionOfContent(len, fails=lambda candidate: candidate.content == "no")
    scores = await verifier.score([Candidate(content="yes"), Candidate(content="no")], Task())
    assert scores.values[0] == 3
    assert np.isnan(scores.values[1])
    assert list(scores.failures) == [1]
    assert verifier.counters.verifier_calls == 2
    assert verifier.rounds == [2]
    assert verifier.seen == ["yes", "no"]


async def test_toy_equivalence_abstains_without_an_answer() -> None:
    keys = await FunctionOfAnswer(len).keys([Candidate(content="", answer="ab"), Candidate(content="")], Task())
    assert keys == [2, None]


def test_only_the_suites_need_pytest() -> None:
    script = "import sys, outthink.testing; sys.exit('pytest' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
