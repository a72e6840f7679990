"""Rules of length: the sheet's figures, early stop, truncated answers, and what is told of them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from outthink.core import Budget, Candidate, Incompatible, Result, Search, Session, SettingsError, Task, Verifier
from outthink.core.events import Warned
from outthink.core.task import Feature
from outthink.numerics import majority_accuracy
from outthink.numerics.types import BoolArray, FloatArray, SeedArray
from outthink.search import Vote
from outthink.search.vote_rules import best_scored, electorate, length_votes, shortest
from outthink.testing import ArrayProcess, FunctionOfContent, Prices, TokenChain, ToyStates, Wrapper, normals, uniforms
from tests.laws.law import runs

nan = float("nan")


@dataclass(frozen=True)
class Said(ToyStates):
    """Right or not, and how long, [n]."""

    right: BoolArray
    length: FloatArray


class Answers(ArrayProcess[Said]):
    """Right with probability `p`; log-lengths Normal(6, 0.5), of wrong answers Normal(6 + shift, 0.5); cut at `cap` tokens."""

    states_class = Said

    def __init__(self, p: float, shift: float, cap: float = math.inf) -> None:
        super().__init__(1, Prices())
        self.p, self.shift, self.cap = p, shift, cap

    async def start(self, seeds: SeedArray) -> Said:
        n = len(seeds)
        return Said(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n, bool), np.zeros(n))

    def draw(self, states: Said, seeds: SeedArray, counter: int) -> tuple[Said, FloatArray]:
        n = len(states)
        right = uniforms(seeds, 0) < self.p
        length = np.exp(6.0 + self.shift * ~right + 0.5 * normals(seeds, 8, 1)[:, 0])
        ended = np.ones(n, np.int64)
        return Said(ended, ended.astype(bool), right, np.minimum(length, self.cap)), np.zeros(n)

    async def view(self, states: Said, wants: frozenset[Feature]) -> list[Candidate]:
        found = []
        for right, length, done in zip(states.right, states.length, states.done, strict=True):
            features = {"length": float(length), "stop": "length" if length >= self.cap else "end"}
            said = "right" if right else "wrong"
            answer = said if done and length < self.cap else None
            found.append(
                Candidate(content=said, answer=answer, features={k: features[k] for k in wants if k in features})
            )
        return found


async def solve(
    method: Vote, process: Any, seed: int = 0, verifier: Verifier | None = None, budget: Budget | None = None
) -> tuple[Result, Session]:
    session = Session.open(seed=seed, budget=budget)
    result = await Search(lambda task: process, method, verifier).solve(Task(), session)
    session.close()
    return result, session


def warnings(session: Session) -> list[str]:
    return [event.message for event in session.trace.events if isinstance(event, Warned)]


# -- the rules themselves -------------------------------------------------------------------------------------------


def test_a_share_is_rounded_up() -> None:
    assert [electorate(n, 0.5) for n in (1, 2, 3, 16)] == [1, 1, 2, 8]
    assert electorate(10, 0.3) == 3
    assert electorate(16, 0.75, 3) == 12
    assert (electorate(4, 0.25, 3), electorate(2, 0.25, 3)) == (3, 2)


def test_who_votes_and_how_much() -> None:
    length, everyone, first = np.array([5.0, nan, 2.0, 5.0]), np.ones(4, bool), np.arange(4)
    assert shortest(length, everyone, 2, first).tolist() == [True, False, True, False]
    assert shortest(length, everyone, 2, first[::-1]).tolist() == [False, False, True, True]
    assert shortest(length, np.array([True, True, False, False]), 3, first).tolist() == [True, True, False, False]
    assert best_scored(np.array([0.1, nan, 0.3, 0.1]), everyone, 2, first).tolist() == [True, False, True, False]
    group = np.array([0, 0, 1, 1])
    votes = length_votes(np.array([10.0, 30.0, 1.0, 3.0]), group, everyone)
    assert votes[:2].sum() == pytest.approx(2 / math.log(20))
    assert votes[2:].sum() == pytest.approx(2 / math.log(3)), "shorter than 3 tokens counts as 3"
    assert length_votes(np.array([10.0, 30.0, 1.0, 3.0]), group, group == 1)[0] == 0


# -- known answers --------------------------------------------------------------------------------------------------


@pytest.mark.laws
async def test_rules_of_length_help_where_wrong_answers_are_longer_and_change_nothing_where_not() -> None:
    """Spec 06, check 7: majority 0.346, shortest-8 0.76, length-weighted 0.45 seen; without a shift 0.392 and 0.346."""
    seeds = range(runs(400, 4000))
    rules = {
        "majority": Vote(n=16, ties="random"),
        "shortest": Vote(n=16, voters="shortest", ties="random"),
        "length": Vote(n=16, weights="length", ties="random"),
    }
    right: dict[tuple[str, float], float] = {}
    for name, rule in rules.items():
        for shift in (0.0, 0.5):
            found = [(await solve(rule, Answers(0.45, shift), seed))[0].answer == "right" for seed in seeds]
            right[name, shift] = sum(found) / len(seeds)
    within = 4 * math.sqrt(0.25 / len(seeds))
    assert right["majority", 0.0] == right["majority", 0.5]
    assert right["majority", 0.5] == pytest.approx(majority_accuracy(0.45, 16), abs=within)
    assert right["shortest", 0.5] == pytest.approx(0.76, abs=within)
    assert right["length", 0.5] == pytest.approx(0.45, abs=within)
    assert min(right["shortest", 0.5], right["length", 0.5]) > right["majority", 0.5] + 0.05
    assert right["shortest", 0.0] == pytest.approx(majority_accuracy(0.45, 8), abs=within)
    # Ties, a fifth of the votes, go to the shorter side instead of to either by chance; otherwise nothing changes.
    assert right["length", 0.0] == pytest.approx(majority_accuracy(0.45, 16), abs=max(0.02, within))


async def test_random_ties_among_three_answers() -> None:
    """Spec 06, check 1: three answers (0.4, 0.3, 0.3), n = 3: 0.424."""
    chain = TokenChain("abc", length=1, initial=[0.4, 0.3, 0.3])
    seeds = range(runs(1200, 40_000))
    right = sum([(await solve(Vote(n=3, ties="random"), chain, seed))[0].answer == "a" for seed in seeds]) / len(seeds)
    assert right == pytest.approx(0.424, abs=4 * math.sqrt(0.25 / len(seeds)))
    # Ties that were no answer at all would give 0.4^3 + 3 * 0.4^2 * 0.6 = 0.352.
    assert right > 0.352 + 2 * math.sqrt(0.25 / len(seeds))


# -- early stop -----------------------------------------------------------------------------------------------------


async def test_an_early_stop_gives_the_answer_of_the_shortest_and_saves_the_rest() -> None:
    chain = TokenChain("ab", length=12, stop=0.25)
    saved = 0
    for seed in range(40):
        early, session = await solve(Vote(n=8, voters="shortest", early_stop=True), chain, seed)
        late, _ = await solve(Vote(n=8, voters="shortest", early_stop=True, share=1.0), chain, seed)
        texts = [c.content for c in late.candidates]
        order = sorted(range(8), key=lambda i: (len(texts[i]), i))[:4]
        votes = [texts[i] for i in sorted(order)]
        assert early.answer == max(dict.fromkeys(votes), key=votes.count)
        assert {c.content for c in early.candidates} <= set(texts)
        assert early.stop.value == "done"
        assert early.degraded == ()
        assert early.cost.output_tokens <= late.cost.output_tokens
        assert early.cost.output_tokens == sum(min(len(t), len(texts[order[-1]])) for t in texts)
        saved += late.cost.output_tokens - early.cost.output_tokens
        assert session.ledger.claimed.tokens == 0
    assert saved > 200


async def test_what_does_not_fit_is_refused_before_anything_is_spent() -> None:
    chain = TokenChain()

    class Whole(Wrapper[Any]):
        @property
        def step_wise(self) -> bool:
            return False

    class Shy(TokenChain):
        async def view(self, states: Any, wants: Any) -> list[Candidate]:
            return await super().view(states, wants - {"length"})

    with pytest.raises(SettingsError, match="shortest"):
        Vote(early_stop=True)
    with pytest.raises(Incompatible, match="step by step"):
        await solve(Vote(voters="shortest", early_stop=True), Whole(chain))
    shy = Shy()
    for method in (Vote(voters="shortest"), Vote(weights="length")):
        with pytest.raises(Incompatible, match="shows none"):
            await solve(method, shy)
    assert shy.calls == 0
    with pytest.raises(Incompatible, match="needs a verifier"):
        await solve(Vote(voters="best"), chain)


async def test_relative_scores_are_refused_where_calls_would_be_mixed() -> None:
    class Relative(FunctionOfContent):
        @property
        def spec(self) -> Any:
            return dataclasses.replace(super().spec, relative=True)

    relative = Relative(len, low=0.0)
    with pytest.raises(Incompatible, match="different calls"):
        await solve(Vote(weights="score", redraws=1), TokenChain(), verifier=relative)
    assert relative.seen == []
    assert (await solve(Vote(weights="score"), TokenChain(), verifier=relative))[0].answer is not None
    assert (await solve(Vote(redraws=1), TokenChain(), verifier=relative))[0].answer is not None


# -- filtered, truncated --------------------------------------------------------------------------------------------


async def test_the_worst_by_score_do_not_vote() -> None:
    verifier = FunctionOfContent(lambda text: -float(text.count("a")))
    for seed in range(30):
        result, _ = await solve(Vote(n=8, voters="best", share=0.75), TokenChain("ab", length=2), seed, verifier)
        counts = [c.content.count("a") for c in result.candidates]
        out = sorted(range(8), key=lambda i: (counts[i], i))[6:]
        assert [w == 0 for w in result.weights] == [i in out for i in range(8)]


async def test_answers_cut_at_the_cap_have_no_say_by_length_and_are_counted() -> None:
    told = 0
    for seed in range(30):
        process = Answers(0.5, 0.0, cap=450.0)
        result, session = await solve(Vote(n=8, weights="length"), process, seed)
        cut = sum(c.answer is None for c in result.candidates)
        said = [w for w in warnings(session) if "length limit" in w]
        counts = f"{cut} of 8 candidates gave no answer; {cut} were cut at the length limit, {cut} of them before they had answered."
        assert said == ([counts] if cut else [])
        told += bool(said)
        plain, session = await solve(Vote(n=8), process, seed)
        assert [w for w in warnings(session) if "length limit" in w] == said
        assert plain.weights.count(0.0) == cut

    class Answered(Answers):
        async def view(self, states: Said, wants: frozenset[Feature]) -> list[Candidate]:
            seen = await super().view(replace(states, length=np.minimum(states.length, 449.0)), wants)
            both = zip(await super().view(states, wants), seen, strict=True)
            return [Candidate(content=c.content, answer=a.answer, features=c.features) for c, a in both]

    excluded = 0
    for seed in range(30):
        result, session = await solve(Vote(n=8, voters="shortest", share=1.0), Answered(0.5, 0.0, cap=450.0), seed)
        process = Answers(0.5, 0.0, cap=450.0)
        cut = sum(c.answer is None for c in (await solve(Vote(n=8), process, seed))[0].candidates)
        assert result.weights.count(0.0) == (cut if cut < 8 else 0)
        excluded += cut
    assert told > 20
    assert excluded > 50


async def test_a_plurality_that_may_be_chance_is_told() -> None:
    _, wide = await solve(Vote(n=12), TokenChain("abcdefghij", length=2))
    _, sure = await solve(Vote(n=12), TokenChain("ab", length=1))
    assert ["may be chance" in w for w in warnings(wide)] == [True]
    assert warnings(sure) == []
