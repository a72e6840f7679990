"""Contests and pools on a chain whose language can be enumerated: resumable, paired, and billed as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from outthink.bench import Contestant, Journal, Outcome, Pool, Pools, Question, contest, curve_of, draw_pools
from outthink.bench.pools import Judged, Sample
from outthink.core import Cost, InputError, Search, Session, Task
from outthink.core.solver import Solver
from outthink.numerics import best_of_k
from outthink.search import BestOfN, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain
from outthink.verify import as_verifier

CHAIN = TokenChain("ab", length=4)
JUDGE = FunctionOfContent(lambda text: float(text.count("b")))
QUESTIONS = [Question(Task(prompt="?", id=f"q{i}", reference="bbbb"), lambda c: c.content == "bbbb") for i in range(6)]


def best_of(n: int) -> Contestant:
    return Contestant("best-of-n", n, lambda question, seed: Search(lambda task: CHAIN, BestOfN(n=n), JUDGE), (0, 1))


def filtering(n: int) -> Contestant:
    return Contestant(
        "filter", n, lambda question, seed: Search(lambda task: CHAIN, ParticleFilter(n=n), JUDGE), (0, 1)
    )


async def run(
    folder: Path, contestants: Sequence[Contestant], *, stop_after: int | None = None, reverse: bool = False
) -> list[Outcome]:
    session = Session.open(seed=3)

    class Stopper:
        def finished(self, outcome: Outcome, done: int, total: int) -> None:
            if done == stop_after:
                session.cut.fire("interrupt")

    with Journal(folder / "outcomes.jsonl", Outcome, identity="test") as journal:
        order = list(reversed(contestants)) if reverse else contestants
        return await contest(order, QUESTIONS, session, journal, in_flight=3, watcher=Stopper())


def without_times(outcomes: list[Outcome]) -> list[tuple[object, ...]]:
    return sorted(
        (*o.cell, o.right, o.answer, o.tokens, o.generated.calls, o.judged.verifier_calls, o.steps) for o in outcomes
    )


async def test_a_stopped_contest_goes_on_where_it_was_and_in_any_order_with_the_same_outcomes(tmp_path: Path) -> None:
    both = [best_of(4), filtering(4)]
    whole = await run(tmp_path / "whole", both)
    assert len(whole) == 2 * 2 * len(QUESTIONS)
    part = await run(tmp_path / "parts", both, stop_after=7)
    assert 7 <= len(part) < len(whole)
    resumed = await run(tmp_path / "parts", both, reverse=True)
    assert without_times(resumed) == without_times(whole)


async def test_questions_and_seeds_differ_in_their_randomness(tmp_path: Path) -> None:
    outcomes = await run(tmp_path, [best_of(1)])
    assert len({o.answer for o in outcomes}) > 3


async def test_the_solver_never_sees_the_right_answer_unless_it_is_an_oracle(tmp_path: Path) -> None:
    seen: dict[str, set[str | None]] = {"plain": set(), "oracle": set()}

    class Looking(Solver):
        def __init__(self, name: str) -> None:
            self.name = name

        @property
        def method(self) -> str:
            return self.name

        async def solve(self, task: Task, session: Session):  # type: ignore[no-untyped-def]
            seen[self.name].add(task.reference)
            return await Search(lambda task: CHAIN, BestOfN(n=1), JUDGE).solve(task, session)

    with Journal(tmp_path / "o.jsonl", Outcome, identity="test") as journal:
        plain = Contestant("plain", 1, lambda question, seed: Looking("plain"))
        oracle = Contestant("oracle", 1, lambda question, seed: Looking("oracle"), sees_reference=True)
        await contest([plain, oracle], QUESTIONS, Session.open(), journal)
    assert seen == {"plain": {None}, "oracle": {"bbbb"}}


async def test_a_method_that_breaks_is_a_wrong_outcome_that_says_why(tmp_path: Path) -> None:
    broken = Contestant("broken", 1, lambda question, seed: Search(lambda task: CHAIN, BestOfN(n=1)))
    outcomes = await run(tmp_path, [broken, best_of(1)])
    said = {o.failure for o in outcomes if o.method == "broken"}
    assert len(said) == 1
    assert "needs a verifier" in said.pop()
    assert not any(o.right for o in outcomes if o.method == "broken")
    assert all(o.failure == "" for o in outcomes if o.method == "best-of-n")


async def test_curves_hold_the_bill_and_the_mean_over_seeds(tmp_path: Path) -> None:
    outcomes = await run(tmp_path, [best_of(2), best_of(4)])
    names = [q.task.id for q in QUESTIONS]
    curve = curve_of(outcomes, "best-of-n", [2, 4], names, column="output_tokens")
    assert curve.cost.shape == (6, 2)
    assert np.allclose(curve.cost, [[8, 16]])
    rows = [o.right for o in outcomes if o.size == 4 and o.question == "q2"]
    assert curve.value[2, 1] == np.mean(rows)
    with pytest.raises(ValueError, match="no outcome for"):
        curve_of(outcomes, "best-of-n", [8], names)


async def pools(folder: Path, n: int = 16) -> Pools:
    with Journal(folder / "pools.jsonl", Pool, identity="test") as journal:
        return await draw_pools(
            QUESTIONS, [0, 1], n, lambda task: CHAIN, Session.open(seed=3), journal, verifiers={"b": JUDGE}
        )


async def test_best_of_a_pool_is_its_order_statistic_and_costs_what_was_drawn_and_judged(tmp_path: Path) -> None:
    drawn = await pools(tmp_path)

    def replayed(n: int) -> Contestant:
        def solver(question: Question, seed: int) -> Search:
            pool = drawn.at(question.task.id, seed)
            return Search(lambda task: pool.process(n), BestOfN(n=n), pool.scores("b", JUDGE.spec))

        return Contestant("best-of-n", n, solver, (0, 1))

    outcomes = await run(tmp_path, [replayed(16), replayed(4)])
    for outcome in outcomes:
        pool = drawn.at(outcome.question, outcome.seed)
        samples = pool.samples[: outcome.size]
        scores = np.array([s.judged["b"].value for s in samples], float)
        assert outcome.right == (best_of_k(scores, outcome.size, np.array([s.right for s in samples], float)) == 1.0)
        assert outcome.generated.output_tokens == sum(s.cost.output_tokens for s in samples) == 4 * outcome.size
        assert outcome.judged.verifier_calls == outcome.size


async def test_equal_texts_are_billed_each_at_its_own_price() -> None:
    prices = (100, 3, 2)
    judged = [Judged(value=0.5, cost=Cost(input_tokens=price, verifier_calls=1)) for price in prices]
    samples = tuple(Sample(content="7*3=21", answer="21", judged={"b": one}) for one in judged)
    pool = Pool(question="q", seed=0, samples=samples)
    for n in (1, 2, 3):
        search = Search(lambda task, n=n: pool.process(n), BestOfN(n=n), pool.scores("b", JUDGE.spec))
        session = Session.open(seed=0)
        await search.solve(Task(prompt="q"), session)
        assert session.ledger.bill().by_role["verify"].input_tokens == sum(prices[:n])


async def test_pools_are_read_back_as_they_were_drawn_and_nothing_is_drawn_twice(tmp_path: Path) -> None:
    first = await pools(tmp_path)
    before = CHAIN.counters
    second = await pools(tmp_path)
    assert CHAIN.counters == before
    assert dict(first.by_place) == dict(second.by_place)
    fresh = await pools(tmp_path / "again")
    assert dict(fresh.by_place) == dict(first.by_place)


async def test_a_verifier_that_comes_later_judges_what_was_drawn_and_nothing_is_drawn_again(tmp_path: Path) -> None:
    first = await pools(tmp_path)
    seen: list[str] = []

    def length(text: str) -> float:
        seen.append(text)
        return len(text)

    later, before = as_verifier(length), CHAIN.counters
    both = {"b": JUDGE, "length": later}
    for _ in range(2):
        with Journal(tmp_path / "pools.jsonl", Pool, identity="test") as journal:
            second = await draw_pools(
                QUESTIONS, [0, 1], 16, lambda task: CHAIN, Session.open(seed=3), journal, verifiers=both
            )
    assert CHAIN.counters == before
    distinct = [{sample.content for sample in pool.samples} for pool in first.by_place.values()]
    assert sum(map(len, distinct)) <= len(seen) <= 2 * sum(map(len, distinct)), "a text is looked at twice at most"
    for place, pool in second.by_place.items():
        assert [s.judged["length"].value for s in pool.samples] == [float(len(s.content)) for s in pool.samples]
        old = first.by_place[place].samples
        assert [(s.content, s.judged["b"]) for s in pool.samples] == [(s.content, s.judged["b"]) for s in old]
    looking = as_verifier(length, wants=frozenset({"tokens"}))
    with Journal(tmp_path / "pools.jsonl", Pool, identity="test") as journal, pytest.raises(ExceptionGroup) as error:
        await draw_pools(
            QUESTIONS, [0], 16, lambda task: CHAIN, Session.open(seed=3), journal, verifiers={"hidden": looking}
        )
    assert "cannot judge samples that were stored" in str(error.value.exceptions[0])


async def test_a_text_that_was_never_judged_is_an_error_and_no_guess(tmp_path: Path) -> None:
    drawn = await pools(tmp_path, n=2)
    pool, other = (
        drawn.at("q0", 0),
        Search(lambda task: CHAIN, BestOfN(n=16), drawn.at("q0", 0).scores("b", JUDGE.spec)),
    )
    assert len(pool.samples) == 2
    with pytest.raises(Exception, match="never judged"):
        await other.solve(Task(), Session.open(seed=9))


def test_a_line_torn_by_a_kill_is_cut_off_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    row = Outcome(method="m", size=1, seed=0, question="q", right=True)
    with Journal(path, Outcome, identity="mine") as journal:
        journal.add(row)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"method": "m", "si')
    with Journal(path, Outcome, identity="mine") as journal:
        assert journal.rows == [row]
        journal.add(row)
    assert path.read_bytes().startswith(whole)
    assert len(path.read_bytes().splitlines()) == 3


def test_a_journal_of_something_else_and_a_broken_line_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, Outcome, identity="mine") as journal:
        journal.add(Outcome(method="m", size=1, seed=0, question="q", right=True))
    with pytest.raises(InputError, match="belongs to something else"):
        Journal(path, Outcome, identity="another").__enter__()
    path.write_bytes(path.read_bytes().replace(b'"size":1', b'"size":"x"') + b"{}\n")
    with pytest.raises(InputError, match="Line 2"):
        Journal(path, Outcome, identity="mine").__enter__()


def test_two_processes_never_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    row = Outcome(method="m", size=1, seed=0, question="q", right=True)
    with Journal(path, Outcome, identity="test") as first:
        with pytest.raises(InputError, match="another process"), Journal(path, Outcome, identity="test"):
            pytest.fail("the second one was let in")
        first.add(row)
    with Journal(path, Outcome, identity="test") as second:
        assert second.rows == [row]
