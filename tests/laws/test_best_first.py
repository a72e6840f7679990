"""Laws of best-first search: optimal where its key never falls, equal to other methods in its limits, deep under ties (spec 04)."""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from outthink.core import LogMap, Result
from outthink.core.settings import replace
from outthink.search import Beam, BestFirst, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain
from tests.laws.law import runs, solve_seeds
from tests.search.table import Table, by_name, random_table

pytestmark = pytest.mark.laws

UNIT = functools.partial(FunctionOfContent, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)


def key_of(path: str, scores: dict[str, float], cost: str) -> float:
    """f of a word of the random table, from its definition."""
    g = 0.0
    for end in range(2, len(path) + 1):
        rise = scores[path[: end - 1]] - scores[path[:end]]
        g += max(0.0, rise if cost == "increase" else -rise)
    return g + 1.0 - scores[path]


@pytest.mark.parametrize(("cost", "optimal"), [("decrease", True), ("increase", False)])
def test_the_first_finished_answer_has_the_least_key_of_all(cost: str, optimal: bool) -> None:
    """Spec 04, check 2: 81 answers, all children drawn; with costs of falls the same trees reject the claim."""
    trees = runs(60, 500)
    hits, expanded = 0, []
    for seed in range(trees):
        children, scores = random_table(seed, branching=3, depth=4)
        table = Table(children)
        process = functools.partial(lambda t: t, table)
        (result,) = solve_seeds(BestFirst(n=10_000, children=3, cost=cost), process, by_name(scores), [0])  # type: ignore[arg-type]
        goals = [word for word in scores if len(word) == 4]
        assert len(goals) == 81
        # Siblings that are better than their parent share one key, so it is the key that must be the least.
        least = min(key_of(word, scores, cost) for word in goals)
        hits += key_of(str(result.answer), scores, cost) <= least + 1e-9
        expanded.append(len(table.expanded))
    assert (hits == trees) == optimal
    assert optimal or hits < 0.4 * trees
    assert 4 <= np.mean(expanded) <= 9


def test_one_child_is_one_plain_sample() -> None:
    """Spec 04, check 3: the same seeds, the same text."""
    judge = UNIT(lambda text: (1 + text.count("b")) / 8)
    chain = functools.partial(TokenChain, "abc", length=6, stop=0.1)
    for seed in range(30):
        one, plain = (
            solve_seeds(a, chain, judge, [seed])[0]
            for a in (BestFirst(children=1), ParticleFilter(n=1, ess_threshold=0))
        )
        assert one.answer == plain.answer


def test_a_frontier_of_one_is_step_level_best_of_n() -> None:
    """Spec 04, check 3: the same seeds, the same path."""
    judge = UNIT(lambda text: ((zlib.crc32(text.encode()) >> 4) % 1000) / 1000)
    chain = functools.partial(TokenChain, "abcdefgh", length=5)
    answers = []
    for seed in range(40):
        narrow, steps, wide = (
            solve_seeds(a, chain, judge, [seed])[0].answer
            for a in (BestFirst(children=4, frontier=1), Beam(n=4, width=4), BestFirst(children=4))
        )
        assert narrow == steps
        answers.append((narrow, wide))
    assert any(narrow != wide for narrow, wide in answers), "a wide frontier never went back"


def test_without_falls_nothing_is_paid_and_the_score_alone_decides() -> None:
    """Spec 04, check 3: on paths whose score never falls, every cost rule but `decrease` is best-first on the score."""
    for seed in range(runs(20, 200)):
        children, scores = random_table(seed, branching=3, depth=4)
        for word in sorted(scores, key=len):
            if word:
                scores[word] = 1.0 - (1.0 - scores[word[:-1]]) * scores[word]
        tables = {cost: Table(children) for cost in ("increase", "none")}
        for cost, table in tables.items():
            solve_seeds(BestFirst(n=10_000, cost=cost), functools.partial(lambda t: t, table), by_name(scores), [0])  # type: ignore[arg-type]
        assert tables["increase"].expanded == tables["none"].expanded


def test_no_limit_is_passed_and_every_count_is_true() -> None:
    """Spec 04, check 4: 200 random configurations."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        algorithm = BestFirst(
            n=int(rng.integers(1, 60)),
            children=int(rng.integers(1, 6)),
            batch=int(rng.integers(1, 4)),
            frontier=int(rng.integers(2, 30)),
            eta=None if rng.random() < 0.5 else float(rng.uniform(0.05, 0.2)),
            cost=str(rng.choice(["increase", "decrease", "none"])),  # type: ignore[arg-type]
            ties=str(rng.choice(["deeper", "newest", "oldest"])),  # type: ignore[arg-type]
        )
        process, judge = TokenChain("abc", length=6, stop=0.1), UNIT(lambda text: (1 + text.count("b")) / 8)
        (result,) = solve_seeds(algorithm, functools.partial(lambda p: p, process), judge, [int(rng.integers(1 << 30))])
        steps = process.counters.output_tokens
        # Beyond n only a last path that is taken to its end, because nothing had finished.
        assert process.counters.calls <= algorithm.n + 1
        assert steps <= algorithm.n + 6
        assert (result.cost.output_tokens, result.cost.calls) == (steps, process.counters.calls)
        assert result.cost.verifier_calls == judge.counters.verifier_calls == len(judge.seen) <= process.counters.calls


# A chain of ten steps, each right with probability 0.8 and every error fatal. Many right symbols, so that siblings differ.
SYMBOLS = "".join(chr(0x100 + i) for i in range(50))
WRONG = frozenset(SYMBOLS[40:])
FATAL = functools.partial(TokenChain, SYMBOLS, length=10, initial=[0.02] * 50, transition=[[0.02] * 50] * 50)


def is_right(result: Result) -> bool:
    return result.answer is not None and not WRONG & set(result.answer)


def found(algorithm: BestFirst, score: Callable[[str], float], seeds: range) -> tuple[float, float]:
    """Share of right answers, and mean steps drawn."""
    results = solve_seeds(algorithm, FATAL, UNIT(score), seeds)
    return sum(map(is_right, results)) / len(seeds), float(np.mean([r.cost.output_tokens for r in results]))


def saturated(text: str) -> float:
    return 0.2 if WRONG & set(text) else 0.8


def noisy(text: str) -> float:
    noise = np.random.default_rng(zlib.crc32(text.encode())).normal()
    return float(1.0 / (1.0 + math.exp(-(-1.5 if WRONG & set(text) else 1.5) - noise)))


def test_ties_do_not_make_it_breadth_first() -> None:
    """Spec 04, check 5: 0.928 after 21.0 steps (k = 3: 0.987, 30.2); the oldest first drowns in the breadth (0.56 after 82)."""
    seeds = range(runs(100, 2000))
    right, steps = found(BestFirst(n=80, children=2), saturated, seeds)
    assert right >= 0.88
    assert steps <= 25
    right, steps = found(BestFirst(n=80, children=3), saturated, seeds)
    assert right >= 0.96
    assert steps <= 34
    right, steps = found(BestFirst(n=80, children=2, ties="oldest"), saturated, range(runs(20, 500)))
    assert right < 0.7
    assert steps > 75


def test_easy_questions_end_early() -> None:
    """Spec 04, check 6: noisy scores, budget 160: at least 0.95 right after about 88 steps; best-of-n at 160 steps: 0.77 or less."""
    right, steps = found(BestFirst(n=160, children=3), noisy, range(runs(60, 2000)))
    assert right >= 0.94
    assert steps <= 110


def test_the_choice_of_cost_shifts_the_width() -> None:
    """Spec 04, check 7: k = 2, budget 160, oldest first: falls paid 0.936 at 48 steps, rises paid 0.924 at 65."""
    seeds = range(runs(50, 2000))
    base = BestFirst(n=160, children=2, ties="oldest")
    falls, rises = (found(replace(base, cost=cost), noisy, seeds) for cost in ("increase", "decrease"))
    assert falls[0] > 0.85
    assert rises[0] > 0.85
    assert falls[1] < rises[1] - 5


def test_words_are_all_there() -> None:
    """The table that the first law enumerates is the whole tree."""
    children, scores = random_table(0, branching=3, depth=4)
    assert set(scores) == {"".join(w) for level in range(5) for w in itertools.product("abc", repeat=level)}
    assert all(len(names) == 3 for names in children.values())
