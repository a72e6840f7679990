"""Tree search: what it pays for, how it fills the batch, widening, selection rules, hard zeros, no opinions, answers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Budget,
    Incompatible,
    Process,
    Result,
    ScoreKind,
    Search,
    Session,
    SettingsError,
    Snapshot,
    Stop,
    Task,
)
from outthink.core.events import Advanced, Visited, Warned
from outthink.search import Boltzmann, LogMeanExp, Max, Mean, Puct, Tree, Uct, Uniform
from outthink.search.forks import ROOT
from outthink.search.growth import Grown
from outthink.search.reading_out import best_path, law
from outthink.search.selection import Children, boltzmann
from outthink.testing import Flaky, FunctionOfContent, GaussianChain, TokenChain


async def grow(
    algorithm: Tree,
    verifier: FunctionOfContent,
    *,
    process: Process[Any] | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    **chain: float,
) -> tuple[Result, list[Grown], Session]:
    """The result, the tree after every step, and the session."""
    session, states = Session.open(seed=seed, budget=budget), []

    def keep(snapshot: Snapshot) -> None:
        states.append(snapshot.state)

    made = process or TokenChain("abc", length=4, **chain)  # type: ignore[arg-type]
    result = await Search(lambda task: made, algorithm, verifier).solve(Task(), session, on_step=keep)
    session.close()
    return result, states, session


def b_count() -> FunctionOfContent:
    return FunctionOfContent(lambda text: text.count("b") / 4, partial=False, kind=ScoreKind.OUTCOME)


def calls(session: Session) -> list[int]:
    """How many members moved in each call."""
    return [len(event.nodes) for event in session.trace.events if isinstance(event, Advanced)]


# -- cost ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 5])
async def test_only_new_nodes_are_paid_for_and_each_end_is_judged_once(batch: int) -> None:
    """Spec 21, check 6: nodes = 1 + steps paid; a selection that ends at an old leaf costs nothing."""
    judge, process = b_count(), TokenChain("ab", length=3)
    result, states, _ = await grow(Tree(n=300, batch=batch), judge, process=process)
    tree = states[-1]
    assert len(tree.nodes) == 1 + process.counters.output_tokens
    ends = int(tree.nodes.batch.finished.sum())
    assert judge.counters.verifier_calls == len(judge.seen) == ends == len(result.candidates)
    assert tree.begun == tree.nodes.visits[ROOT] == 300
    assert ends < 150, "no selection came to an old leaf"


async def test_one_macro_step_is_one_node() -> None:
    process = GaussianChain(length=10)
    judge = FunctionOfContent(lambda x: float(x[0]), partial=False)
    _, states, session = await grow(Tree(n=20, batch=4, levels=(2, 5, 6)), judge, process=process)
    nodes = states[-1].nodes
    # A path is 2 + 3 + 1 + 4 steps long, and only its four stops are kept.
    assert set(nodes.level.tolist()) == {0, 2, 5, 6}
    assert int(nodes.batch.depth.max()) == 4
    drawn = len(nodes) - 1
    assert process.counters.denoiser_evals > 2 * drawn
    assert sum(calls(session)) == drawn


async def test_fresh_members_branch_where_level_0_is_named() -> None:
    judge = FunctionOfContent(lambda x: float(x[0]), partial=False)
    for levels, shared in (((0, 1), True), ((1,), False)):
        _, states, _ = await grow(Tree(n=60, batch=2, levels=levels), judge, process=GaussianChain(length=3))
        nodes = states[-1].nodes
        starts = np.flatnonzero((nodes.level == 0) & (np.arange(len(nodes)) != ROOT))
        assert (len(starts) > 0) == shared
        if shared:
            assert set(nodes.parent[starts].tolist()) == {ROOT}
            assert max(np.bincount(nodes.parent)[starts]) > 1


# -- batch ---------------------------------------------------------------------------------------------------------


async def test_the_batch_stays_full_whatever_the_lengths() -> None:
    """Members end after 1 to 12 steps; a place that becomes free is filled in the same step."""
    wide = TokenChain("abcdefgh", length=12, stop=0.3)
    _, states, session = await grow(Tree(n=60, batch=6, widening=3.0), b_count(), process=wide)
    moved = calls(session)
    full = moved[: max(i for i, m in enumerate(moved) if m == 6) + 1]
    assert all(m == 6 for m in full)
    assert sum(full) > 0.8 * sum(moved)
    for before, after in itertools.pairwise(states):
        assert after.nodes.visits[ROOT] == after.begun >= before.begun
        assert (after.nodes.visits[: len(before.nodes)] >= before.nodes.visits).all()


async def test_selections_under_way_send_the_next_ones_elsewhere() -> None:
    """A selection counts as a visit while it is out, and visits lower the bonus."""
    choice = Children(np.array([0.6, 0.5]), np.array([10, 10]), 20)
    rng = np.random.default_rng(0)
    assert Uct(c=0.5).choose(choice, 1.0, rng) == 0
    assert Uct(c=0.5).choose(choice._replace(visits=np.array([30, 10]), parent_visits=40), 1.0, rng) == 1


async def test_widening_holds_at_every_node() -> None:
    """|C| <= c_w N^alpha, plus one for the draw that reached it."""
    algorithm = Tree(n=200, batch=1, widening=1.5, exponent=0.5, selection=Uniform())
    _, states, _ = await grow(algorithm, b_count(), process=TokenChain("abc", length=5))
    nodes = states[-1].nodes
    width = np.bincount(nodes.parent[1:], minlength=len(nodes))
    assert (width <= np.ceil(1.5 * np.maximum(nodes.visits, 1) ** 0.5)).all()
    assert width[ROOT] > 10


async def test_values_are_those_of_the_children() -> None:
    for backup in (Mean(), Max(), LogMeanExp()):
        _, states, _ = await grow(Tree(n=40, batch=4, backup=backup, strength=3.0), b_count())
        nodes = states[-1].nodes
        for row in range(len(nodes)):
            children = np.flatnonzero(nodes.parent == row)
            children = children[children != ROOT]
            if len(children):
                below = nodes.value[children]
                soft = math.log(np.mean(np.exp(3.0 * below))) / 3.0
                expected = {"mean": np.mean(below), "max": np.max(below), "log-mean-exp": soft}[backup.name()]
                assert nodes.value[row] == pytest.approx(expected)
            else:
                assert nodes.value[row] == nodes.score[row]


async def test_the_record_shows_values_visits_and_every_node() -> None:
    _, states, session = await grow(Tree(n=10, batch=2), b_count())
    said: dict[int, tuple[int, float | None]] = {}
    for event in session.trace.events:
        if isinstance(event, Visited):
            said |= {n: (v, x) for n, v, x in zip(event.nodes, event.visits, event.values, strict=True)}
    nodes = states[-1].nodes
    for row, node in enumerate(nodes.batch.id.tolist()):
        assert said[node] == (nodes.visits[row], pytest.approx(nodes.value[row]))
        assert row == ROOT or ("", node) in session.trace.contents


# -- selection -----------------------------------------------------------------------------------------------------


def test_puct_is_as_published() -> None:
    """Spec 05, check 6."""
    bonus = Puct().bonus(np.array([0, 2, 5]), 10)
    assert bonus == pytest.approx([3.9546, 1.3182, 0.6591], abs=5e-4)


@pytest.mark.parametrize(("rule", "share"), [(Puct(), 0.8), (Uct(c=0.4), 0.8)])
def test_a_bandit_is_found_out(rule: Puct | Uct, share: float) -> None:
    """Spec 05, check 6: values 0.2 and 0.8; after 200 selections the better arm has over 80% of the visits."""
    visits, values = np.ones(2, np.int64), np.array([0.2, 0.8])
    for _ in range(200):
        visits[rule.choose(Children(values, visits, int(visits.sum())), 1.0, np.random.default_rng(0))] += 1
    assert visits[1] / visits.sum() > share
    assert visits[0] > 1, "the worse arm was never tried again"


def test_boltzmann_goes_by_the_value_and_unknown_values_count_as_the_mean() -> None:
    values = np.array([0.0, 1.0, math.nan])
    weights = boltzmann(values, 2.0)
    assert weights == pytest.approx(np.exp([0.0, 2.0, 1.0]) / np.exp([0.0, 2.0, 1.0]).sum())
    rng, drawn = np.random.default_rng(1), np.zeros(3)
    for _ in range(3000):
        drawn[Boltzmann().choose(Children(values, np.ones(3, np.int64), 3), 2.0, rng)] += 1
    assert drawn / 3000 == pytest.approx(weights, abs=0.03)


def test_hard_zeros_keep_their_place() -> None:
    """Spec 21, traps: -inf is weight 0; where all are -inf the node is -inf, and selection is uniform."""
    inf = math.inf
    assert boltzmann(np.array([-inf, 0.0]), 3.0).tolist() == [0.0, 1.0]
    assert boltzmann(np.array([-inf, -inf]), 3.0).tolist() == [0.5, 0.5]
    assert LogMeanExp().value(np.array([-inf, -inf]), 2.0) == -inf
    assert LogMeanExp().value(np.array([-inf, 1.0]), 2.0) == pytest.approx(1.0 - math.log(2) / 2)
    assert math.isnan(LogMeanExp().value(np.array([math.nan]), 2.0))
    assert Mean().value(np.array([math.nan, 0.5]), 1.0) == 0.5


async def test_a_tree_of_zeros_does_not_stop_the_search() -> None:
    judge = FunctionOfContent(lambda text: 0.0 if text == "bcab" else -math.inf, partial=False)
    found = 0
    for seed in range(4):
        for selection in (Boltzmann(), Uct()):
            result, _, _ = await grow(Tree(n=400, batch=8, selection=selection, choose="value"), judge, seed=seed)
            found += result.answer == "bcab"
    assert found >= 4


# -- answers -------------------------------------------------------------------------------------------------------


async def test_the_answer_is_the_best_seen_the_best_path_or_drawn() -> None:
    trees = {}
    for choose in ("best", "value", "sample"):
        result, states, _ = await grow(
            Tree(n=30, batch=3, choose=choose, strength=3.0, backup=Mean()), b_count(), seed=3
        )  # type: ignore[arg-type]
        trees[choose] = result
        nodes = states[-1].nodes
    rows = np.flatnonzero(nodes.batch.finished)
    assert trees["best"].scores[trees["best"].chosen or 0] == max(s for s in trees["best"].scores if s is not None)
    at = ROOT
    while not nodes.batch.done[at]:
        below = [i for i in np.flatnonzero(nodes.parent == at).tolist() if i != ROOT]
        at = max(below, key=lambda i: nodes.value[i])
    assert rows[trees["value"].chosen or 0] == at == best_path(nodes)
    assert trees["sample"].weights == pytest.approx(law(nodes, 3.0)[rows])
    assert sum(trees["sample"].weights) == pytest.approx(1.0)


async def test_drawn_answers_follow_the_law() -> None:
    expected = hits = 0.0
    for seed in range(250):
        result, _, _ = await grow(Tree(n=5, batch=5, choose="sample", strength=2.0), b_count(), seed=seed)
        heavy = int(np.argmax(result.weights))
        hits += result.chosen == heavy
        expected += result.weights[heavy]
    assert abs(hits - expected) < 4 * math.sqrt(250 * 0.25)


async def test_prefixes_can_be_worth_their_own_scores() -> None:
    """Without rollouts a selection costs one step, and what nothing has finished of is taken to its end."""
    judge = FunctionOfContent(lambda text: text.count("b") / 8)
    process = TokenChain("abc", length=8)
    result, _, _ = await grow(Tree(n=12, batch=1, evaluate="score", selection=Uct(c=0.1)), judge, process=process)
    assert process.counters.output_tokens <= 12 + 8
    assert len(result.answer or "") == 8
    final_only = FunctionOfContent(len, partial=False, kind=ScoreKind.OUTCOME)
    with pytest.raises(Incompatible, match="rollout"):
        await grow(Tree(evaluate="score"), final_only)


async def test_members_without_an_opinion_are_left_out() -> None:
    shy = FunctionOfContent(lambda text: math.nan if "a" in text else text.count("b") / 4, partial=False)
    result, states, _ = await grow(Tree(n=60, batch=4, choose="sample"), shy)
    assert result.answer is not None
    assert "a" not in result.answer
    assert not math.isnan(states[-1].nodes.value[ROOT])
    unscored = [w for w, s in zip(result.weights, result.scores, strict=True) if s is None]
    assert unscored
    assert sum(unscored) == 0


async def test_lost_members_are_selections_that_taught_nothing() -> None:
    result, states, _ = await grow(Tree(n=40, batch=4), b_count(), process=Flaky(TokenChain("abc", length=4), 0.2))
    assert result.failures
    assert states[-1].begun == 40
    assert len(states[-1].under_way) == 0
    assert result.stop is Stop.DONE


async def test_a_process_without_noise_is_noticed() -> None:
    still = TokenChain("ab", length=3, initial=[1, 0], transition=[[1, 0], [1, 0]])
    _, _, session = await grow(Tree(n=100), b_count(), process=still)
    assert any(isinstance(e, Warned) and "no noise" in e.message for e in session.trace.events)
    _, _, session = await grow(Tree(n=100), b_count())
    assert not any(isinstance(e, Warned) for e in session.trace.events)


async def test_a_budget_ends_the_rollouts_that_are_under_way() -> None:
    result, states, _ = await grow(Tree(n=50, batch=4), b_count(), budget=Budget(output_tokens=30))
    assert (result.stop, result.limit) == (Stop.BUDGET, "output_tokens")
    assert result.cost.output_tokens <= 30
    assert result.answer is not None
    assert all(candidate.final for candidate in result.candidates)
    assert len(states[-1].under_way) > 0


def test_settings_are_checked() -> None:
    for bad in (
        {"n": 0},
        {"levels": (3, 1)},
        {"levels": (2,), "every": 2},
        {"exponent": 1.5},
        {"widening": 0},
        {"backup": "mode"},
    ):
        with pytest.raises(SettingsError):
            Tree(**bad)  # type: ignore[arg-type]
