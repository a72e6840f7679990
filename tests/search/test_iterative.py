"""Iterative decoding's own rules: what a round starts from, when it draws anew, what stops it, what is judged and told. Spec 01."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Advance,
    Allowance,
    Budget,
    Candidate,
    Result,
    Revisable,
    Search,
    Session,
    SettingsError,
    Task,
    Verifier,
)
from outthink.core.events import Warned
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, SeedArray
from outthink.search import BestOfN, Refine
from outthink.testing import ArrayProcess, FunctionOfContent, PartsJudge, PartsProcess, Prices, ToyStates, uniforms
from outthink.testing.array_process import put
from tests.search.test_refine import Told

ROUNDS = Refine(n=4, base="best", contrast=True, unchanged=0, ties="redraw", judge_again=False)


def changed(**changes: Any) -> Refine:
    return Refine(**{name: getattr(ROUNDS, name) for name in ROUNDS.__struct_fields__} | changes)


async def solve(
    process: Any, method: Any, verifier: Verifier, *, seed: int = 0, budget: Budget | None = None
) -> tuple[Result, list[str]]:
    session = Session.open(seed=seed, budget=budget)
    try:
        result = await Search(lambda task: process, method, verifier).solve(Task(), session)
        return result, [event.message for event in session.trace.events if isinstance(event, Warned)]
    finally:
        session.close()


@dataclass(frozen=True)
class Bits(ToyStates):
    """Guesses at twenty bits; 1 is right. `bits` [n, 20]."""

    bits: Any


class Guesser(ArrayProcess[Bits], Revisable[Bits]):
    """Check 7 of the sheet: a revision flips each bit of its answer with probability 0.1, and sets the one that is named."""

    states_class = Bits

    def __init__(self) -> None:
        super().__init__(1, Prices())
        self.heard: list[str] = []

    async def start(self, seeds: SeedArray) -> Bits:
        n = len(seeds)
        return Bits(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros((n, 20), bool))

    def draw(self, states: Bits, seeds: SeedArray, counter: int) -> tuple[Bits, FloatArray]:
        n = len(states)
        return Bits(np.ones(n, np.int64), np.ones(n, bool), uniforms(seeds, 0, 20) < 0.5), np.zeros(n)

    async def view(self, states: Bits, wants: frozenset[Feature]) -> list[Candidate]:
        texts = ["".join("01"[bit] for bit in row) for row in states.bits.astype(int).tolist()]
        return [
            Candidate(content=text, final=done, answer=text if done else None)
            for text, done in zip(texts, states.done.tolist(), strict=True)
        ]

    async def revise(
        self, states: Bits, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Bits]:
        self.heard += feedback
        grants = self.claim(np.ones(len(seeds), np.int64), allowance)
        at = np.flatnonzero(grants > 0)
        bits = states.bits[at] ^ (uniforms(seeds[at], 0, 20) < 0.1)
        for row, i in enumerate(at.tolist()):
            if "bit " in feedback[i]:
                bits[row, int(feedback[i].split("bit ")[1].split()[0])] = True
        now = put(states, at, replace(states.take(at), bits=bits))
        return Advance(now, now.done, np.zeros(len(seeds)), self.charge(len(at), len(at)), untouched=grants < 0)


@dataclass(frozen=True)
class Heights(ToyStates):
    """Numbers in [0, 1], [n]."""

    y: Any


class Climber(ArrayProcess[Heights], Revisable[Heights]):
    """Check 1 of the sheet: y ~ U(0, 1); a revision that is told a score b draws from U(b, 1), one that is not from U(0, 1)."""

    states_class = Heights

    def __init__(self) -> None:
        super().__init__(1, Prices())

    async def start(self, seeds: SeedArray) -> Heights:
        n = len(seeds)
        return Heights(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n))

    def draw(self, states: Heights, seeds: SeedArray, counter: int) -> tuple[Heights, FloatArray]:
        n = len(states)
        return Heights(np.ones(n, np.int64), np.ones(n, bool), uniforms(seeds, 0)), np.zeros(n)

    async def view(self, states: Heights, wants: frozenset[Feature]) -> list[Candidate]:
        rows = zip(states.y.tolist(), states.done.tolist(), strict=True)
        return [Candidate(content=y, final=done, answer=str(y) if done else None) for y, done in rows]

    async def revise(
        self, states: Heights, feedback: Sequence[str], seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Heights]:
        grants = self.claim(np.ones(len(seeds), np.int64), allowance)
        at = np.flatnonzero(grants > 0)
        told = ["score is" in feedback[i] for i in at.tolist()]
        least = np.where(told, states.y[at], 0.0)
        now = put(states, at, replace(states.take(at), y=least + (1.0 - least) * uniforms(seeds[at], 0)))
        return Advance(now, now.done, np.zeros(len(seeds)), self.charge(len(at), len(at)), untouched=grants < 0)


async def test_what_is_left_shrinks_by_k_plus_one_a_round() -> None:
    """Checks 1, 2 and 4: 1 - y is (K + 1)^-B in the mean when it is told, and 1 / (K B + 1), best-of-n's, when it is not."""
    height = FunctionOfContent(float, low=0.0, high=1.0)
    depth = FunctionOfContent(lambda y: 1.0 - y, low=0.0, high=1.0)
    silent = changed(n=2, rounds=2, ties="revise", contrast=False, feedback="request")
    left: dict[str, list[float]] = {"told": [], "silent": [], "negated": [], "best": []}
    for seed in range(150):
        for name, method, judge in (
            ("told", changed(n=2, rounds=2, ties="revise"), height),
            ("silent", silent, height),
            ("negated", silent, depth),
            ("best", BestOfN(n=6), height),
        ):
            result, _ = await solve(Climber(), method, judge, seed=seed)
            left[name].append(1.0 - float(result.answer or "nan"))
    means = {name: float(np.mean(values)) for name, values in left.items()}
    # Standard deviations: 0.04 where it is told, and 0.12 of the least of six.
    assert means["told"] == pytest.approx(1 / 27, abs=4 * 0.045 / 150**0.5)
    for name in ("silent", "best"):
        assert means[name] == pytest.approx(1 / 7, abs=4 * 0.125 / 150**0.5)
    assert 1.0 - means["negated"] == pytest.approx(1 / 7, abs=4 * 0.125 / 150**0.5)
    assert means["told"] < means["best"] / 2


def share(text: str) -> float:
    return text.count("1") / len(text)


def first_wrong(text: str) -> str:
    return f"bit {text.index('0')} is wrong" if "0" in text else ""


async def test_critique_beats_none_and_none_beats_best_of_n_by_what_the_sheet_says() -> None:
    """Check 7: best of 12 gives 0.681, three candidates in four rounds 0.702 without and 0.790 with critique."""
    critic, silent = Told(share, first_wrong), Told(share, lambda text: "")
    found = {"best": [], "silent": [], "critique": []}  # type: dict[str, list[float]]
    for seed in range(120):
        for name, method, judge in (
            ("best", BestOfN(n=12), critic),
            ("silent", changed(n=3, ties="revise"), silent),
            ("critique", changed(n=3), critic),
        ):
            result, _ = await solve(Guesser(), method, judge, seed=seed)
            assert result.cost.calls == 12
            found[name].append(share(str(result.answer)))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    assert means["best"] == pytest.approx(0.681, abs=0.016)
    assert means["silent"] == pytest.approx(0.702, abs=0.016)
    assert means["critique"] == pytest.approx(0.790, abs=0.016)
    assert means["critique"] - means["best"] >= 0.08


async def test_while_all_scores_tie_it_is_best_of_n() -> None:
    """Check 3: a sparse reward. Nothing is revised, and each member of a round is a fresh draw."""
    process = Guesser()
    sparse = FunctionOfContent(lambda text: float(text.count("1") > 19), low=0.0, high=1.0)
    result, _ = await solve(process, ROUNDS, sparse)
    assert (result.cost.calls, "refine" in result.by_role, process.heard) == (16, False, [])
    assert len({str(c.content) for c in result.candidates}) == 16
    # A note is a direction, and so are scores that differ.
    for judge in (Told(lambda text: 0.0, first_wrong), Told(share, lambda text: "")):
        result, _ = await solve(process, ROUNDS, judge)
        assert result.by_role["refine"].calls == 12
    told = process.heard[-1]
    assert "The best answer so far" in told
    assert "The worst answer so far" in told


async def test_every_member_of_a_round_starts_from_the_best_so_far() -> None:
    class Copier(Guesser):
        """Revisions change nothing, so that what they started from is seen."""

        async def revise(self, states: Bits, feedback: Any, seeds: Any, *, allowance: Any) -> Advance[Bits]:
            got = await super().revise(states, feedback, seeds, allowance=allowance)
            return replace(got, states=states)

    for seed in range(5):
        result, said = await solve(Copier(), changed(patience=2), Told(share, first_wrong), seed=seed)
        texts = [str(c.content) for c in result.candidates]
        best = max(texts[:4], key=share)
        assert texts[4:] == [best] * 8, "two rounds without gain are enough"
        assert result.answer == best
        assert result.chosen == texts.index(best), "ties keep the incumbent"
        assert any("None of the last 2 revisions" in one for one in said)
        assert result.cost.verifier_calls == len(set(texts)), "equal answers are judged once"
        alone, _ = await solve(Copier(), changed(base="own"), Told(share, first_wrong), seed=seed)
        assert [str(c.content) for c in alone.candidates] == texts[:4] * 4


async def test_the_target_stops_it_and_scores_never_fall() -> None:
    """Check 5, on runs with a noisy judge."""
    for seed in range(60):
        judge = PartsJudge(noise=0.1, seed=seed)
        process = PartsProcess(parts=6, wrong=0.4, repair=0.4, breakage=0.1)
        result, _ = await solve(process, changed(threshold=1.0, patience=2), judge, seed=seed)
        scores = [score for score in result.scores if score is not None]
        assert result.scores[result.chosen or 0] == max(scores)
        assert result.cost.calls == len(result.candidates) == 4 * (len(result.candidates) // 4)
        assert result.cost.verifier_calls == len({str(c.content) for c in result.candidates})
        at_target = [i for i, score in enumerate(scores) if score == 1.0]
        assert not at_target or len(scores) - at_target[0] <= 4, "the round in which it is reached is the last"


async def test_promises_for_equal_answers_are_given_back() -> None:
    """A budget of verifier calls that only fits the different answers is enough."""

    class Constant(Guesser):
        def draw(self, states: Bits, seeds: SeedArray, counter: int) -> tuple[Bits, FloatArray]:
            n = len(states)
            return Bits(np.ones(n, np.int64), np.ones(n, bool), np.ones((n, 20), bool)), np.zeros(n)

        async def revise(self, states: Bits, feedback: Any, seeds: Any, *, allowance: Any) -> Advance[Bits]:
            got = await super().revise(states, feedback, seeds, allowance=allowance)
            return replace(got, states=states)

    judge = Told(lambda text: 0.5, lambda text: "bit 3 is wrong")
    result, _ = await solve(Constant(), ROUNDS, judge, budget=Budget(verifier_calls=5))
    assert (len(result.candidates), result.cost.verifier_calls) == (16, 1)
    assert result.scores == (0.5,) * 16


async def test_a_judgement_that_failed_is_not_shared_with_a_later_success() -> None:
    calls: list[str] = []

    def sometimes(text: str) -> float:
        calls.append(text)
        return float("nan") if len(calls) == 1 else 0.5

    result, _ = await solve(Guesser(), changed(rounds=0), Told(sometimes, lambda text: ""))
    assert result.scores[0] is None
    assert result.chosen == 1


def test_settings_that_contradict_each_other_are_refused() -> None:
    for changes in ({"base": "best"}, {"patience": 2}):
        with pytest.raises(SettingsError, match="test of what is better"):
            Refine(accept="always", **changes)
    assert Refine(rounds=1, feedback="request", accept="always", choose="last", ties="redraw").needs_verifier
