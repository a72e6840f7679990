"""PlanGEN cut off by a cap of tokens wherever one can fall: nothing that is finished is lost, and the best so far is the answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from outthink.core import Budget, Result, Stop
from outthink.core.solver import Snapshot
from outthink.pipeline import Pipeline, Plangen
from outthink.testing.verifiers import FunctionOfContent
from outthink.text.settings import Text
from tests.pipeline.saying import Overheard, engine_saying, searching, solved

SETTINGS = Text(max_tokens=8)
ARMS = ("best-of-n", "tree-of-thought", "rebase")
STEPS = 40


def worth(plan: str) -> int:
    """An exact rating: by the last number of a plan, from -60 to 30."""
    return 10 * int(re.findall(r"\d", plan)[-1]) - 60


class Planner:
    """Plans and steps end in a number from 0 to 9; a path of two steps is a whole solution."""

    def __init__(self) -> None:
        self.engine = engine_saying(Overheard, self.reply)

    def reply(self, prompt: str) -> str | Mapping[str, float]:
        if "List everything" in prompt:
            return "1. It is large."
        if "rate it from -100" in prompt:
            return f"Score: {worth(self.proposed(prompt))}"
        if "Give each a number" in prompt:
            return '{"best-of-n": 0.2, "tree-of-thought": 0.9, "rebase": 0.5}'
        if "Does this contain a complete solution" in prompt:
            return "1" if "\n" in self.worked_out(prompt) else "0"
        what = "step" if "Write the next step" in prompt else "answer" if "Follow this plan" in prompt else "plan"
        return {f"{what} {number}": 0.1 for number in range(10)}

    @staticmethod
    def proposed(prompt: str) -> str:
        return re.split(r"Proposed \w+:\n", prompt)[1].split("\n\nCheck")[0]

    @staticmethod
    def worked_out(prompt: str) -> str:
        return prompt.split("so far:\n")[1].split("\n\nDoes")[0]

    def whole(self) -> list[str]:
        """Every whole plan that was finished, in order."""
        found = []
        for prompt, reply in self.engine.heard:
            if reply.startswith("plan "):
                found.append(reply)
            elif "Does this contain" in prompt and reply == "1":
                found.append(self.worked_out(prompt))
        return found

    def rated(self) -> list[str]:
        """Every whole plan that was rated by a model, in order."""
        return [self.proposed(prompt) for prompt, _ in self.engine.heard if "Proposed solution:" in prompt]


def best(plans: list[str]) -> str:
    """The first of those that are worth most."""
    return max(plans, key=worth)


def run(planner: Planner, tokens: int | None, *, verifier: Any = None, how: Any = None, **settings: Any) -> Result:
    pipeline = Pipeline(layers=(Plangen(agent_tokens=8, **settings),))
    search = searching(pipeline, planner.engine, verifier=verifier, settings=SETTINGS)
    return solved(search, budget=None if tokens is None else Budget(tokens=tokens), seed=1, **(how or {}))


def lost(planner: Planner, found: Result) -> Counter[Any]:
    """Finished whole plans that nobody rated and that are not among the candidates."""
    return Counter(planner.whole()) - Counter(planner.rated()) - Counter(c.content for c in found.candidates)


CASES: dict[str, dict[str, Any]] = {
    "all": {"rounds": 3},
    **{arm: {"rounds": 2, "algorithms": (arm,), "best_of": 4, "rebase_width": 4, "depth": 3} for arm in ARMS},
    "tree that ends by its depth": {"rounds": 1, "algorithms": ("tree-of-thought",), "depth": 1},
    "carried out": {"rounds": 1, "algorithms": ("best-of-n",), "execute": True},
    "by a verifier": {"rounds": 2, "judge": "verifier", "algorithms": ("best-of-n", "tree-of-thought")},
}


@pytest.mark.parametrize("name", CASES)
def test_a_cap_of_tokens_anywhere_loses_nothing_that_is_finished(name: str) -> None:
    settings = CASES[name]
    exact = FunctionOfContent(lambda text: worth(text), low=-100.0, high=100.0) if "judge" in settings else None
    free = Planner()
    whole = run(free, None, verifier=exact, **settings)
    assert whole.stop is Stop.DONE
    cost = whole.cost.tokens
    ended = set()
    for cap in [*range(1, cost, max(1, cost // STEPS)), cost, 3 * cost]:
        planner = Planner()
        found = run(planner, cap, verifier=exact, **settings)
        assert found.cost.tokens <= cap
        assert found.overshoot == {}
        assert found.cost == planner.engine.counters() or exact is not None
        ended.add(found.stop)
        assert (found.limit == "tokens") == (found.stop is Stop.BUDGET)
        plans, waiting = planner.whole(), lost(planner, found)
        if not plans:
            assert (found.answer, found.stop) == (None, Stop.BUDGET)
            continue
        answers = [reply for _, reply in planner.engine.heard if reply.startswith("answer")]
        if answers:
            assert [found.answer] == answers
            continue
        scored = [c.content for c, score in zip(found.candidates, found.scores, strict=True) if score is not None]
        rated = planner.rated() if exact is None else scored
        assert found.answer == (best(rated) if rated else plans[0]), f"a cap of {cap}"
        assert exact is not None or not waiting, f"a cap of {cap} loses {waiting}"
    assert ended == {Stop.BUDGET, Stop.DONE}


@pytest.mark.parametrize("arm", ARMS)
def test_a_round_that_was_cut_off_is_taken_up_where_it_stood(arm: str) -> None:
    settings = CASES[arm]
    cost, kinds = run(Planner(), None, **settings).cost.tokens, set()
    for cap in range(cost // 4, cost, max(1, cost // 30)):
        planner, taken = Planner(), []

        def keep(snapshot: Snapshot, taken: list[bytes] = taken) -> None:
            taken.append(snapshot.dump())

        found = run(planner, cap, how={"on_step": keep}, **settings)
        waiting = [c.content for c in found.candidates[1:]]
        before = len(planner.engine.heard)
        again = run(planner, None, how={"resume": taken[-1]}, **settings)
        assert again.answer == best(planner.rated())
        assert again.cost == planner.engine.counters()
        assert not lost(planner, again)
        prompts = [prompt for prompt, _ in planner.engine.heard]
        assert sum("List everything" in prompt for prompt in prompts) == 1
        kinds.add(bool(waiting))
        later = [Planner.proposed(prompt) for prompt in prompts[before:][: len(waiting)]]
        assert later == waiting, "what waits is rated before anything else is asked"
    assert True in kinds or arm != "best-of-n"
