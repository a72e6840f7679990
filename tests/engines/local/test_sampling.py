"""The sampler's laws: its draws follow the exact distribution of every setting, row by row, and reject a neighbour of it."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.engines.engine import Sampling
from outthink.engines.local.processors import Processors
from outthink.engines.local.sampling import Rules, draw, log_prob
from outthink.engines.scripted_sampling import processed

SIZE = 300
DRAWS = 60_000


def logits_of(seed: int, size: int = SIZE) -> np.ndarray:  # type: ignore[type-arg]
    return (2.0 * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)


def exact(row: np.ndarray, sampling: Sampling) -> np.ndarray:  # type: ignore[type-arg]
    """Probabilities of every token by the scripted engine's arithmetic in double precision, [size]."""
    known = processed(dict(enumerate(row.tolist())), sampling, {})
    return np.array([known.get(token, 0.0) for token in range(len(row))])


def counts_of(row: np.ndarray, sampling: Sampling, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    uniforms = np.random.default_rng(seed).random(DRAWS)
    counts = np.zeros(len(row))
    for part in np.array_split(uniforms, 60):
        rows = np.repeat(row[None], len(part), axis=0)
        counts += np.bincount(draw(rows, Rules.of([sampling] * len(part)), part), minlength=len(row))
    return counts


def excess(counts: np.ndarray, probabilities: np.ndarray) -> float:  # type: ignore[type-arg]
    """Standardised chi-square of counts against probabilities; tokens that are seldom expected are put together."""
    expected = probabilities * counts.sum()
    if (counts[expected == 0] > 0).any():
        return float("inf")
    common = expected >= 8
    observed = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum())
    keep = wanted > 0
    freedom = max(1, int(keep.sum()) - 1)
    return float((((observed[keep] - wanted[keep]) ** 2 / wanted[keep]).sum() - freedom) / np.sqrt(2 * freedom))


SETTINGS = {
    "plain": (Sampling(), Sampling(temperature=1.1)),
    "temperature": (Sampling(temperature=0.6), Sampling(temperature=0.66)),
    "top-k": (Sampling(top_k=12), Sampling(top_k=13)),
    "large top-k": (Sampling(top_k=250), Sampling(top_k=250, temperature=1.1)),
    "top-p": (Sampling(top_p=0.7), Sampling(top_p=0.74)),
    "min-p": (Sampling(min_p=0.1), Sampling(min_p=0.13)),
    "all": (
        Sampling(temperature=0.8, top_k=40, top_p=0.9, min_p=0.02),
        Sampling(temperature=0.8, top_k=40, top_p=0.95),
    ),
}


@pytest.mark.laws
@pytest.mark.parametrize("name", SETTINGS)
def test_draws_follow_the_exact_distribution_and_no_neighbour(name: str) -> None:
    right, wrong = SETTINGS[name]
    row = logits_of(1)
    counts = counts_of(row, right, seed=2)
    assert excess(counts, exact(row, right)) < 4
    assert excess(counts, exact(row, wrong)) > 8, "the check would not notice a wrong setting"


def test_rows_do_not_depend_on_each_other() -> None:
    """Each row with its own settings and uniform, whatever the company, the order and the number of rows."""
    choices = [
        Sampling(),
        Sampling(temperature=0.0),
        Sampling(temperature=0.7, min_p=0.05),
        Sampling(top_k=5),
        Sampling(top_p=0.5),
        Sampling(temperature=1.3, top_k=50, top_p=0.8, min_p=0.01),
    ]
    rng = np.random.default_rng(3)
    settings = [choices[i] for i in rng.integers(0, len(choices), size=40)]
    logits = np.stack([logits_of(100 + i, 49_152 // 64 + 7) for i in range(40)])
    uniforms = rng.random(40)
    together = draw(logits, Rules.of(settings), uniforms)
    for i in range(40):
        assert draw(logits[i : i + 1], Rules.of([settings[i]]), uniforms[i : i + 1])[0] == together[i]
    order = rng.permutation(40)
    assert np.array_equal(draw(logits[order], Rules.of([settings[i] for i in order]), uniforms[order]), together[order])


@pytest.mark.parametrize("uniform", [0.0, np.nextafter(1.0, 0.0)])
def test_the_ends_of_the_distribution(uniform: float) -> None:
    """No forbidden token is ever drawn, not even by the first or last uniform there is."""
    row = np.full(1000, -np.inf, dtype=np.float32)
    row[[130, 500, 999]] = [1.0, 3.0, 2.0]
    for sampling in (
        Sampling(),
        Sampling(top_k=2),
        Sampling(top_p=0.99),
        Sampling(min_p=0.01),
        Sampling(temperature=0.01),
    ):
        token = draw(row[None], Rules.of([sampling]), np.array([uniform]))[0]
        assert token in (130, 500, 999)
    assert draw(row[None], Rules.of([Sampling()]), np.array([uniform]))[0] == (130 if uniform == 0 else 999)


def test_a_wide_nucleus_is_widened_until_it_reaches() -> None:
    flat = np.zeros(49_152, dtype=np.float32)
    uniforms = np.linspace(0, 0.999, 50)
    tokens = draw(np.repeat(flat[None], 50, axis=0), Rules.of([Sampling(top_p=0.5)] * 50), uniforms)
    assert tokens.max() == pytest.approx(0.5 * 49_152, rel=0.01)


def test_ties_go_to_the_lowest_id() -> None:
    row = np.zeros((1, 200), dtype=np.float32)
    assert draw(row, Rules.of([Sampling(temperature=0.0)]), np.array([0.9]))[0] == 0
    assert draw(row, Rules.of([Sampling(top_k=3)]), np.array([0.999]))[0] == 2


def test_log_probabilities() -> None:
    logits = np.stack([logits_of(7), logits_of(8)])
    tokens = np.array([3, 250])
    exactly = [
        np.log(np.exp(r.astype(np.float64))[t] / np.exp(r.astype(np.float64)).sum())
        for r, t in zip(logits, tokens, strict=True)
    ]
    assert np.allclose(log_prob(logits, tokens), exactly, atol=1e-5)


def test_processors_agree_with_the_scripted_engine() -> None:
    """Bias, then penalties over the reply so far, exactly as every engine of this project applies them."""
    sampling = Sampling(
        logit_bias={"4": 1.5, "9": -3.0}, presence_penalty=0.7, frequency_penalty=0.4, repetition_penalty=1.3
    )
    processors, row = Processors(sampling, None), logits_of(9)
    reply = [4, 9, 4, 17]
    for token in reply:
        assert processors.accept(token) is False
    changed = row.copy()
    processors.apply(changed)
    expected = processed(dict(enumerate(row.tolist())), sampling, {token: reply.count(token) for token in reply})
    got = np.exp(changed.astype(np.float64) - changed.max())
    assert np.allclose(got / got.sum(), [expected[t] for t in range(SIZE)], atol=1e-6)
    assert not np.allclose(changed, row)
    untouched = [t for t in range(SIZE) if t not in (*reply, 4, 9)]
    assert np.array_equal(changed[untouched], row[untouched])


@pytest.mark.parametrize("size", [2, 200, 256])
def test_a_small_vocabulary_is_drawn_from_at_once_and_by_the_same_rule(size: int) -> None:
    rng = np.random.default_rng(4)
    rows = np.stack([logits_of(seed, size) for seed in range(40)])
    rows[::3, size // 2 :] = -np.inf
    uniforms = rng.random(40)
    uniforms[:8] = [0.0, 1.0 - 2.0**-53, 0.0, 1.0 - 2.0**-53, 0.5, 1e-300, 1.0 - 2.0**-53, 2.0**-53]
    rules = Rules.of([Sampling()] * 40)
    tokens = draw(rows, rules, uniforms)
    for row, uniform, token in zip(rows, uniforms, tokens.tolist(), strict=True):
        weights = np.exp(row - row.max()).astype(np.float64)
        reached = np.cumsum(weights)
        assert weights[token] > 0
        assert reached[token] >= uniform * reached[-1] * (1 - 1e-6)
        assert (reached[token] - weights[token]) <= uniform * reached[-1] * (1 + 1e-6)
        # A row's token does not depend on its company.
        assert draw(row[None], Rules.of([Sampling()]), np.array([uniform]))[0] == token
