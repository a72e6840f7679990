"""Whatever sorts, cuts or filters candidates does the same to what was said of them; what replaces them starts with nothing said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outthink.core import Key, Run, Session
from outthink.pipeline import AskingProcess, Desk, Flow, Fuse, Members, Rank, Remarks, RunTests, Stage, Verify
from outthink.pipeline.rehearsing import kind_of
from tests.pipeline.saying import QUESTION, saying

SEEDS = 1000


def said_by(rng: np.random.Generator) -> Callable[[str], str]:
    """A model whose rankings, verdicts and marks are drawn at random; some cannot be read."""

    def reply(prompt: str) -> str:
        n = len(re.findall(r"^\[\d+\] ", prompt, re.MULTILINE))
        match kind_of(prompt):
            case "rank":
                order = rng.permutation(n)[: rng.integers(0, n + 1)] + 1
                return " > ".join(f"[{k}]" for k in order)
            case "verdict":
                return str(rng.choice(["[Correct]", "[Incorrect]", "perhaps"]))
            case "run-tests":
                return "\n".join(f"[{k}] {rng.choice(['Passed', 'Failed'])}" for k in range(1, n + 1))
            case _:
                return "a new text"

    return reply


async def begun(run: Run, process: AskingProcess, n: int) -> Flow:
    """n candidates, each with a critique that names it."""
    desk = Desk(run)
    batch = await desk.written([f"candidate {i}" for i in range(n)], Key(0).child("written"))
    members = replace(Members.fresh(batch), critique=Remarks(tuple(f"of candidate {i}" for i in range(n))))
    return Flow(members, layer=1, tests=("It is short.", "It is true.", "It ends."))


def aligned(flow: Flow, process: AskingProcess) -> bool:
    texts = [process.shown(state) for state in flow.members.batch.states]
    return all(remark == f"of {text}" for text, remark in zip(texts, flow.members.critique.texts, strict=True))


async def after(stage: Stage, seed: int) -> tuple[Flow, Flow, AskingProcess]:
    rng = np.random.default_rng(seed)
    process = AskingProcess(saying(said_by(rng)), QUESTION)
    run = Run(process, Session.open(seed=seed), task=QUESTION)
    before = await begun(run, process, int(rng.integers(1, 6)))
    return before, await stage.run(before, Desk(run), Key(seed)), process


STAGES: list[tuple[Stage, int]] = [
    (Rank(keep=0, retries=0), SEEDS * 2 // 5),
    (Rank(keep=2, batch=2, retries=0), SEEDS // 5),
    (Verify(retries=0), SEEDS // 5),
    (RunTests(only="passers", retries=0), SEEDS // 5),
]


@pytest.mark.parametrize(("stage", "seeds"), STAGES, ids=lambda one: one.name() if isinstance(one, Stage) else "")
def test_critiques_stay_with_their_candidates(stage: Any, seeds: int) -> None:
    async def work() -> tuple[int, int]:
        permuted = cut = 0
        for seed in range(seeds):
            before, then, process = await after(stage, seed)
            assert aligned(before, process)
            assert aligned(then, process)
            old, new = before.members.batch.id.tolist(), then.members.batch.id.tolist()
            assert set(new) <= set(old)
            permuted += new != sorted(new)
            cut += len(new) < len(old)
        return permuted, cut

    permuted, cut = asyncio.run(work())
    # The seeds do permute and filter: a stage that left critiques where they were would be found out.
    assert permuted + cut > seeds // 8


def test_what_leaves_the_critiques_where_they_were_is_found_out() -> None:
    async def work() -> int:
        wrong = 0
        for seed in range(50):
            before, then, process = await after(Rank(keep=0, retries=0), seed)
            forgetful = replace(then, members=replace(then.members, critique=before.members.critique))
            wrong += not aligned(forgetful, process)
        return wrong

    assert asyncio.run(work()) > 20


def test_a_fuser_leaves_no_critiques() -> None:
    _, then, _ = asyncio.run(after(Fuse(samples=3), 0))
    assert then.members.critique.texts == ("", "", "")
