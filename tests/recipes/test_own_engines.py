"""Engines that a verifier asks for in its own settings: opened once, off the event loop, shared, recorded, and closed."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from outthink.core import Session, Task
from outthink.core.events import Adapted, AnyEvent
from outthink.core.process import Adaptation
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_table import Rule, Scripted
from outthink.recipes import build
from outthink.recipes.engines import Engines, own_engines
from outthink.recipes.plan import Plan
from outthink.recipes.recipe import Recipe, from_tables
from outthink.recipes.stored import solve_and_store_many
from outthink.store import Store
from outthink.verify import Combine, Judge, Pairwise

RULE = {"pattern": "Score", "replies": ["Score: 7"]}
OWN = {"type": "scripted", "rules": [RULE], "otherwise": "Score: 7"}
JUDGE = {"type": "judge", "n_evaluate": 1, "max_tokens": 8, "engine": OWN}
TABLES: dict[str, Any] = {
    "engine": {"type": "scripted", "otherwise": "it is 42"},
    "algorithm": {"type": "best-of-n", "n": 2},
    "verifier": JUDGE,
}


class Opening:
    """Takes note of every engine that is opened: when, by which thread; opening takes its time."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0, seen: tuple[Adaptation, ...] = ()
    ) -> None:
        self.opened: list[tuple[str, int]] = []
        self.engines: list[ScriptedEngine] = []
        plain = Scripted.open

        def slowly(settings: Scripted) -> ScriptedEngine:
            time.sleep(seconds)
            self.opened.append((settings.otherwise, threading.get_ident()))
            engine = plain(settings)
            if settings.otherwise == "Score: 7":
                engine = Adapting(engine, seen)
            self.engines.append(engine)
            return engine

        monkeypatch.setattr(Scripted, "open", slowly)


class Adapting(ScriptedEngine):
    """A scripted engine that does something in place of something else."""

    def __init__(self, like: ScriptedEngine, seen: tuple[Adaptation, ...]) -> None:
        self.__dict__.update(like.__dict__)
        self.seen = seen

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.seen


def recipe(**changes: Any) -> Recipe:
    return from_tables({**TABLES, **changes}, "test")


def test_they_are_found_at_any_depth_and_each_once() -> None:
    own = Scripted(otherwise="a")
    other = Scripted(rules=(Rule(pattern="x", replies=("y",)),))
    both = Combine(of=(Judge(engine=own), Pairwise(engine=other), Judge(engine=own, rubric="short", n_evaluate=1)))
    assert own_engines(both) == (own, other)
    assert own_engines(Judge()) == own_engines(None) == ()


async def test_opening_a_judges_engine_does_not_hold_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(monkeypatch, seconds=0.3)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    async with build(recipe()):
        ticking.cancel()
    assert [name for name, _ in opening.opened] == ["it is 42", "Score: 7"]
    assert threading.get_ident() not in {thread for _, thread in opening.opened}
    assert ticks >= 20, "the loop stood still while a model was opened"


async def test_many_searches_share_one_and_it_is_closed_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(monkeypatch)
    engines = Engines(idle=0)
    async with build(recipe(), engines=engines), build(recipe(), engines=engines) as built:
        result = await built.solver.solve(Task(prompt="What is it?"), Session.open())
        assert result.scores[0] is not None
    assert [name for name, _ in opening.opened] == ["it is 42", "Score: 7"]
    assert not engines.any_open
    for engine in opening.engines:
        with pytest.raises(Exception, match="closed"):
            await engine.generate([])


async def test_equal_settings_are_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(monkeypatch)
    async with build(recipe(engine=OWN)):
        assert len(opening.opened) == 1


async def test_a_file_of_stored_tasks_opens_it_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opening = Opening(monkeypatch)
    tasks = [Task(prompt=f"question {i}", id=str(i)) for i in range(4)]
    with Store.open(tmp_path / "runs.sqlite") as store:
        results = await solve_and_store_many(Plan(recipe()), tasks, store)
    assert len(results) == 4
    assert sorted(name for name, _ in opening.opened) == ["Score: 7", "it is 42"]


async def test_what_the_judges_engine_adapts_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = (Adaptation("one seed a sample", "the server draws as it likes"),)
    Opening(monkeypatch, seen=seen)
    expected = [("judge: one seed a sample", "the server draws as it likes")]
    for verifier in (JUDGE, {"type": "combine", "of": [JUDGE, {**JUDGE, "n_evaluate": 1, "seed": 3}], "how": "mean"}):
        events: list[AnyEvent] = []
        async with build(recipe(verifier=verifier)) as built:
            await built.solver.solve(Task(prompt="What is it?"), Session.open(sinks=[events.append]))
        assert [(e.what, e.instead) for e in events if isinstance(e, Adapted)] == expected


async def test_a_combination_names_judges_in_toml() -> None:
    import tomllib

    text = """
    [engine]
    type = "scripted"
    otherwise = "it is 42"
    [algorithm]
    type = "best-of-n"
    n = 2
    [verifier]
    type = "combine"
    how = "mean"
    [[verifier.of]]
    type = "judge"
    n_evaluate = 1
    max_tokens = 8
    engine = { type = "scripted", otherwise = "Score: 10" }
    [[verifier.of]]
    type = "matches-regex"
    pattern = "nothing like it"
    """
    made = from_tables(tomllib.loads(text), "test")
    async with build(made) as built:
        result = await built.solver.solve(Task(prompt="What is it?"), Session.open())
    assert result.scores == (0.5, 0.5), "the judge says 1, the pattern 0"
