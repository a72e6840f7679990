"""Refinement of texts, end to end on the scripted engine: self-refine with a judge on the same engine, and revision without a verifier."""

from __future__ import annotations

from typing import Any

from outthink.core import Result, Session, Task
from outthink.engines.scripted_table import Rule, Scripted
from outthink.recipes import Built, Live, build, load, override

QUESTION = "What is 17 + 25?"
RULES = (
    Rule(pattern=r"reviewed:\n> It is 41", replies=('{"reasons": "7 and 5 make 12, so carry 1.", "score": 2}',)),
    Rule(pattern=r"reviewed:\n> It is 42", replies=('{"reasons": "Nothing to improve.", "score": 10}',)),
    Rule(pattern=r"so carry 1", replies=("It is 42.",)),
    Rule(pattern=r"what is right\.\n", replies=("It is 42.", "It is 43.")),
)
ENGINE = Scripted(rules=RULES, otherwise="It is 41.")


async def solved(recipe: str, changes: tuple[str, ...] = (), **how: Any) -> tuple[Result, Any]:
    engine = ENGINE.open()
    made = override(load(recipe), changes)
    async with build(made, live=Live(engine=engine)) as built:
        return await solve(built, **how), engine


async def solve(built: Built, **how: Any) -> Result:
    session = Session.open(**how)
    try:
        return await built.solver.solve(Task(prompt=QUESTION), session)
    finally:
        session.close()


async def test_self_refine_mends_an_answer_and_stops() -> None:
    result, engine = await solved("refine", ("algorithm.n=1",))
    assert result.answer == "It is 42."
    assert [c.content for c in result.candidates] == ["It is 41.", "It is 42."]
    assert result.scores == (0.2, 1.0)
    roles = result.by_role
    assert [roles[role].calls for role in ("generate", "verify", "refine")] == [1, 2, 1], (
        "1 answer, 1 revision, 2 reviews"
    )
    assert roles["verify"].verifier_calls == 2
    paid = engine.counters()
    assert (result.cost.output_tokens, result.cost.input_tokens, result.cost.calls) == (
        paid.output_tokens,
        paid.input_tokens,
        paid.calls,
    )
    asked = [str(request.prompt) for request in engine.requests]
    assert len(asked) == 4
    # A step-wise engine continues tokens, so what the revision was told is read from the trace of the engine's own prompt.
    told = engine.tokenizer.decode(engine.requests[2].prompt.tokens)
    assert "It is 41." in told
    assert "score is 0.2 on a scale from 0 to 1" in told
    assert "What was said about it: 7 and 5 make 12, so carry 1." in told


async def test_sequential_revision_needs_no_verifier_and_votes() -> None:
    result, engine = await solved("sequential-revision", ("algorithm.rounds=1",), seed=3)
    last = [c.content for c in result.candidates[4:]]
    assert set(last) == {"It is 42.", "It is 43."}
    winner = max(dict.fromkeys(last), key=last.count)
    assert result.answer == winner.casefold().removesuffix(".")
    assert result.agreement == last.count(winner) / 4
    assert {c.content for c in result.candidates[:4]} == {"It is 41."}
    assert engine.counters().calls == 8 == result.cost.calls
    assert "verify" not in result.by_role
