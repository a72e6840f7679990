from __future__ import annotations

import numpy as np
import pytest

from outthink.core import Key
from outthink.testing import normals, uniforms

SEEDS = Key(1).seeds(4000)


def test_a_slots_numbers_do_not_depend_on_its_mates() -> None:
    whole = uniforms(SEEDS, 5, 3)
    assert whole.shape == (4000, 3)
    assert uniforms(SEEDS[[7, 2]], 5, 3).tolist() == whole[[7, 2]].tolist()
    assert uniforms(SEEDS[:5], 5).tolist() == whole[:5, 0].tolist()
    assert uniforms(SEEDS[:5], 6).tolist() == whole[:5, 1].tolist()
    assert len(uniforms(SEEDS[:0], 0)) == 0


def test_golden_values() -> None:
    seeds = np.array([0, 1, 2**63], np.uint64)
    assert uniforms(seeds, 0).tolist() == [0.6524484863740322, 0.36818951565166946, 0.5267879311465462]
    assert np.allclose(
        normals(np.array([3], np.uint64), 2, 2), [[0.40888304980025053, -1.3205452645121272]], rtol=1e-12
    )


@pytest.mark.parametrize(
    "seeds", [SEEDS, np.arange(4000, dtype=np.uint64), np.arange(4000, dtype=np.uint64) << np.uint64(32)]
)
def test_numbers_look_uniform_and_neighbours_unrelated(seeds: np.ndarray) -> None:
    u = uniforms(seeds, 0, 8)
    assert ((u >= 0) & (u < 1)).all()
    # 32,000 numbers: the mean's standard error is 0.0016; a chi-square of 15 cells exceeds 43.8 once in 10,000 times.
    assert abs(u.mean() - 0.5) < 5 * 0.0016
    counts = np.bincount((u * 16).astype(int).ravel(), minlength=16)
    assert ((counts - u.size / 16) ** 2 / (u.size / 16)).sum() < 43.8
    for other in (np.roll(u, 1, axis=0), np.roll(u, 1, axis=1)):
        assert abs(np.corrcoef(u.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(u.size)


def test_normals_have_the_right_moments() -> None:
    x = normals(SEEDS, 0, 8).ravel()
    assert np.isfinite(x).all()
    assert abs(x.mean()) < 5 / np.sqrt(x.size)
    assert abs(x.var() - 1) < 5 * np.sqrt(2 / x.size)
    assert abs((x**4).mean() - 3) < 5 * np.sqrt(96 / x.size)


def test_no_seed_gives_infinity() -> None:
    assert np.isfinite(normals(np.arange(200_000, dtype=np.uint64), 0)).all()
