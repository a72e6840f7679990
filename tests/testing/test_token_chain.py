from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from outthink.core import Allowance, CheckpointError, InputError, Key
from outthink.testing import GaussianChain, Strings, TokenChain

N = 20_000
CHAINS = [
    TokenChain("ab", length=3),
    TokenChain("abc", length=3, stop=[0.1, 0.5, 0.0]),
    TokenChain("ab", length=4, stop=0.3, mix=0.5),
    TokenChain("ab", length=3, initial=[1, 0], transition=[[0, 1], [0.5, 0.5]], stop=1.0),
]


def seeds(name: str, n: int = N) -> Any:
    return Key(8).child(name).seeds(n)


async def drawn(chain: TokenChain, n: int = N, steps: int | None = None) -> tuple[Strings, Any]:
    start = await chain.start(seeds("start", n))
    got = await chain.advance(start, seeds("advance", n), steps=steps, allowance=Allowance())
    return got.states, got.log_ratio


def chi_square(texts: list[str], expected: dict[str, float], weights: Any = None) -> float:
    """Pearson's statistic over the strings expected at least five times."""
    counts: Counter[str] = Counter()
    for text, weight in zip(texts, np.ones(len(texts)) if weights is None else weights, strict=True):
        counts[text] += weight
    n = len(texts)
    assert set(counts) <= set(expected)
    return sum((counts[text] - n * p) ** 2 / (n * p) for text, p in expected.items() if n * p >= 5)


def bound(cells: int) -> float:
    """A chi-square with so many cells exceeds this about once in 100,000 times."""
    k = cells - 1
    return k * (1 - 2 / (9 * k) + 4.3 * math.sqrt(2 / (9 * k))) ** 3 if k else 1e-9


@pytest.mark.parametrize("chain", CHAINS)
def test_the_language_is_a_distribution(chain: TokenChain) -> None:
    language = chain.language()
    assert math.isclose(sum(language.values()), 1.0)
    assert all(0 < len(text) <= chain.length for text in language)


def test_a_language_by_hand() -> None:
    chain = TokenChain("ab", length=2, initial=[0.25, 0.75], transition=[[0.5, 0.5], [0.1, 0.9]], stop=[0.2, 0.0])
    expected = {"a": 0.05, "aa": 0.1, "ab": 0.1, "ba": 0.075, "bb": 0.675}
    assert chain.language() == pytest.approx(expected)


async def test_strings_are_drawn_as_the_language_says() -> None:
    for chain in (CHAINS[0], CHAINS[1]):
        states, ratio = await drawn(chain)
        language = chain.language()
        assert chi_square(chain.texts(states), language) < bound(len(language))
        assert (ratio == 0).all()
        wrong = dict(zip(language, np.roll(list(language.values()), 1), strict=True))
        assert chi_square(chain.texts(states), wrong) > 10 * bound(len(language)), "the test must see a wrong law"


async def test_the_log_ratio_corrects_the_proposal() -> None:
    chain = CHAINS[2]
    states, ratio = await drawn(chain)
    language = chain.language()
    weight = np.exp(ratio)
    texts = chain.texts(states)
    assert abs(weight.mean() - 1) < 5 * weight.std() / math.sqrt(N)
    for text, p in language.items():
        hits = np.array([one == text for one in texts])
        estimate = weight * hits
        assert abs(estimate.mean() - p) < 5 * estimate.std() / math.sqrt(N) + 1e-12
    unweighted = np.array([texts.count(text) / N - p for text, p in language.items()])
    assert abs(unweighted).max() > 0.02, "without the weights the law is another"


async def test_log_prob_is_that_of_the_string() -> None:
    for chain in CHAINS:
        states, _ = await drawn(chain, 200)
        language = chain.language()
        for text, log_prob in zip(chain.texts(states), states.log_prob, strict=True):
            assert math.isclose(math.exp(log_prob), language[text])
        (candidate, *_) = await chain.view(states, frozenset({"log_prob", "steps"}))
        assert candidate.features["steps"] == tuple(candidate.content)
        assert candidate.answer == candidate.content
        assert candidate.features["log_prob"] == states.log_prob[0]


def test_the_target_by_hand() -> None:
    chain = TokenChain("ab", length=2, initial=[0.5, 0.5], transition=[[0.5, 0.5], [0.5, 0.5]])
    target = chain.target(lambda text: math.log(3.0) if text == "ab" else 0.0)
    assert math.isclose(target.log_evidence, math.log(1.5))
    assert math.isclose(target.posterior["ab"], 0.5)
    each = chain.target(log_potential=lambda prefix: math.log(2.0) if prefix.endswith("b") else 0.0)
    assert math.isclose(each.log_evidence, math.log((1 + 2 + 2 + 4) / 4))
    assert math.isclose(each.posterior["bb"], 4 / 9)


def test_spec_three_bits() -> None:
    """The known values of the particle filter's toy: P(1) = 0.3, scores 0.8 and 0.4, three steps."""
    chain = TokenChain("01", length=3, initial=[0.7, 0.3], transition=[[0.7, 0.3]] * 2)
    r = {"0": 0.4, "1": 0.8}
    probability = chain.target(log_potential=lambda prefix: math.log(r[prefix[-1]]))
    assert math.isclose(math.exp(probability.log_evidence), 0.140608)
    odds = chain.target(log_potential=lambda prefix: math.log(r[prefix[-1]] / (1 - r[prefix[-1]])))
    assert math.isclose(math.exp(odds.log_evidence), (5 / 3) ** 3)
    for t, (exact, p) in itertools.product(range(3), ((probability, 6 / 13), (odds, 0.72))):
        assert math.isclose(sum(q for text, q in exact.posterior.items() if text[t] == "1"), p)


async def test_perturbing_keeps_the_law() -> None:
    chain = TokenChain("abc", length=3, stop=0.2)
    states, _ = await drawn(chain, steps=2)
    near = await chain.perturb(states, np.full(N, 0.7), seeds("perturb"), allowance=Allowance())
    # Strings at the same level, ended or not, are as likely as before.
    before = Counter(zip(chain.texts(states), states.done.tolist(), strict=True))
    after = Counter(zip(chain.texts(near.states), near.done.tolist(), strict=True))
    for state, count in before.items():
        assert abs(after[state] - count) < 6 * math.sqrt(count) + 6
    assert set(after) == set(before)
    changed = np.mean([a != b for a, b in zip(chain.texts(states), chain.texts(near.states), strict=True)])
    assert 0.3 < changed < 0.7
    assert near.cost.output_tokens == near.cost.calls
    assert abs(near.cost.calls / N - 0.7) < 0.02
    language = chain.language()
    ended = near.done
    for text, log_prob in zip(chain.texts(near.states.take(ended)), near.states.log_prob[ended], strict=True):
        assert math.isclose(math.exp(log_prob), language[text])


async def test_rewinding_cuts() -> None:
    chain = TokenChain("abc", length=4, stop=0.2)
    states, _ = await drawn(chain, 100)
    back = await chain.rewind(states, np.full(100, 2), seeds("back", 100), allowance=Allowance())
    texts, cut = chain.texts(states), chain.texts(back.states)
    assert cut == [text[:2] for text in texts]
    assert back.done.tolist() == [len(text) <= 2 for text in texts]
    again = await chain.advance(back.states, seeds("again", 100), steps=None, allowance=Allowance())
    language = chain.language()
    for text, log_prob in zip(chain.texts(again.states), again.states.log_prob, strict=True):
        assert math.isclose(math.exp(log_prob), language[text])


async def test_completing_ends_and_revising_keeps_what_it_is_told() -> None:
    chain = TokenChain("abc", length=4)
    states, _ = await drawn(chain, 50, steps=2)
    ended = await chain.complete(states, seeds("end", 50), allowance=Allowance())
    assert ended.done.all()
    assert chain.texts(ended.states) == chain.texts(states)
    assert ended.cost.calls == 0
    revised = await chain.revise(ended.states, ["1"] * 50, seeds("revise", 50), allowance=Allowance())
    assert [text[0] for text in chain.texts(revised.states)] == [text[0] for text in chain.texts(states)]
    assert {len(text) for text in chain.texts(revised.states)} == {4}


def test_bad_tables_are_refused() -> None:
    for fields in (
        {"initial": [0.5, 0.6]},
        {"initial": [1.0]},
        {"transition": [[1, 0]]},
        {"alphabet": "aa"},
        {"alphabet": ""},
    ):
        with pytest.raises(InputError):
            TokenChain(**{"alphabet": "ab", **fields})  # type: ignore[arg-type]


async def test_states_of_another_process_are_refused() -> None:
    gaussian = GaussianChain()
    data = gaussian.dump(await gaussian.start(seeds("start", 2)))
    with pytest.raises(CheckpointError, match="TokenChain"):
        TokenChain().load(data)
