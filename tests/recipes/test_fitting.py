"""Parts that do not fit are refused before anything is spent, by solving and by a dry run alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from outthink.core.cost import Cost
from outthink.core.errors import Incompatible
from outthink.core.session import Session
from outthink.core.task import Candidate, Task
from outthink.core.verifier import ScoreKind, Scores, ScoreSpec, Verifier
from outthink.engines.engine import Continuation
from outthink.engines.scripted import END, Behaviour, ScriptedEngine
from outthink.recipes import Live, build, load, override
from outthink.recipes.most import most
from outthink.verify import as_verifier

TASK = Task(prompt="What is it?")


class WantsPictures(Verifier):
    """Looks at what no text has."""

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.OUTCOME, partial=True, wants=frozenset({"picture"}))

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        raise NotImplementedError


def engine(*continuations: Continuation) -> ScriptedEngine:
    return ScriptedEngine(lambda text: {END: 1.0}, behaviour=Behaviour(continuations=continuations))


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("method", "live", "said"),
    [
        (
            "beam",
            {"engine": engine(Continuation.NONE), "verifier": as_verifier(len, partial=True)},
            "cannot continue a text",
        ),
        ("best-of-n", {"engine": engine(Continuation.TOKENS), "verifier": WantsPictures()}, "picture"),
    ],
)
async def test_text_that_does_not_fit(method: str, live: dict[str, Any], said: str, dry: bool) -> None:
    recipe = override(load(method), ["verifier.type=none"])
    async with build(recipe, live=Live(**live)) as built:
        with pytest.raises(Incompatible, match=said):
            await (most(built, [TASK]) if dry else built.solver.solve(TASK, Session.open()))
    assert live["engine"].counters() == Cost()


async def test_whole_answers_need_no_continuation() -> None:
    live = Live(engine=engine(Continuation.NONE), verifier=as_verifier(lambda text: 1.0))
    async with build(override(load("best-of-n"), ["verifier.type=none"]), live=live) as built:
        assert (await built.solver.solve(TASK, Session.open())).cost.calls == 8
