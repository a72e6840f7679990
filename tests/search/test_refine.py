"""Refinement: the closed forms of revising chains, what is accepted, what is told, when it stops, what it costs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    Budget,
    Candidate,
    Cost,
    Incompatible,
    Result,
    Run,
    Scores,
    ScoreSpec,
    Search,
    Session,
    SettingsError,
    Stop,
    Task,
    Verifier,
)
from outthink.core.events import Warned
from outthink.core.verifier import ScoreKind
from outthink.search import BestOfN, Refine, Vote
from outthink.search.refine import Chains
from outthink.testing import Flaky, FunctionOfContent, GaussianChain, TokenChain
from tests.search.reviser import Reviser, Rewriting

FREE = {"feedback": "request", "accept": "always", "choose": "last", "unchanged": 0}
"""Sequential revision as spec 06 has it: no verifier, no acceptance test."""


async def solve(
    algorithm: Algorithm[Any],
    process: Any,
    verifier: Verifier | None = None,
    *,
    budget: Budget | None = None,
    seed: int = 0,
) -> Result:
    session = Session.open(seed=seed, budget=budget)
    try:
        return await Search(lambda task: process, algorithm, verifier).solve(Task(), session)
    finally:
        session.close()


async def states(algorithm: Refine, process: Any, verifier: Verifier | None = None, seed: int = 0) -> list[Chains]:
    """The state after every step."""
    run = Run(process, Session.open(seed=seed), verifier=verifier)
    found = [await algorithm.init(run, run.key.child("init"))]
    while not algorithm.done(found[-1]):
        found.append(await algorithm.step(found[-1], run, run.key.child("step", len(found) - 1)))
    return found


def right() -> FunctionOfContent:
    """An honest verifier."""
    return FunctionOfContent(lambda content: float(content == "right"), low=0.0, high=1.0)


def rights(state: Chains) -> np.ndarray[Any, Any]:
    """Which chains stand at a right answer, [n]."""
    return np.asarray(state.versions.batch.states.right[state.current])


class Told(Verifier):
    """Scores and says what it is told to, by content."""

    def __init__(self, score: Callable[[str], float], note: Callable[[str], str], **spec: Any) -> None:
        self._score, self._note, self._how = score, note, spec

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(ScoreKind.OUTCOME, partial=False, **self._how)

    async def score(self, candidates: Any, task: Task) -> Scores:
        contents = [c.content for c in candidates]
        return Scores(
            np.array([self._score(c) for c in contents], np.float64),
            tuple(self._note(c) for c in contents),
            Cost(verifier_calls=len(contents)),
        )


# -- known answers --------------------------------------------------------------------------------------------------

N = 6000
WITHIN = 4 * math.sqrt(0.25 / N)


@pytest.mark.parametrize(
    ("mend", "spoil", "first", "exact"),
    [(0.3, 0.1, 0.5, {2: 0.6, 3: 0.66, 4: 0.696, 8: 0.743}), (0.05, 0.15, 0.6, {2: 0.53, 4: 0.4292, 8: 0.3234})],
)
async def test_a_revising_chain_is_right_as_often_as_the_sheet_says(
    mend: float, spoil: float, first: float, exact: dict[int, float]
) -> None:
    """Spec 06, check 3."""
    found = await states(Refine(n=N, rounds=7, **FREE), Reviser(first, mend, spoil))
    for version, share in exact.items():
        assert rights(found[version]).mean() == pytest.approx(share, abs=WITHIN)
    # The same seeds reject chains that keep the incumbent.
    kept = await states(Refine(n=N, rounds=7, unchanged=0), Reviser(first, mend, spoil), right())
    assert rights(kept[8]).mean() == pytest.approx(1 - (1 - first) * (1 - mend) ** 7, abs=WITHIN)
    assert abs(rights(kept[8]).mean() - exact[8]) > 3 * WITHIN


async def test_independent_chains_vote_as_the_sheet_says() -> None:
    """Spec 06, check 4: (P, S) -> share of right majorities; and the same three votes from one first answer would be worse."""
    found = await states(Refine(n=15 * 1000, rounds=3, **FREE), Reviser(0.5, 0.3, 0.1))
    for chains, versions, share in ((3, 1, 0.5), (3, 2, 0.648), (5, 2, 0.6826), (3, 4, 0.7789), (5, 4, 0.8316)):
        votes = rights(found[versions]).reshape(-1, chains).mean(axis=1) > 0.5
        assert votes.mean() == pytest.approx(share, abs=4 * math.sqrt(0.25 / len(votes)))


async def test_the_last_versions_vote() -> None:
    seen = set()
    for seed in range(40):
        result = await solve(Refine(n=3, rounds=1, **FREE), Reviser(0.5, 0.3, 0.1), seed=seed)
        last = [c.content for c in result.candidates[3:]]
        assert len(last) == 3
        assert result.answer == max(sorted(set(last)), key=last.count)
        assert result.agreement == last.count(result.answer) / 3
        assert result.weights[:3] == (0.0, 0.0, 0.0)
        everyone = await solve(Refine(n=3, rounds=1, **{**FREE, "choose": "all"}), Reviser(0.5, 0.3, 0.1), seed=seed)
        contents = [c.content for c in everyone.candidates]
        assert contents.count(everyone.answer or "") >= 3
        seen.add(result.answer == everyone.answer)
    assert seen == {True, False}


async def test_without_rounds_it_is_a_vote_or_the_best_of_n_bit_by_bit() -> None:
    for seed in range(5):
        chain = TokenChain("abc", length=3)
        alone = await solve(Refine(n=6, rounds=0, **FREE), chain, seed=seed)
        vote = await solve(Vote(n=6), chain, seed=seed)
        assert (alone.answer, alone.candidates, alone.weights) == (vote.answer, vote.candidates, vote.weights)
        judge = FunctionOfContent(lambda text: float(text.count("b")))
        gated = await solve(Refine(n=6, rounds=0), chain, judge, seed=seed)
        best = await solve(BestOfN(n=6), chain, judge, seed=seed)
        assert (gated.answer, gated.candidates, gated.scores) == (best.answer, best.candidates, best.scores)


async def test_revisions_that_are_fresh_draws_gain_nothing_over_more_samples() -> None:
    blind = await states(Refine(n=N, rounds=3, **FREE), Reviser(0.3, blind=True))
    assert rights(blind[-1]).mean() == pytest.approx(0.3, abs=WITHIN)
    gated = await states(Refine(n=N, rounds=3, unchanged=0), Reviser(0.3, blind=True), right())
    assert rights(gated[-1]).mean() == pytest.approx(1 - 0.7**4, abs=WITHIN), "best of 1 + 3 draws, chain by chain"
    told = await states(Refine(n=N, rounds=3, unchanged=0), Reviser(0.3, mend=0.6), right())
    assert rights(told[-1]).mean() > 1 - 0.7**4 + WITHIN


# -- acceptance -----------------------------------------------------------------------------------------------------


def noisy(seed: int) -> FunctionOfContent:
    rng = np.random.default_rng(seed)
    return FunctionOfContent(lambda content: math.nan if rng.random() < 0.2 else float(rng.normal(content == "right")))


@pytest.mark.parametrize("margin", [0.0, 0.5])
async def test_a_chains_score_never_falls_and_ties_keep_the_incumbent(margin: float) -> None:
    fell = 0
    for seed in range(60):
        process = Reviser(0.5, 0.3, 0.3)
        found = await states(Refine(n=3, rounds=4, unchanged=0, margin=margin), process, noisy(seed), seed)
        for before, after in itertools.pairwise(found[1:]):
            known = ~np.isnan(before.score)
            assert not np.isnan(after.score[known]).any()
            risen = after.score[known] - before.score[known]
            assert ((risen == 0) | (risen > margin)).all()
        always = await states(Refine(n=3, rounds=4, accept="always", unchanged=0), process, noisy(seed), seed)
        fell += any((b.score > a.score).any() for b, a in itertools.pairwise(always[1:]))
        answer = Refine(n=3, choose="best").answer(found[-1])
        assert answer.scores[answer.chosen] == np.nanmax(answer.scores)
    assert fell > 30, "always accepting must be seen to lose scores"
    constant = await states(
        Refine(n=2, rounds=2, unchanged=0), Reviser(0.5, 0.5, 0.5), FunctionOfContent(lambda c: 1.0)
    )
    assert constant[-1].current.tolist() == [0, 1]


async def test_what_is_not_needed_is_not_paid() -> None:
    judge = right()
    result = await solve(Refine(n=2, rounds=2, **FREE), Reviser(0.5), judge)
    assert judge.rounds == []
    assert result.by_role == {"generate": Cost(calls=2, output_tokens=2), "refine": Cost(calls=4, output_tokens=4)}
    assert result.scores == (None,) * 6
    assert not Refine(**FREE).needs_verifier
    for more in (
        {"feedback": "score"},
        {"accept": "better"},
        {"choose": "best"},
        {"threshold": 0.5},
        {"contrast": True},
    ):
        assert Refine(**{**FREE, **more}).needs_verifier
        with pytest.raises(Incompatible, match="needs a verifier"):
            await solve(Refine(**{**FREE, **more}), Reviser(0.5))


# -- what is told ---------------------------------------------------------------------------------------------------


async def test_a_score_is_told_with_its_scale_and_a_note_as_it_is() -> None:
    process, judge = Reviser(0.0), Told(lambda c: 0.25, lambda c: f"{c} at line 3")
    await solve(Refine(n=1, rounds=1), process, judge)
    (said,) = process.heard
    assert said.startswith("Check every step")
    assert "score is 0.25 on a scale from 0 to 1; higher is better" in said
    assert "What was said about it: wrong at line 3" in said
    for what, has_score, has_note in (("request", 0, 0), ("score", 1, 0), ("notes", 0, 1)):
        process.heard.clear()
        await solve(Refine(n=1, rounds=1, feedback=what, request="Again."), process, judge)
        (said,) = process.heard
        assert said.splitlines()[0] == "Again."
        assert (("0.25" in said), ("line 3" in said)) == (has_score, has_note)


async def test_no_opinion_is_not_told_as_a_score_and_open_scales_have_no_ends() -> None:
    process = Reviser(0.0)
    await solve(Refine(n=1, rounds=1, request="Again."), process, Told(lambda c: math.nan, lambda c: ""))
    assert process.heard == ["Again."]
    process.heard.clear()
    await solve(Refine(n=1, rounds=1, request="Again."), process, FunctionOfContent(lambda c: 2.0))
    assert process.heard == ["Again.\nThe answer's score is 2; higher is better."]


async def test_best_and_worst_are_told_only_while_they_differ() -> None:
    split = Told(lambda c: 0.9 if c == "right" else 0.1, lambda c: f"it is {c}")
    process, told, silent = Reviser(0.5, 0.1, 0.1), 0, 0
    for seed in range(20):
        process.heard.clear()
        await solve(Refine(n=2, rounds=1, contrast=True), process, split, seed=seed)
        labels = ["best answer so far has the score 0.9" in said for said in process.heard]
        worst = [
            "worst answer so far has the score 0.1. What was said about it: it is wrong" in s for s in process.heard
        ]
        assert labels == worst
        scores = {"score is 0.9" in said.split("The best")[0] for said in process.heard}
        assert labels[0] == (len(scores) == 2)
        told, silent = told + labels[0], silent + (not labels[0])
    assert told > 3
    assert silent > 3


async def test_what_an_oracle_says_is_never_told() -> None:
    process = Reviser(0.0)
    oracle = Told(lambda c: 0.0, lambda c: "the right answer is 42", reads_reference=True)
    await solve(Refine(n=2, rounds=2, contrast=True), process, oracle)
    assert process.heard
    assert not any("42" in said for said in process.heard)


async def test_notes_survive_a_resume() -> None:
    judge = Told(lambda c: 0.5, lambda c: f"{c} at line 3")

    async def heard(resume: bytes | None = None) -> tuple[list[str], list[bytes], Result]:
        process, snapshots = Reviser(0.5, 0.3, 0.3), []
        session = Session.open(seed=2)
        search = Search(lambda task: process, Refine(n=2, rounds=3, accept="always", unchanged=0), judge)
        result = await search.solve(Task(), session, resume=resume, on_step=lambda s: snapshots.append(s.dump()))
        session.close()
        return process.heard, snapshots, result

    whole, snapshots, result = await heard()
    assert all("at line 3" in said for said in whole)
    for step, snapshot in enumerate(snapshots):
        rest, _, again = await heard(snapshot)
        assert rest == whole[2 * step :]
        assert again.candidates == result.candidates


# -- stops, failures, budgets ---------------------------------------------------------------------------------------


async def test_chains_stop_when_their_answer_no_longer_changes() -> None:
    result = await solve(Refine(n=3, rounds=8, **{**FREE, "unchanged": 2}), Reviser(0.5))
    assert result.cost.calls == 3 * (1 + 2)
    result = await solve(Refine(n=3, rounds=8, **{**FREE, "unchanged": 2}), Reviser(0.5, 1.0, 1.0))
    assert result.cost.calls == 3 * (1 + 8)


async def test_what_stopping_early_saved_is_told() -> None:
    for method, told in (
        (Refine(n=3, rounds=8, **{**FREE, "unchanged": 2}), ["18 revisions were saved, about 18 tokens"]),
        (Refine(n=3, rounds=2, **{**FREE, "unchanged": 2}), []),
        (Refine(n=3, rounds=8, **FREE), []),
    ):
        session = Session.open()
        await Search(lambda task: Reviser(0.5), method, None).solve(Task(), session)
        said = [event.message for event in session.trace.events if isinstance(event, Warned)]
        assert [want in one for want, one in zip(told, said, strict=True)] == [True] * len(told)
        session.close()


async def test_one_chain_is_sequential_revision_and_each_of_several_is_one_of_its_own() -> None:
    """Spec 06, check 4: P = 1 is sequential revision bit by bit, the last version whatever stood before; and chains do not meet."""
    differs = 0
    for seed in range(20):
        alone = await solve(Refine(n=1, rounds=4, **FREE), Reviser(0.5, 0.3, 0.3), seed=seed)
        assert alone.chosen == 4
        assert alone.answer == alone.candidates[-1].content
        first = [c.content for c in alone.candidates]
        side_by_side = await solve(Refine(n=5, rounds=4, **FREE), Reviser(0.5, 0.3, 0.3), seed=seed)
        assert [c.content for c in side_by_side.candidates[::5]] == first
        differs += [c.content for c in side_by_side.candidates[1::5]] != first
    assert differs > 10


async def test_chains_stop_when_they_are_good_enough() -> None:
    for seed in range(10):
        result = await solve(Refine(n=4, rounds=5, threshold=1.0), Reviser(0.4, 0.5), right(), seed=seed)
        first = [c.content for c in result.candidates[:4]]
        assert result.by_role.get("refine", Cost()).calls == len(result.candidates) - 4
        if first.count("right") == 4:
            assert len(result.candidates) == 4
        assert sum(c.content == "right" for c in result.candidates) <= 4, "a right chain is left alone"


class OnlyRevisionsFail(Rewriting):
    async def advance(self, states: Any, seeds: Any, *, steps: Any = 1, allowance: Any) -> Any:
        return await self.made.inner.advance(states, seeds, steps=steps, allowance=allowance)


async def test_a_revision_that_fails_leaves_the_answer_that_was_there() -> None:
    process = OnlyRevisionsFail(Flaky(Reviser(0.5, 1.0), 1.0))
    result = await solve(Refine(n=3, rounds=2), process, right())
    assert len(result.candidates) == 3
    assert result.answer is not None
    assert len(result.failures) == 3
    assert result.stop is Stop.DONE
    assert result.by_role["refine"].calls == 6, "each failed revision was tried once and paid"


async def test_a_budget_that_ends_leaves_no_chain_behind() -> None:
    result = await solve(Refine(n=4, rounds=3, **FREE), Reviser(0.5, 0.3, 0.1), budget=Budget(calls=10))
    assert (result.stop, result.limit, result.cost.calls) == (Stop.BUDGET, "calls", 10)
    found = await states(Refine(n=4, rounds=3, **FREE), Reviser(0.5, 0.3, 0.1))
    assert [s.tried.tolist() for s in found] == [[0] * 4, [0] * 4, [1] * 4, [2] * 4, [3] * 4]
    # 4 answers, 4 first revisions, and the first two chains' second ones.
    assert len(result.candidates) == 10
    assert [c.content for c in result.candidates[4:8]] == [
        ("right" if r else "wrong") for r in found[2].versions.batch.states.right[4:8]
    ]


async def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Incompatible, match="Revisable"):
        await solve(Refine(**FREE), GaussianChain())
    with pytest.raises(Incompatible, match="different rounds"):
        await solve(Refine(), Reviser(0.5), Told(lambda c: 0.5, lambda c: "", relative=True))
    with pytest.raises(SettingsError, match="margin"):
        Refine(accept="always", margin=0.1)


async def test_when_nobody_can_be_compared_the_last_version_is_the_answer() -> None:
    class Mute(Reviser):
        async def view(self, states: Any, wants: Any) -> list[Candidate]:
            seen = await super().view(states, wants)
            return [Candidate(content=c.content, final=c.final) for c in seen]

    result = await solve(Refine(n=2, rounds=2, **{**FREE, "unchanged": 1}), Mute(0.0, 1.0, 1.0))
    assert result.agreement == 0.0
    assert result.chosen == 4
    assert result.answer == "wrong"
    assert result.cost.calls == 6, "answers that cannot be compared are not called unchanged"
