"""Agents from recipes: methods play them within their bound and their budget, runs are taken up again, what is right is never told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outthink.agent import Agent, EnvironmentReward, Reward, errand, question_on
from outthink.agent.reward import parts_of
from outthink.core import Budget, Incompatible, InputError, Message, Session, Stop, Task
from outthink.engines.scripted_table import Rule, Scripted
from outthink.recipes.build import Live, build
from outthink.recipes.load import load
from outthink.recipes.most import most
from outthink.recipes.override import override
from outthink.recipes.plan import Plan
from outthink.recipes.recipe import Recipe
from outthink.recipes.stored import resume_stored, solve_and_store
from outthink.store import Store

TASK = errand(2)
WAY = ("search[lamp]", f"open[{TASK.reference}]", "buy[]")


def shopping(*changes: str) -> Recipe:
    """A recipe for the shop on an engine that draws one of three actions."""
    recipe = override(load("shop"), ["process.turns=4", "process.max_tokens=12", *changes])
    return Recipe(
        algorithm=recipe.algorithm,
        engine=Scripted(rules=(Rule(pattern="", replies=WAY),), cached=False),
        process=recipe.process,
        verifier=recipe.verifier,
        budget=recipe.budget,
    )


async def solved(recipe: Recipe, task: Task = TASK) -> Any:
    async with build(recipe) as built:
        session = Session.open(seed=3, budget=recipe.budget)
        try:
            return await built.solver.solve(task, session), built
        finally:
            session.close()


METHODS = ("best-of-n", "vote", "refine", "iterative")


@pytest.mark.parametrize("name", METHODS)
async def test_methods_play_agents_within_their_bound_and_their_budget(name: str) -> None:
    method = load(name).algorithm
    recipe = shopping("algorithm.type=best-of-n")
    recipe = Recipe(algorithm=method, engine=recipe.engine, process=recipe.process, verifier=recipe.verifier)
    result, built = await solved(recipe)
    bound = await most(built, [TASK])
    assert result.stop is Stop.DONE
    assert result.cost.calls > 0
    for column in ("calls", "output_tokens", "verifier_calls"):
        assert 0 <= result.cost.column(column) <= bound.bounds[column], column
    assert {"tokens", "input_tokens"} <= set(bound.unbounded), "nobody knows how much an agent sees"
    capped = Recipe(
        algorithm=method,
        engine=recipe.engine,
        process=recipe.process,
        verifier=recipe.verifier,
        budget=Budget(calls=3),
    )
    cut, _ = await solved(capped)
    assert cut.cost.calls <= 3
    assert cut.stop is Stop.BUDGET


@pytest.mark.parametrize("preset", ["text-to-sql", "shop", "programming", "web-page"])
def test_presets_name_their_environment(preset: str) -> None:
    recipe = load(preset)
    assert isinstance(recipe.process, Agent)
    assert recipe.process.environment is not None
    assert recipe.process.environment.name() == preset
    assert recipe.verifier is not None
    assert recipe.verifier.name() == "episode-reward"


def test_an_environment_is_chosen_by_name_with_its_settings() -> None:
    changes = ["process.type=agent", "process.environment.type=text-to-sql", "process.environment.shows_result=true"]
    changed = override(load("best-of-n"), changes)
    assert isinstance(changed.process, Agent)
    assert changed.process.environment is not None
    environment = changed.process.world(question_on("library", 1))
    assert environment.shows_result is True  # type: ignore[attr-defined]
    with pytest.raises(Exception, match=r"Did you mean 'shop'"):
        override(load("shop"), ["process.environment.type=shp"])


async def test_what_does_not_fit_is_refused_before_anything_is_spent() -> None:
    with pytest.raises(Incompatible, match=r"\[process\] type = 'agent'"):
        await solved(override(load("best-of-n"), ["verifier.type=episode-reward", "engine.type=scripted"]))
    with pytest.raises(Incompatible, match="needs an environment"):
        await solved(override(load("vote"), ["process.type=agent", "engine.type=scripted"]))
    with pytest.raises(Incompatible, match="looks at what an agent does not show"):
        await solved(shopping("verifier.type=confidence"))
    engine = Scripted().open()
    recipe = shopping()
    blind = Task(prompt="?", data={"products": TASK.data["products"]})
    async with build(recipe, live=Live(engine=engine)) as built:
        with pytest.raises(InputError, match="lacks what an episode is rewarded by"):
            await built.solver.solve(blind, Session.open())
    assert engine.counters().calls == 0


async def test_after_any_step_a_search_goes_on_as_if_it_had_not_been_stopped() -> None:
    async with build(shopping("algorithm.n=3", "algorithm.rounds=2")) as built:
        taken: list[bytes] = []
        whole = await built.solver.solve(TASK, Session.open(seed=3), on_step=lambda one: taken.append(one.dump()))
        assert len(taken) == 3
        for snapshot in taken[:-1]:
            again = await built.solver.solve(TASK, Session.open(seed=3), resume=snapshot)
            assert (again.candidates, again.scores, again.cost) == (whole.candidates, whole.scores, whole.cost)


async def test_a_stored_run_is_taken_up_again_with_its_conversations(tmp_path: Path) -> None:
    recipe = shopping("algorithm.n=3", "algorithm.rounds=2", "budget.calls=14")
    with Store.open(tmp_path / "runs.sqlite") as store:
        cut = await solve_and_store(Plan(recipe), TASK, store, seed=3)
        assert cut.stop is Stop.BUDGET
        result = await resume_stored(store, cut.run, budget=Budget(calls=10_000))
        assert result.stop is Stop.DONE
        assert len(result.candidates) == 9
        found = store.run(cut.run)
        kept = {node: one.content for node, one in found.candidates.items()}
        assert all(isinstance(message, Message) for content in kept.values() for message in content)
        assert all(kept[one.id] == one.content for one in result.candidates)
        assert found.result is not None
        assert found.result.candidates == result.candidates


async def test_an_episode_that_came_to_nothing_is_no_answer() -> None:
    recipe = shopping("algorithm.type=best-of-n", "algorithm.n=2")
    idle = Recipe(
        algorithm=recipe.algorithm,
        engine=Scripted(otherwise="open[P1]"),
        process=recipe.process,
        verifier=recipe.verifier,
    )
    result, _ = await solved(idle)
    assert result.answer is None
    assert result.chosen is not None


def test_parts_are_told_with_the_lowest_of_them() -> None:
    assert parts_of(Reward(0.5, {"type": 1.0, "price": 0.25})) == "type 1, price 0.25. The lowest is price."
    assert parts_of(Reward(1.0, {"type": 1.0, "price": 1.0})) == "type 1, price 1"
    assert parts_of(Reward(0.0)) == ""


async def test_revisions_are_told_parts_and_never_what_is_right() -> None:
    task = question_on("library", 5)
    engine = Scripted(
        rules=(Rule(pattern="An earlier", replies=(f"SUBMIT {task.reference}",)),), otherwise="SUBMIT SELECT 1"
    ).open()
    recipe = override(load("text-to-sql"), ["algorithm.n=1", "process.max_tokens=400"])
    async with build(recipe, live=Live(engine=engine)) as built:
        assert isinstance(built.solver.verifier, EnvironmentReward)
        assert built.solver.verifier.spec.tells_notes
        result = await built.solver.solve(task, Session.open())
    assert result.answer == task.reference
    told = engine.tokenizer.decode(engine.requests[-1].prompt.tokens)
    assert "submitted 1, runs 1, right 0. The lowest is right." in told
    assert str(task.reference) not in told
