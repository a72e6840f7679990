"""The step-wise family: what survives, when a search is over, look ahead, the choice at the end, what is refused, what is paid."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Budget,
    Cost,
    Equivalence,
    Incompatible,
    Result,
    Run,
    Search,
    Session,
    SettingsError,
    Stop,
    Task,
    Verifier,
)
from outthink.core.events import Advanced, Scored, Warned
from outthink.core.verifier import ScoreKind
from outthink.search import Beam, DiverseVerifierTreeSearch, Rebase, StepBestOfN
from outthink.search.allocation import softmax_shares
from outthink.search.beams import Beams
from outthink.search.step_search import StepSearch
from outthink.testing import FunctionOfAnswer, FunctionOfContent, GaussianChain, TokenChain, Wrapper

FAMILY: list[StepSearch] = [
    Beam(n=8, width=4),
    DiverseVerifierTreeSearch(n=8, width=4),
    StepBestOfN(n=8),
    Rebase(n=8),
]
family = pytest.mark.parametrize("algorithm", FAMILY, ids=lambda a: a.name())


def b_share(text: str) -> float:
    """Distinct for most texts, so that ties are rare."""
    return (1 + text.count("b") + 0.1 * text.count("c") + 0.01 * len(text)) / 8


def judge(**how: Any) -> FunctionOfContent:
    return FunctionOfContent(b_share, low=0.0, high=1.0, **how)


async def solve(
    algorithm: StepSearch,
    verifier: Verifier | None = None,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    process: Any = None,
    equivalence: Equivalence | None = None,
    length: int = 4,
    stop: float = 0.0,
) -> tuple[Result, Session]:
    session = Session.open(seed=seed, budget=budget)
    made = process or TokenChain("abc", length=length, stop=stop)
    result = await Search(lambda task: made, algorithm, verifier or judge(), equivalence).solve(Task(), session)
    session.close()
    return result, session


async def states(algorithm: StepSearch, process: Any, verifier: Verifier, seed: int = 0) -> list[Beams]:
    run = Run(process, Session.open(seed=seed), verifier=verifier)
    found = [await algorithm.init(run, run.key.child("init"))]
    while not algorithm.done(found[-1]):
        found.append(await algorithm.step(found[-1], run, run.key.child("step", len(found) - 1)))
    return found


def events(session: Session, kind: type) -> list[Any]:
    return [event for event in session.trace.events if isinstance(event, kind)]


# -- who goes on ----------------------------------------------------------------------------------------------------


async def test_each_subtree_goes_on_from_its_own_best() -> None:
    chain = TokenChain("abc", length=5)
    for seed in range(20):
        found = await states(DiverseVerifierTreeSearch(n=12, width=4), chain, judge(), seed)
        for before, after in itertools.pairwise(found[1:]):
            texts, scores = chain.texts(before.active.batch.states), before.active.score
            ended = after.active if len(after.active) else after.complete
            grown = chain.texts(ended.batch.states)
            for tree in range(3):
                mine = np.flatnonzero(before.active.subtree == tree)
                best = texts[int(mine[np.argmax(scores[mine])])]
                children = [grown[i] for i in np.flatnonzero(ended.subtree == tree)]
                assert len(children) == 4
                assert all(child[:-1] == best for child in children)
    # A beam of the same sizes does let one line crowd out the others.
    crowded = [len(set(np.unique(s.active.batch.states.symbols[:, 0])))
               for seed in range(20) for s in (await states(Beam(n=12, width=12), chain, judge(), seed))[2:-1]]  # fmt: skip
    assert set(crowded) == {1}


async def test_rebase_gives_children_by_the_softmax_and_finished_members_lower_the_width() -> None:
    lowered = 0
    for seed in range(30):
        _, session = await solve(Rebase(n=10), seed=seed, stop=0.3, length=5)
        rounds, known, width = events(session, Advanced), {}, 10
        for scored in events(session, Scored):
            known.update(zip(scored.nodes, scored.values, strict=True))
        for before, after in itertools.pairwise(rounds):
            width -= sum(before.done)
            lowered += sum(before.done)
            alive = [node for node, done in zip(before.nodes, before.done, strict=True) if not done]
            counts = softmax_shares(np.array([known[node] for node in alive]), width, temperature=0.2)
            assert after.parents == tuple(np.repeat(alive, counts).tolist())
            assert len(after.nodes) == width
        assert sum(done for r in rounds for done in r.done) == 10
    assert lowered > 30


async def test_a_subtree_ends_when_its_best_is_finished_and_gives_all_it_finished() -> None:
    seen = {"let go": 0, "aside": 0}
    for seed in range(60):
        chain = TokenChain("abc", length=6, stop=[0.9, 0.1, 0.1])
        found = await states(DiverseVerifierTreeSearch(n=8, width=4), chain, judge(), seed)
        for before, after in itertools.pairwise(found):
            new = after.complete.subtree[len(before.complete) :]
            for tree in np.unique(new):
                assert tree not in before.complete.subtree, "a subtree ends once"
                assert tree not in after.active.subtree
            seen["aside"] += len(after.aside) - len(before.aside)
        end = found[-1]
        assert set(np.unique(end.complete.subtree)) == {0, 1}
        answer = DiverseVerifierTreeSearch(n=8).answer(end)
        assert answer.chosen is not None
        assert answer.chosen < len(end.complete)
        assert answer.scores[answer.chosen] == np.nanmax(end.complete.score)
        seen["let go"] += len(end.complete) < 8
    assert seen["aside"] > 10
    assert seen["let go"] > 10


async def test_the_step_winner_is_the_answer_though_a_loser_that_finished_early_had_a_better_score() -> None:
    """Spec 05: step-level best-of-n returns the end of its line; what ended beside it is only the answer of last resort."""
    score = {"a": 0.5, "b": 0.9, "ba": 0.1, "bb": 0.2}

    verifier = FunctionOfContent(lambda text: score.get(text, 0.0), low=0.0, high=1.0)
    for seed in range(20):
        chain = TokenChain("ab", length=2, stop=[1.0, 0.0], initial=[0.5, 0.5], transition=[[0.5, 0.5], [0.5, 0.5]])
        result, _ = await solve(StepBestOfN(n=6), verifier, process=chain, seed=seed)
        contents = {c.content for c in result.candidates}
        if "b" not in {c[:1] for c in contents}:
            continue
        assert "a" in contents, "it was paid for and is shown"
        assert result.answer in ("ba", "bb")
    cut, _ = await solve(StepBestOfN(n=6), verifier, process=chain, budget=Budget(output_tokens=6))
    assert (cut.stop, cut.answer) == (Stop.BUDGET, "a")


# -- the end --------------------------------------------------------------------------------------------------------


@family
async def test_the_last_round_moves_everyone_to_the_end(algorithm: StepSearch) -> None:
    short = type(algorithm)(**{**{f: getattr(algorithm, f) for f in algorithm.__struct_fields__}, "rounds": 2})
    result, session = await solve(short, length=6)
    assert len(events(session, Advanced)) == 2
    assert len(result.candidates) == 8
    assert all(c.final and len(c.content) == 6 for c in result.candidates)
    assert result.stop is Stop.DONE


@family
async def test_the_best_of_the_complete_is_chosen_or_their_vote(algorithm: StepSearch) -> None:
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    differ = set()
    for seed in range(40):
        last = FunctionOfAnswer(lambda answer: answer[-1])
        results = {
            select: (
                await solve(
                    type(algorithm)(**{**settings, "select": select, "rounds": 2}),
                    equivalence=last,
                    seed=seed,
                    length=3,
                )
            )[0]
            for select in ("argmax", "weighted", "vote")
        }
        contents = [c.content for c in results["argmax"].candidates]
        assert all([c.content for c in r.candidates] == contents for r in results.values())
        scores = [b_share(text) for text in contents]
        assert results["argmax"].answer == contents[int(np.argmax(scores))]
        ends = [text[-1] for text in contents]
        assert ends.count(results["vote"].answer[-1]) == max(map(ends.count, ends))
        sums = {end: sum(s for s, e in zip(scores, ends, strict=True) if e == end) for end in ends}
        assert sums[results["weighted"].answer[-1]] == pytest.approx(max(sums.values()))
        assert results["vote"].agreement == pytest.approx(max(map(ends.count, ends)) / 8)
        differ.add(results["argmax"].answer[-1] == results["vote"].answer[-1])
    assert differ == {True, False}


@family
async def test_steps_that_are_none_are_told_of(algorithm: StepSearch) -> None:
    _, one = await solve(algorithm, length=1)
    _, many = await solve(algorithm, length=4)
    assert ["best-of-n" in w.message for w in events(one, Warned)] == [True]
    assert events(many, Warned) == []


@family
async def test_a_cut_search_answers_with_what_has_finished(algorithm: StepSearch) -> None:
    answered = set()
    for limit in range(8, 40, 3):
        result, _ = await solve(algorithm, budget=Budget(output_tokens=limit), stop=0.3, length=6, seed=limit)
        assert result.cost.output_tokens <= limit
        finished = [s for s, c in zip(result.scores, result.candidates, strict=True) if c.final]
        assert (result.answer is not None) == bool(finished)
        answered.add(result.answer is not None)
    assert True in answered


# -- look ahead -----------------------------------------------------------------------------------------------------


@family
async def test_candidates_are_judged_by_what_lies_ahead_and_keep_one_step(algorithm: StepSearch) -> None:
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    verifier = judge()
    chain = TokenChain("abc", length=5)
    found = await states(type(algorithm)(**{**settings, "look_ahead": 2}), chain, verifier)
    for depth, state in enumerate(found[1:-1], 1):
        assert {len(text) for text in chain.texts(state.active.batch.states)} == {depth}
    # Unfinished candidates are seen two steps later; the last but two rounds see finished texts.
    assert {len(text) for text in verifier.seen} == {3, 4, 5}
    assert len(found[-1].aside), "what was looked at and had finished is not thrown away"


@family
async def test_without_a_look_ahead_nothing_is_looked_at(algorithm: StepSearch) -> None:
    """Spec 05, check 4: L = 0 is no look-ahead. And what it costs otherwise is on the bill."""
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    plain, session = await solve(algorithm)
    same, _ = await solve(type(algorithm)(**{**settings, "look_ahead": 0}))
    assert plain.candidates == same.candidates
    assert plain.cost == Cost(calls=32, output_tokens=32, verifier_calls=32)
    ahead, _ = await solve(type(algorithm)(**{**settings, "look_ahead": 1}))
    assert ahead.cost == Cost(calls=32 + 24, output_tokens=32 + 24, verifier_calls=32)
    assert session.ledger.claimed == Cost()


async def test_a_look_ahead_sees_what_a_step_does_not() -> None:
    """The first symbol decides everything, and only the second shows it: a look ahead of one finds out before it is too late."""
    rows = [[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5], [0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5]]
    chain = TokenChain("abxy", length=3, initial=[0.8, 0.2, 0.0, 0.0], transition=rows)
    verifier = FunctionOfContent(lambda text: float(any(c in "by" for c in text[1:])), low=0.0, high=1.0)
    right = dict.fromkeys((0, 1), 0)
    for seed in range(100):
        for ahead in right:
            algorithm = StepBestOfN(n=4, look_ahead=ahead)
            result, _ = await solve(algorithm, verifier, process=chain, seed=seed)
            right[ahead] += str(result.answer)[0] == "b"
    # With 4 candidates, one begins with b in 1 - 0.8^4 = 0.59 of the runs; without looking ahead the first one is taken: 0.2.
    assert abs(right[0] / 100 - 0.2) < 0.16
    assert abs(right[1] / 100 - 0.59) < 0.2
    assert right[1] > right[0] + 20


@family
async def test_a_forced_answer_lets_a_verifier_of_finished_answers_guide_the_steps(algorithm: StepSearch) -> None:
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    final = judge(partial=False, kind=ScoreKind.OUTCOME)
    with pytest.raises(Incompatible, match=r"best-of-n.*look_ahead"):
        await solve(algorithm, final)
    forced = type(algorithm)(**{**settings, "look_ahead": "answer"})
    verifier = judge(partial=False, kind=ScoreKind.OUTCOME)
    result, session = await solve(forced, verifier)
    # In TokenChain a completed prefix is that prefix, ended: the search is the one that a verifier of prefixes guides.
    guided, _ = await solve(algorithm, judge())
    assert result.answer == guided.answer
    assert session.ledger.claimed == Cost()
    with pytest.raises(Incompatible, match="Completable"):
        await solve(forced, final, process=Wrapper(TokenChain()))


@family
async def test_looking_ahead_ends_with_the_budget_and_promises_nothing_for_ever(algorithm: StepSearch) -> None:
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    for ahead in (2, "answer"):
        for column in ("output_tokens", "verifier_calls", "calls"):
            for limit in range(1, 60, 6):
                method = type(algorithm)(**{**settings, "look_ahead": ahead})
                result, session = await solve(method, budget=Budget(**{column: limit}), stop=0.2, length=5)
                assert result.cost.column(column) <= limit
                assert session.ledger.claimed == Cost()


# -- what is refused ------------------------------------------------------------------------------------------------


@family
async def test_scores_that_only_compare_candidates_of_one_call_are_refused(algorithm: StepSearch) -> None:
    class Relative(FunctionOfContent):
        @property
        def spec(self) -> Any:
            return dataclasses.replace(super().spec, relative=True)

    verifier = Relative(b_share)
    with pytest.raises(Incompatible, match="different rounds"):
        await solve(algorithm, verifier)
    with pytest.raises(Incompatible, match="step-rewards"):
        await solve(algorithm, judge(kind=ScoreKind.STEP_REWARD))
    assert verifier.seen == []


@family
async def test_negative_scores_are_no_votes_as_they_are(algorithm: StepSearch) -> None:
    settings = {f: getattr(algorithm, f) for f in algorithm.__struct_fields__}
    verifier = FunctionOfContent(lambda text: -1.0 - b_share(text))
    with pytest.raises(Incompatible, match="min-max"):
        await solve(type(algorithm)(**{**settings, "select": "weighted"}), verifier)
    assert (await solve(type(algorithm)(**{**settings, "select": "weighted", "scale": "min-max"}), verifier))[
        0
    ].answer is not None


def test_widths_that_do_not_divide_are_refused_with_both_numbers() -> None:
    for cls in (Beam, DiverseVerifierTreeSearch):
        with pytest.raises(SettingsError, match=r"n = 10, width = 4.*n = 8"):
            cls(n=10, width=4)


@family
async def test_no_opinion_ranks_below_every_score(algorithm: StepSearch) -> None:
    shy = FunctionOfContent(lambda text: math.nan if "a" in text else -1.0)
    for seed in range(10):
        result, _ = await solve(algorithm, shy, seed=seed)
        spoken = [c for c, s in zip(result.candidates, result.scores, strict=True) if s is not None and c.final]
        if spoken:
            assert "a" not in str(result.answer)


async def test_a_process_of_points_is_searched_as_well() -> None:
    verifier = FunctionOfContent(lambda x: float(x[0]))
    means = []
    for algorithm in FAMILY:
        results = [(await solve(algorithm, verifier, process=GaussianChain(), seed=s))[0] for s in range(40)]
        means.append(np.mean([r.scores[r.chosen or 0] for r in results]))
    # The best of 8 standard normals has mean 1.42; guidance by the score at each step does better.
    assert min(means) > 1.42
