"""Search over paths: who goes back and how far, what a round costs, what is kept, and an answer after every round."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Budget, Incompatible, Result, ScoreSpec, Search, Session, SettingsError, Stop, Task
from outthink.core.events import Advanced, Scored, Warned
from outthink.core.verifier import ScoreKind
from outthink.search import Rewind
from outthink.testing import Flaky, FunctionOfContent, GaussianChain, TokenChain
from tests.contracts.reaching import Reaching


def height(x: Any) -> float:
    return float(x[0])


async def solve(
    algorithm: Rewind,
    process: Any,
    function: Any = height,
    *,
    seed: int = 1,
    budget: Budget | None = None,
    partial: bool = True,
) -> tuple[Result, list[Any]]:
    session = Session.open(seed=seed, budget=budget)
    kind = ScoreKind.PREFIX_VALUE if partial else ScoreKind.OUTCOME
    verifier = FunctionOfContent(function, partial=partial, kind=kind)
    result = await Search(lambda task: process, algorithm, verifier).solve(Task(), session)
    session.close()
    return result, session.trace.events


async def test_a_round_goes_back_and_on_and_the_last_one_reaches_the_end() -> None:
    """Spec 19: ceil(way left / net progress) rounds, each n * children * ahead evaluations; the way back is free."""
    method = Rewind(n=2, children=5, start=4, back=2, ahead=3)
    result, events = await solve(method, GaussianChain(length=8))
    rounds = math.ceil((8 - 4) / (3 - 2))
    assert [e.kind for e in events if isinstance(e, Advanced)] == ["step", *["rewind", "step"] * rounds]
    assert result.cost.denoiser_evals == 2 * 4 + rounds * 2 * 5 * 3
    assert result.cost.verifier_calls == 2 + rounds * 10
    assert len(result.candidates) == 10
    assert result.chosen == int(np.argmax(result.scores))


async def test_only_the_best_are_sent_back() -> None:
    _, events = await solve(Rewind(n=2, children=4, start=3, back=2, ahead=3), GaussianChain(length=8))
    scored = [e for e in events if isinstance(e, Scored)]
    sent = [e for e in events if isinstance(e, Advanced) and e.kind == "rewind"]
    assert len(sent) > 3
    for before, back in zip(scored, sent, strict=False):
        ranked = [node for _, node in sorted(zip(before.values, before.nodes, strict=True), reverse=True)]
        assert sorted(back.parents) == sorted(ranked[:2] * 4)


async def test_children_keep_what_they_were_not_sent_back_from() -> None:
    """A text cut by two of five symbols: all children share three of them with a parent, and some differ after these."""
    process = TokenChain("abc", length=6)
    result, _ = await solve(Rewind(n=1, children=12, start=5, back=2, ahead=3), process, lambda text: text.count("a"))
    texts = [c.content for c in result.candidates]
    assert len(texts) == 12
    assert len({text[:3] for text in texts}) == 1
    assert len({text[3:5] for text in texts}) > 1


async def test_equal_scores_keep_different_parents() -> None:
    _, events = await solve(Rewind(n=3, children=3, start=2), GaussianChain(length=6), lambda x: 1.0)
    sent = [e for e in events if isinstance(e, Advanced) and e.kind == "rewind"]
    parent_of = {n: p for e in events if isinstance(e, Advanced) for n, p in zip(e.nodes, e.parents, strict=True)}
    founders = []
    for node in set(sent[-1].parents):
        while node in parent_of:
            node = parent_of[node]
        founders.append(node)
    assert len(set(founders)) == 3
    assert any(isinstance(e, Warned) and "no direction" in e.message for e in events)


async def test_by_answers_there_is_one_after_every_round() -> None:
    """A verifier of finished answers alone guides the rounds by cheap ends, and the best of these is there when the budget ends."""
    method = Rewind(n=2, children=3, start=4, back=2, ahead=3, evaluate="answer")
    whole, _ = await solve(method, GaussianChain(length=8), partial=False)
    assert whole.stop is Stop.DONE
    assert sum(c.final for c in whole.candidates) == 6 + 1
    for cap in (12, 40, 70):
        result, _ = await solve(method, GaussianChain(length=8), partial=False, budget=Budget(denoiser_evals=cap))
        assert (result.stop, result.limit) == (Stop.BUDGET, "denoiser_evals")
        known = [s for s, c in zip(result.scores, result.candidates, strict=True) if c.final and s is not None]
        assert result.chosen is not None
        assert result.scores[result.chosen] == max(known)


async def test_what_came_to_its_end_goes_before_what_is_foretold() -> None:
    """The predicted ends of a chain whose steps are strange are far better than its true ones; only these count."""
    process = GaussianChain(length=4, a=-0.9)
    result, _ = await solve(Rewind(n=2, children=2, start=3, back=1, ahead=2, evaluate="answer"), process)
    finals = [i for i, c in enumerate(result.candidates) if c.final]
    assert result.chosen in finals[: len(finals) - 1]


async def test_after_the_last_round_the_kept_go_to_their_end() -> None:
    result, events = await solve(Rewind(n=2, children=3, start=2, rounds=1), GaussianChain(length=9))
    assert [e.kind for e in events if isinstance(e, Advanced)] == ["step", "rewind", "step", "step"]
    assert result.cost.denoiser_evals == 2 * 2 + 6 * 2 + 2 * (9 - 3)
    assert sum(c.final for c in result.candidates) == 2


async def test_parents_survive_when_all_their_children_are_lost() -> None:
    class FailsOnce(Flaky[Any]):
        """Fails all members of the second call, and of no other."""

        async def advance(self, *given: Any, **how: Any) -> Any:
            self.rate = 1.0 if self.inner.calls == 1 else 0.0  # type: ignore[attr-defined]
            return await super().advance(*given, **how)

    process = Reaching(FailsOnce(GaussianChain(length=4), 0.0))
    result, _ = await solve(Rewind(n=2, children=3), process)
    assert len(result.failures) == 6
    assert result.answer is not None
    assert result.degraded == (f"6 of {len(result.candidates)} members failed",)


async def test_a_search_that_never_went_back_says_so() -> None:
    _, events = await solve(Rewind(start=4, back=1, ahead=2), TokenChain("ab", length=3), len)
    assert any(isinstance(e, Warned) and "'best-of-n'" in e.message for e in events)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="back = 3, start = 3"):
        Rewind(start=3, back=3, ahead=4)
    with pytest.raises(SettingsError, match="ahead = 2, back = 2"):
        Rewind(start=3, back=2, ahead=2)
    outcomes = ScoreSpec(kind=ScoreKind.OUTCOME, partial=False)
    with pytest.raises(Incompatible, match='evaluate = "answer"'):
        Rewind().check_verifier(outcomes)
    Rewind(evaluate="answer").check_verifier(outcomes)
    with pytest.raises(Incompatible, match="relative"):
        Rewind().check_verifier(ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, relative=True))
