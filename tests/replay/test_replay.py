"""Replay against counting by hand, against the methods themselves, and against what is known in closed form."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outthink.core.cost import Cost
from outthink.core.errors import InputError
from outthink.core.session import Session
from outthink.core.solver import Search
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence, ScoreKind, ScoreSpec
from outthink.replay import (
    QuestionSamples,
    StoredSample,
    StoredSamples,
    StoredScore,
    StoredScores,
    gathered,
    read_samples,
    replay,
    replay_adaptive,
    replay_budgets,
)
from outthink.search.adaptive import Adaptive
from outthink.search.best_of_n import BestOfN
from outthink.search.stopping import Leader
from outthink.search.vote import Vote


def counted(row: dict[str, Any]) -> dict[str, bool]:
    """One question counted directly, with nothing of ours."""
    answers, right, scores = row["answers"], row["right"], row["scores"]
    votes = Counter(a for a in answers if a is not None)
    sums: dict[str, float] = {}
    for answer, score in zip(answers, scores, strict=True):
        if answer is not None:
            sums[answer] = sums.get(answer, 0.0) + score

    def first(table: dict[str, Any]) -> str:
        top = max(table.values())
        return next(a for a in answers if a is not None and table[a] > top - 1e-9)

    best = max(range(len(scores)), key=lambda i: (scores[i], -i))
    return {
        "vote": bool(votes) and first(dict(votes)) == row["reference"],
        "best-of-n": right[best],
        "weighted": bool(sums) and max(sums.values()) > 0 and first(sums) == row["reference"],
        "oracle": any(right),
    }


def test_an_imported_file_gives_what_counting_gives(rows: list[dict[str, Any]], file: Path) -> None:
    found = read_samples(file)
    assert found.problems == ()
    names = ("single", "vote", "best-of-n", "weighted", "oracle")
    lines = {line.select: line for line in replay(found.table, select=names, sizes=(8,))}
    assert lines["single"].accuracy == pytest.approx(np.mean([np.mean(row["right"]) for row in rows]), abs=1e-12)
    for name in names[1:]:
        by_hand = np.array([counted(row)[name] for row in rows], float)
        np.testing.assert_allclose(lines[name].right, by_hand, err_msg=name)
        assert lines[name].accuracy == pytest.approx(by_hand.mean()), name
        assert lines[name].how == "exact"
    assert lines["vote"].tokens == pytest.approx(np.mean([sum(row["tokens"]) for row in rows]))
    assert lines["best-of-n"].judged == 8
    assert lines["vote"].judged == 0
    # The rules differ on this file, so none of the figures is another one's by mistake.
    assert len({round(line.accuracy, 6) for line in lines.values()}) == 5


def test_smaller_sizes_are_means_over_all_subsets(rows: list[dict[str, Any]], file: Path) -> None:
    names = ("vote", "best-of-n", "weighted", "oracle")
    lines = {(line.select, line.size): line for line in replay(read_samples(file).table, select=names, sizes=(1, 3, 6))}
    for size in (1, 3, 6):
        for i, row in enumerate(rows[:15]):
            subsets = [
                {key: [row[key][j] for j in at] for key in ("answers", "right", "scores")}
                | {"reference": row["reference"]}
                for at in itertools.combinations(range(8), size)
            ]
            for name in names:
                by_hand = np.mean([counted(subset)[name] for subset in subsets])
                assert lines[name, size].right[i] == pytest.approx(by_hand, abs=1e-12), (name, size, i)


def test_pass_at_k_is_its_closed_form(rows: list[dict[str, Any]], file: Path) -> None:
    for line in replay(read_samples(file).table, select=("oracle",), sizes=(1, 2, 5, 8)):
        k = line.size
        by_hand = [1 - math.comb(8 - sum(row["right"]), k) / math.comb(8, k) for row in rows]
        np.testing.assert_allclose(line.right, by_hand, atol=1e-12)
        # The usual mistake, 1 - (1 - c/n)^k, is another number.
        biased = np.mean([1 - (1 - sum(row["right"]) / 8) ** k for row in rows])
        assert k == 1 or abs(biased - line.accuracy) > 1e-3


def test_drawn_subsets_are_near_the_exact_mean() -> None:
    """A vote of 5 among 40 cannot try all subsets; with two answers the hypergeometric law says what it gives."""
    rng = np.random.default_rng(3)
    counts = rng.integers(8, 33, 60)
    rows = [QuestionSamples(f"q{i}", (np.arange(40) >= c).astype(int), np.arange(40) < c) for i, c in enumerate(counts)]
    table = gathered([QuestionSamples(r.question, *_shuffled(r, rng)) for r in rows])
    (line,) = replay(table, select=("vote",), sizes=(5,))
    exact = [
        sum(math.comb(c, j) * math.comb(40 - c, 5 - j) for j in (3, 4, 5)) / math.comb(40, 5) for c in counts.tolist()
    ]
    assert line.how == "500 subsets"
    error = (line.right - exact) / np.sqrt(np.array(exact) * (1 - np.array(exact)) / 500)
    assert abs(line.accuracy - np.mean(exact)) < 4 * math.sqrt(
        np.mean(np.array(exact) * (1 - np.array(exact))) / 500 / 60
    )
    assert np.abs(error).max() < 5
    # The first five of the pool alone are off by far more than that.
    first = np.array([row.right[i, :5].sum() >= 3 for row, i in ((table, i) for i in range(60))], float)
    assert np.abs((first - exact) / np.sqrt(np.array(exact) * (1 - np.array(exact)) / 500)).max() > 5


def _shuffled(row: QuestionSamples, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = rng.permutation(len(row.answers))
    right = np.asarray(row.right)[order]
    answers = np.asarray(row.answers)[order]
    return answers, right


async def test_replay_agrees_with_the_methods_on_the_same_samples(rows: list[dict[str, Any]], file: Path) -> None:
    names = ("vote", "best-of-n", "weighted", "weighted-min-max", "length-weighted", "shortest")
    lines = {line.select: line for line in replay(read_samples(file).table, select=names, sizes=(8,))}
    methods = {
        "vote": Vote(n=8),
        "best-of-n": BestOfN(n=8),
        "weighted": BestOfN(n=8, select="weighted"),
        "weighted-min-max": BestOfN(n=8, select="weighted", scale="min-max"),
        "length-weighted": Vote(n=8, weights="length"),
        "shortest": Vote(n=8, voters="shortest"),
    }
    for i, row in enumerate(rows[:40]):
        spec = ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, low=0.0, high=1.0)
        task = Task(prompt="?")
        scores = StoredScores(
            spec, {f"{j}": StoredScore(s, Cost(verifier_calls=1)) for j, s in enumerate(row["scores"])}
        )
        for name, method in methods.items():
            samples = [
                StoredSample(
                    Candidate(content=f"{j}", answer=a, features={"length": float(t)}), Cost(output_tokens=t, calls=1)
                )
                for j, (a, t) in enumerate(zip(row["answers"], row["tokens"], strict=True))
            ]
            verifier = scores if name in ("best-of-n", "weighted", "weighted-min-max") else None
            search = Search(lambda task, s=samples: StoredSamples(s), method, verifier, equivalence=Answers())
            session = Session.open(seed=0)
            result = await search.solve(task, session)
            session.close()
            chosen = None if result.chosen is None else result.candidates[result.chosen]
            right = chosen is not None and row["right"][int(chosen.content)]
            assert lines[name].right[i] == right, (name, row)


class Answers(Equivalence):
    """Equal texts are equal answers."""

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [candidate.answer for candidate in candidates]


def test_repeats_of_a_question_are_one_unit() -> None:
    seeds = [QuestionSamples(f"q{i}", [0] * 4, [bool(i % 2)] * 4) for i in range(20) for _ in range(50)]
    line = replay(gathered(seeds), select=("single",), sizes=(1,))[0]
    assert line.questions == 20
    assert line.interval.width > 0.35  # 20 coin flips, not 1,000
    apart = [QuestionSamples(f"q{i}-{j}", [0] * 4, [bool(i % 2)] * 4) for i in range(20) for j in range(50)]
    assert replay(gathered(apart), select=("single",), sizes=(1,))[0].interval.width < 0.07


def test_lost_samples_are_paid_for_and_never_chosen() -> None:
    row = QuestionSamples(
        "q", [0, 1, 1], [True, False, False], [10.0, 10.0, 10.0], {"s": [0.1, 0.9, 0.9]}, failed=[False, True, True]
    )
    lines = {
        line.select: line for line in replay(gathered([row]), select=("vote", "best-of-n", "weighted"), sizes=(3,))
    }
    assert [line.accuracy for line in lines.values()] == [1.0, 1.0, 1.0]
    assert lines["best-of-n"].tokens == 30
    assert lines["best-of-n"].judged == 1


def test_questions_with_too_few_samples_are_left_out_and_counted() -> None:
    table = gathered([QuestionSamples("a", [0, 0], [True, True]), QuestionSamples("b", [0] * 4, [False] * 4)])
    two, four = replay(table, select=("vote",), sizes=(2, 4))
    assert (two.questions, four.questions) == (2, 1)
    assert (two.accuracy, four.accuracy) == (0.5, 0.0)
    with pytest.raises(InputError, match="so many samples"):
        replay(table, select=("vote",), sizes=(9,))


def test_what_cannot_be_chosen_by_is_refused() -> None:
    table = gathered([QuestionSamples("a", [0], [True], scores={"x": [-1.0], "y": [0.5]})])
    with pytest.raises(InputError, match="which scores"):
        replay(table, select=("best-of-n",), sizes=(1,))
    with pytest.raises(InputError, match="negative"):
        replay(table, select=("weighted",), sizes=(1,), score="x")
    with pytest.raises(InputError, match="Did you mean 'oracle'"):
        replay(table, select=("oracel",), sizes=(1,))
    with pytest.raises(InputError, match="what they cost"):
        replay_budgets(table, select=("vote",), budgets=(10,))


async def test_adaptive_stops_where_the_method_stops(rows: list[dict[str, Any]], file: Path) -> None:
    """Over one order, the pool's own, replay draws as many as `Adaptive` does and is right as often."""
    rule = Leader(error=0.05)
    table = read_samples(file).table
    from outthink.replay.choosing import by_vote
    from outthink.replay.selectors import one_question
    from outthink.replay.stopping import _Decided

    decided, drawn = _Decided(rule), []
    for i, row in enumerate(rows[:60]):
        samples = [
            StoredSample(Candidate(content=f"{j}", answer=a), Cost(output_tokens=10, calls=1))
            for j, a in enumerate(row["answers"])
        ]
        search = Search(lambda task, s=samples: StoredSamples(s), Adaptive(n=8, stop=rule), None, equivalence=Answers())
        session = Session.open(seed=0)
        result = await search.solve(Task(prompt="?"), session)
        session.close()
        one = one_question(table, i, None)
        taken = decided.taken(one, np.arange(8))
        assert taken == session.ledger.total.calls
        chosen = None if result.chosen is None else result.candidates[result.chosen].content
        assert by_vote(one.answer, np.arange(taken)[None, :])[0] == (-1 if chosen is None else int(chosen))
        drawn.append(taken)
    assert 1 < np.mean(drawn) < 7
    (line,) = replay_adaptive(table, rule, sizes=(8,))
    assert line.samples == pytest.approx(np.mean([*drawn]), abs=1.0)
    vote = replay(table, select=("vote",), sizes=(8,))[0]
    assert line.tokens < 0.8 * vote.tokens
    assert line.accuracy > vote.accuracy - 0.06


def test_budgets_of_tokens_hold_and_meet_the_sizes() -> None:
    rng = np.random.default_rng(1)
    said = [(rng.random(6) < 0.4).astype(int) for _ in range(5)]
    table = gathered([QuestionSamples(f"q{i}", a, a == 0, np.full(6, 10.0)) for i, a in enumerate(said)])
    exact = {line.size: line for line in replay(table, select=("vote",), sizes=(1, 3, 5))}
    for budget, size in ((10, 1), (39, 3), (50, 5)):  # odd, for a tie goes by the order in which samples came
        (line,) = replay_budgets(table, select=("vote",), budgets=(budget,), many=4000)
        assert line.samples == size
        assert line.tokens == 10 * size <= budget
        assert line.accuracy == pytest.approx(exact[size].accuracy, abs=0.02)
    (line,) = replay_budgets(table, select=("vote",), budgets=(9,))
    assert (line.accuracy, line.samples, line.tokens) == (0.0, 0.0, 0.0)
