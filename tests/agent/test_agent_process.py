"""An agent in an environment keeps the contracts of processes; searches play it; revisions are told the earlier episode."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from outthink.agent import Agent, AgentProcess, Environment, EnvironmentReward, Observation, Reward
from outthink.core import (
    AllFailed,
    Allowance,
    Budget,
    Cost,
    Cut,
    Failure,
    Key,
    Search,
    Session,
    Stop,
    Task,
    VerifierError,
)
from outthink.search import BestOfN, Refine
from outthink.testing import run_virtual
from outthink.testing.contracts import ProcessContract, RevisableContract, RewindableContract
from tests.agent.players import contents, played, playing


class Ladder(Environment):
    """A ladder of four rungs: "up" climbs, "down" does not, "stop" ends the episode; the reward is the share of rungs climbed."""

    instructions = "Write up, down or stop."
    opening = "You stand below a ladder."

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        if actions[-1] == "break":
            return Failure("EngineError", "the ladder broke")
        height = self.height(actions)
        return Observation(f"You stand on rung {height}.", done=actions[-1] == "stop" or height == 4)

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        if "down" in actions:
            return Failure("EngineError", "nobody saw it")
        return Reward(self.height(actions) / 4, {"height": self.height(actions) / 4}, f"{self.height(actions)} of 4")

    def answer(self, actions: Sequence[str]) -> str | None:
        return str(self.height(actions))

    @staticmethod
    def height(actions: Sequence[str]) -> int:
        return max(0, min(4, list(actions).count("up") - list(actions).count("down")))


class TestAgentProcess(ProcessContract, RewindableContract, RevisableContract):
    def counters(self, process: Any) -> Cost | None:
        counted: Cost = process.engine.counters()
        return counted

    @pytest.fixture
    def process(self) -> AgentProcess:
        return AgentProcess(playing("up", "down", "stop right"), Ladder(), Agent(turns=4, max_tokens=6))


async def test_an_episode_is_a_conversation_and_ends() -> None:
    engine = playing("up")
    process = AgentProcess(engine, Ladder(), Agent(turns=9, max_tokens=6))
    states = await played(process, 2)
    seen = await process.view(states, frozenset({"steps"}))
    assert [c.answer for c in seen] == ["4", "4"]
    assert seen[0].features == {"steps": ("up",) * 4}
    assert contents(seen[0].content)[:3] == ["You stand below a ladder.", "up", "You stand on rung 1."]
    assert engine.counters().calls == 8
    asked = engine.tokenizer.decode(engine.requests[-1].prompt.tokens)
    for said in ("Write up, down or stop.", "You stand below a ladder.", "You stand on rung 3."):
        assert said in asked
    short = AgentProcess(playing("up"), Ladder(), Agent(turns=2))
    assert [(s.ended, len(s.turns)) for s in await played(short, 1)] == [("turns", 2)]


async def test_a_broken_environment_is_a_failure_of_its_slot_alone() -> None:
    process = AgentProcess(playing("up", "break"), Ladder(), Agent(turns=2))
    seeds = Key(3).seeds(12)
    given = await process.start(seeds)
    got = await process.advance(given, seeds, steps=None, allowance=Allowance())
    assert 0 < len(got.failures) < 12
    assert all(got.states[i] == given[i] for i in got.failures)
    assert got.done.tolist() == [i not in got.failures for i in range(12)]
    assert got.cost == process.engine.counters()


class Collapsing(Ladder):
    """A world that raises where it should say that it failed."""

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        if actions[-1] == "break":
            raise VerifierError("The rung is gone.")
        return await super().observe(actions)


async def test_a_world_that_raises_has_failed_its_episode_and_the_bill_stays() -> None:
    process = AgentProcess(playing("up", "break"), Collapsing(), Agent(turns=2))
    seeds = Key(3).seeds(12)
    got = await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())
    assert 0 < len(got.failures) < 12
    assert {failure.kind for failure in got.failures.values()} == {"VerifierError"}
    assert got.cost == process.engine.counters()


class Stuck(Ladder):
    """Nobody ever sees what comes of "down"."""

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        if actions[-1] == "down":
            await asyncio.Event().wait()
        return await super().observe(actions)


def test_a_world_that_hangs_ends_with_the_time_and_keeps_who_was_through() -> None:
    process = AgentProcess(playing("stop", "down"), Stuck(), Agent(turns=2))

    async def work() -> Any:
        return await solved(process, BestOfN(n=12), Budget(seconds=1.0))

    found = run_virtual(work())
    assert (found.stop, found.limit) == (Stop.BUDGET, "seconds")
    through = [candidate for candidate in found.candidates if candidate.final]
    assert 0 < len(through) < 12
    assert all(contents(c.content)[1] == "stop" for c in through)
    assert all(len(c.content) == 1 for c in found.candidates if not c.final), (
        "an action without an end has not happened"
    )
    assert found.cost.tokens == process.engine.counters().tokens


class Garbling(Ladder):
    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        return Observation("rung \ud83d", done=True)


async def test_half_a_character_that_is_seen_is_mended() -> None:
    process = AgentProcess(playing("up"), Garbling(), Agent(turns=2))
    states = await played(process, 1)
    assert states[0].turns[0].seen == "rung \ufffd"
    assert process.load(process.dump(states)) == states


async def test_an_engine_that_breaks_between_two_turns_leaves_what_was_paid_for_on_the_bill() -> None:
    process = AgentProcess(playing("up"), Ladder(), Agent(turns=3))
    engine, generate = process.engine, process.engine.generate

    async def once(requests: Any, *, cut: Any = None) -> Any:
        replies = await generate(requests, cut=cut)
        await engine.close()
        return replies

    engine.generate = once  # type: ignore[method-assign]
    session = Session.open(seed=4)
    search = Search(lambda task: process, BestOfN(n=3), EnvironmentReward(Ladder()))
    with pytest.raises(AllFailed, match="closed"):
        await search.solve(Task(), session)
    assert session.ledger.total.calls == 3
    assert session.ledger.total.tokens == engine.counters().tokens > 0


async def test_rewards_and_their_failures_are_scores() -> None:
    reward = EnvironmentReward(Ladder())
    process = AgentProcess(playing("up", "down"), Ladder(), Agent(turns=3))
    seen = await process.view(await played(process, 12), frozenset())
    scores = await reward.score(seen, Task())
    for i, candidate in enumerate(seen):
        bad = "down" in contents(candidate.content)
        assert (i in scores.failures) == bad == bool(np.isnan(scores.values[i]))
        assert bad or scores.values[i] == 0.75
    assert reward.spec.reads_reference


class Slow(Ladder):
    """A ladder whose judge never gets through with those who stand high."""

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        if self.height(actions) > 1:
            await asyncio.Event().wait()
        return await super().reward(actions)


async def test_a_cut_costs_only_the_rewards_that_were_not_through() -> None:
    process = AgentProcess(playing("up", "stop"), Slow(), Agent(turns=3))
    seen = await process.view(await played(process, 12), frozenset())
    cut = Cut()
    asyncio.get_running_loop().call_later(0.01, cut.fire, "seconds")
    scores = await EnvironmentReward(Slow()).score_until(seen, Task(), cut)
    high = {i for i, candidate in enumerate(seen) if int(candidate.answer or 0) > 1}
    assert 0 < len(high) < 12
    assert scores.unjudged == high
    assert scores.cost.verifier_calls == 12 - len(high)
    assert not np.isnan(scores.values[[i for i in range(12) if i not in high]]).any()


async def solved(process: Any, method: Any, budget: Budget | None = None) -> Any:
    session = Session.open(seed=4, budget=budget)
    try:
        return await Search(lambda task: process, method, EnvironmentReward(Ladder())).solve(Task(), session)
    finally:
        session.close()


async def test_searches_play_it_and_budgets_hold_inside_an_episode() -> None:
    process = AgentProcess(playing("up", "stop"), Ladder(), Agent(turns=4, max_tokens=6))
    best = await solved(process, BestOfN(n=24))
    assert best.answer == max(c.answer or "" for c in best.candidates)
    assert best.cost.calls == process.engine.counters().calls
    for cap in (1, 5, 17):
        fresh = AgentProcess(playing("up", "stop"), Ladder(), Agent(turns=4, max_tokens=6))
        cut = await solved(fresh, BestOfN(n=24), Budget(calls=cap))
        assert cut.stop is Stop.BUDGET
        assert cut.cost.calls == fresh.engine.counters().calls <= cap


async def test_a_revision_is_told_the_earlier_episode_and_never_the_right_answer() -> None:
    engine = playing("stop", then={"An earlier attempt went like this": "up"})
    process = AgentProcess(engine, Ladder(), Agent(turns=5, max_tokens=6))
    result = await solved(process, Refine(n=2, rounds=1))
    assert result.answer == "4"
    assert result.by_role["refine"].calls == 2 * 4
    told = engine.tokenizer.decode(engine.requests[-1].prompt.tokens)
    assert "> stop\nYou stand on rung 0." in told
    assert "The answer's score is 0 on a scale from 0 to 1" in told
    assert "of 4" not in told, "what an oracle says besides its score is not told"
