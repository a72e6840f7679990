"""PlanGEN's bandit and sharing against the sheet's numbers, and its agents on scripted models."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core import Budget, Incompatible, Stop
from outthink.core.events import AnyEvent, StageEnded
from outthink.core.solver import Snapshot
from outthink.pipeline import Arms, AskingProcess, Bandit, Generate, Pipeline, Plangen, bounds
from outthink.pipeline.plangen import shared
from outthink.pipeline.plangen.wording import read_complete, read_lines, read_prior, read_score
from outthink.testing.verifiers import FunctionOfContent
from tests.laws.law import FULL
from tests.pipeline.saying import QUESTION, saying, searching, solved

PLAIN = Bandit(prior=0.0, diversity=0.0, recovery=0.0)
RATES = (0.2, 0.5, 0.8)


def arms(reward: tuple[float, ...], uses: tuple[float, ...], trials: int) -> Arms:
    zero = np.zeros(len(uses))
    return Arms(np.array(reward), np.array(uses, float), zero, zero, zero, trials)


# -- the bandit --------------------------------------------------------------------------------------------------------


def test_at_first_the_prior_decides_and_then_the_order() -> None:
    fresh = Arms.fresh(3)
    assert fresh.choose((0.2, 0.3, 0.9), Bandit()) == 2
    assert fresh.choose((0.5, 0.5, 0.5), Bandit()) == 0
    assert fresh.values((0.0, 0.0, 0.0), Bandit()).tolist() == [0.5] * 3


def test_the_sheets_case_by_hand() -> None:
    known = arms((1.5, 0.2, 1.2), (3, 1, 2), 3)
    rule = Bandit(normalise="paper", prior=1.0, diversity=0.5, recovery=0.0)
    assert known.values((0.5, 0.5, 0.5), rule) == pytest.approx([1.5447, 2.1734, 1.8691], abs=1e-4)
    assert known.choose((0.5, 0.5, 0.5), rule) == 1
    # The prior's weight does not compound, and the mean is another formula.
    assert known.values((1.0, 0.0, 0.0), rule)[0] - known.values((0.0, 0.0, 0.0), rule)[0] == pytest.approx(1 / 4)
    assert known.values((0.0,) * 3, PLAIN) - np.minimum(np.sqrt(2 * math.log(4) / known.uses), 5) == pytest.approx(
        [0.5, 0.2, 0.6]
    )


def pulls(rule: Bandit, seeds: int = 50 if FULL else 16, trials: int = 500) -> np.ndarray:
    total = np.zeros(3)
    for seed in range(seeds):
        rng, state = np.random.default_rng(seed), Arms.fresh(3)
        draws = rng.random(trials)
        for t in range(trials):
            k = state.choose((0.0, 0.0, 0.0), rule)
            won = float(draws[t] < RATES[k])
            state = state.after(k, won, passed=won > 0, best=False)
        total += state.uses
    return total / seeds


def test_the_mean_finds_the_best_arm_and_the_papers_formula_does_not() -> None:
    mean, paper = pulls(PLAIN), pulls(Bandit(normalise="paper", prior=0, diversity=0, recovery=0))
    assert mean[2] > 0.7 * 500
    assert mean == pytest.approx([20, 56, 424], abs=12)
    lost = 500 * 0.8 - paper @ np.array(RATES)
    assert lost == pytest.approx(150, rel=0.1)
    assert paper == pytest.approx([164, 167, 169], abs=6)


def test_an_arm_that_succeeds_after_a_failure_has_recovered() -> None:
    state = Arms.fresh(2).after(0, 0.1, passed=False, best=False).after(1, 0.9, passed=True, best=True)
    assert state.recovered.tolist() == [0, 1]
    assert state.failures.tolist() == [1, 0]
    assert state.after(0, 0.9, passed=True, best=True).recovered.tolist() == [0, 1]  # nothing had failed before it
    worse = Bandit(prior=0, diversity=0, recovery=2.0)
    assert state.values((0, 0), worse) - state.values((0, 0), PLAIN) == pytest.approx([0.0, 2.0])


# -- sharing -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 40), st.floats(0.01, 100))
def test_shares_add_up_and_follow_the_scores(scores: list[float], width: int, temperature: float) -> None:
    counts = shared(np.array(scores), width, temperature)
    assert counts.sum() == width
    order = np.argsort(-np.array(scores), kind="stable")
    assert (np.diff(counts[order]) <= 0).all()


def test_the_temperature_says_how_evenly() -> None:
    scores = np.array([0.1, 0.9, 0.5])
    assert shared(scores, 9, 1e6).tolist() == [3, 3, 3]
    assert shared(scores, 9, 1e-3).tolist() == [0, 9, 0]
    assert shared(scores, 10, 1e6).tolist() == [3, 4, 3]
    # Rounding each share by itself, as the published formula does, would not add up.
    assert sum(round(10 * s) for s in (1 / 3, 1 / 3, 1 / 3)) != 10


# -- reading -----------------------------------------------------------------------------------------------------------


def test_replies_of_agents() -> None:
    assert read_score("Score 5 of 9 broken.\n**Score:** 70") == 70
    assert read_score("Score: -250") == -100
    assert read_score("seventy") is None
    assert read_lines("1. at nine\n- an hour\n\n") == ("at nine", "an hour")
    assert [read_complete(text) for text in ("1", "No: 0.", "maybe", "10")] == [True, False, None, None]
    names = ("best-of-n", "rebase")
    assert read_prior('So: {"best-of-n": 1.7, "rebase": -1}', names) == [1.0, 0.0]
    assert read_prior('{"best-of-n": 0.5}', names) is None
    assert read_prior("none", names) is None


# -- the whole ---------------------------------------------------------------------------------------------------------


class Planner:
    """Plans are right with probability p; the verification agent is exact. Steps go "a", "b", then the solution."""

    def __init__(self, p: float = 0.3, prior: Mapping[str, float] | None = None) -> None:
        self.p = p
        self.prior = dict(prior or {})
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str | Mapping[str, float]:
        self.prompts.append(prompt)
        if "List everything" in prompt:
            return "1. It is a number.\n2. It is right."
        if "rate it from -100" in prompt:
            plan = prompt.split("Proposed ")[1]
            return "Checked.\nScore: " + (
                "100" if "right" in plan.split("Check the")[0] else str(-20 + 10 * plan.count("\nb"))
            )
        if "Give each a number" in prompt:
            return json.dumps(self.prior) if self.prior else "I cannot say."
        if "Does this contain a complete solution" in prompt:
            return "1" if re.search(r"right|wrong", prompt.split("so far:")[1]) else "0"
        if "Write the next step" in prompt:
            path = prompt.split("What has been worked out so far:\n")[1].split("\n\nWrite")[0]
            return "a" if "Nothing" in path else "b" if path == "a" else {"right": self.p, "wrong": 1 - self.p}
        return {"right": self.p, "wrong": 1 - self.p}


def planned(planner: Planner, seed: int = 0, verifier: Any = None, **settings: Any) -> tuple[Any, list[AnyEvent]]:
    events: list[AnyEvent] = []
    pipeline = Pipeline(layers=(Plangen(**settings),))
    return solved(searching(pipeline, saying(planner), verifier=verifier), seed=seed, events=events), events


def attempts(events: list[AnyEvent]) -> list[str]:
    notes = [e.note for e in events if isinstance(e, StageEnded)]
    return [found.group(1) for note in notes if (found := re.match(r"round \d+: ([\w-]+)", note))]


def test_a_plan_that_passes_ends_it() -> None:
    found, events = planned(Planner(p=1.0))
    assert found.answer == "right"
    assert found.scores == (100.0,)
    assert found.cost.calls == 3  # the plan, the conditions, the rating
    assert attempts(events) == []


@pytest.mark.parametrize("arm", ["best-of-n", "tree-of-thought", "rebase"])
def test_each_algorithm_improves_a_plan(arm: str) -> None:
    right = [
        planned(Planner(p=0.5), seed, algorithms=(arm,), rounds=3)[0].answer.endswith("right") for seed in range(12)
    ]
    assert sum(right) >= 10


@pytest.mark.parametrize("arm", ["best-of-n", "tree-of-thought", "rebase"])
def test_the_algorithm_that_the_selection_agent_favours_goes_first(arm: str) -> None:
    prior = dict.fromkeys(("best-of-n", "tree-of-thought", "rebase"), 0.1) | {arm: 1.0}
    _, events = planned(Planner(p=0.0, prior=prior), rounds=1)
    assert attempts(events) == [arm]


def test_without_a_view_all_count_alike_and_that_is_told() -> None:
    found, events = planned(Planner(p=0.0), rounds=2)
    assert attempts(events)[0] == "best-of-n"
    assert any("count alike" in said for said in found.degraded)


def test_the_best_plan_seen_is_kept_not_the_last() -> None:
    """The first plan is half right; every later one is worse."""

    def reply(prompt: str) -> str:
        if "rate it from -100" in prompt:
            return "Score: 40" if "first plan" in prompt.split("Proposed")[1] else "Score: -60"
        if "An earlier attempt" in prompt:
            return "worse plan"
        return "0.5" if "Give each" in prompt else "It is a number." if "List" in prompt else "first plan"

    pipeline = Pipeline(layers=(Plangen(algorithms=("best-of-n",), rounds=3, best_of=2),))
    found = solved(searching(pipeline, saying(reply)))
    assert found.answer == "first plan"
    assert found.scores == (40.0,)


def succeeded(rounds: int, p: float, seeds: int, best_of: int = 1) -> float:
    pipeline = Pipeline(
        layers=(
            Plangen(
                algorithms=("best-of-n",),
                best_of=best_of,
                rounds=rounds,
                constraints=("It is right.",),
                temperature=1.0,
            ),
        )
    )
    search = searching(pipeline, saying(Planner(p)))
    return sum(solved(search, seed=seed).answer == "right" for seed in range(seeds)) / seeds


@pytest.mark.laws
@pytest.mark.parametrize(("rounds", "best_of", "k"), [(2, 1, 3), (1, 4, 5)])
def test_k_plans_succeed_as_often_as_k_draws(rounds: int, best_of: int, k: int) -> None:
    p, seeds = 0.25, 2000 if FULL else 150
    expected = 1 - (1 - p) ** k
    error = math.sqrt(expected * (1 - expected) / seeds)
    found = succeeded(rounds, p, seeds, best_of)
    assert abs(found - expected) < 3 * error
    # Plans that are not independent, or a last one that replaces the best, succeed as often as fewer draws: that would be seen.
    assert abs(found - (1 - (1 - p) ** (k - 2))) > 3 * error


def test_an_exact_checker_may_rate_the_plans() -> None:
    verifier = FunctionOfContent(lambda text: float(text == "right"), low=0.0, high=1.0)
    found, _ = planned(Planner(p=0.5), 3, verifier, judge="verifier", rounds=4)
    assert found.answer == "right"
    assert found.scores == (100.0,)
    with pytest.raises(Incompatible, match="needs a verifier"):
        planned(Planner(), judge="verifier")


def test_a_lenient_model_stops_early_on_wrong_plans_and_an_exact_checker_does_not() -> None:
    class Lenient(Planner):
        """A verification agent that passes whatever it sees."""

        def __call__(self, prompt: str) -> str | Mapping[str, float]:
            said = super().__call__(prompt)
            fooled = "rate it from -100" in prompt and said != "Checked.\nScore: 100"
            return "Score: 96" if fooled else said

    exact = FunctionOfContent(lambda text: float(text == "right"), low=0.0, high=1.0)
    settings: dict[str, Any] = {"algorithms": ("best-of-n",), "best_of": 2, "rounds": 3, "temperature": 1.0}
    model, program = 0, 0
    for seed in range(40):
        model += planned(Lenient(p=0.3), seed, **settings)[0].answer == "right"
        program += planned(Lenient(p=0.3), seed, exact, judge="verifier", **settings)[0].answer == "right"
    assert program > model + 5


def test_conditions_that_are_given_are_not_asked_for() -> None:
    planner = Planner(p=1.0)
    found, _ = planned(planner, constraints=("at nine",))
    assert found.cost.calls == 2
    assert "1. at nine" in planner.prompts[-1]


def test_a_last_request_may_carry_the_plan_out() -> None:
    found, _ = planned(Planner(p=1.0), execute=True)
    assert found.cost.calls == 4
    assert found.by_role["refine"].calls == 1


def test_a_plan_that_passes_stays_where_there_is_no_room_to_carry_it_out() -> None:
    engine, taken = saying(Planner(p=1.0)), []

    def keep(snapshot: Snapshot) -> None:
        taken.append(snapshot.dump())

    search = searching(Pipeline(layers=(Plangen(execute=True),)), engine)
    found = solved(search, budget=Budget(calls=3), on_step=keep)
    assert (found.stop, found.scores, found.cost.calls) == (Stop.BUDGET, (100.0,), 3)
    again = solved(search, budget=Budget(calls=4), resume=taken[-1])
    assert (again.stop, again.cost.calls) == (Stop.DONE, 4)
    assert again.by_role["refine"].calls == 1
    assert len(engine.requests) == 4


def test_conditions_that_were_found_are_not_looked_for_again() -> None:
    engine, taken = saying(Planner(p=1.0)), []

    def keep(snapshot: Snapshot) -> None:
        taken.append(snapshot.dump())

    search = searching(Pipeline(layers=(Plangen(),)), engine)
    assert solved(search, budget=Budget(calls=2), on_step=keep).scores == (None,)
    again = solved(search, budget=Budget(calls=3), resume=taken[-1])
    assert (again.stop, again.scores, again.cost.calls) == (Stop.DONE, (100.0,), 3)
    assert len(engine.requests) == 3


def test_it_goes_on_from_the_candidates_before_it() -> None:
    pipeline = Pipeline(layers=(Generate(samples=2), Plangen(rounds=0)), rules="open")
    found = solved(searching(pipeline, saying(Planner(p=1.0))))
    assert found.cost.calls == 2 + 2


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 12, 30])
def test_a_budget_ends_it_with_the_best_plan_so_far(limit: int) -> None:
    pipeline = Pipeline(layers=(Plangen(rounds=3),))
    found = solved(searching(pipeline, saying(Planner(p=0.0))), budget=Budget(calls=limit))
    assert found.cost.calls <= limit
    assert found.stop is Stop.BUDGET
    assert found.answer == "wrong"


def test_it_resumes_after_any_round() -> None:
    search, taken = searching(Pipeline(layers=(Plangen(rounds=3, ask_prior=False),)), saying(Planner(p=0.05))), []

    def keep(snapshot: Snapshot) -> None:
        taken.append(snapshot.dump())

    whole = solved(search, seed=4, on_step=keep)
    assert len(taken) >= 4
    for data in taken:
        again = solved(search, seed=4, resume=data)
        assert (again.answer, again.scores, again.by_role) == (whole.answer, whole.scores, whole.by_role)


@pytest.mark.parametrize(
    "settings", [{}, {"algorithms": ("rebase",), "judge": "model"}, {"execute": True, "rounds": 2}]
)
def test_no_run_asks_more_than_its_bound(settings: dict[str, Any]) -> None:
    engine = saying(Planner(p=0.0))
    pipeline = Pipeline(layers=(Plangen(**settings),))
    (most,) = bounds(pipeline, AskingProcess(engine, QUESTION))
    found = solved(searching(pipeline, engine))
    assert found.cost.calls <= most.most
