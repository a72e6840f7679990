from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import fork_count, in_place

vectors = st.integers(1, 40).flatmap(lambda n: st.lists(st.integers(0, n - 1), min_size=n, max_size=n))


@given(vectors)
def test_survivors_keep_their_slots_with_the_fewest_forks(ancestors: list[int]) -> None:
    before = np.array(ancestors)
    after = in_place(before)
    n = len(before)
    assert sorted(after) == sorted(before)
    survivors = np.unique(before)
    assert (after[survivors] == survivors).all()
    moved = int((after != np.arange(n)).sum())
    assert moved == fork_count(before, n) == n - len(survivors)
    assert (in_place(after) == after).all()


@given(vectors)
def test_slots_depend_on_the_counts_only(ancestors: list[int]) -> None:
    assert (in_place(np.array(ancestors)) == in_place(np.sort(ancestors))).all()


def test_known_edit() -> None:
    ancestors = np.array([1, 1, 1, 4, 4])
    assert in_place(ancestors).tolist() == [1, 1, 1, 4, 4]
    assert in_place(np.array([4, 4, 4, 0, 2])).tolist() == [0, 4, 2, 4, 4]
    assert fork_count(ancestors, 5) == 3
    assert fork_count(np.arange(5), 5) == 0


def test_fewer_slots_than_members() -> None:
    assert in_place(np.array([1, 7, 7])).tolist() == [7, 1, 7]


def test_no_slots() -> None:
    assert in_place(np.array([], dtype=np.int64)).tolist() == []
    assert fork_count(np.array([], dtype=np.int64), 0) == 0


def test_bad_ancestors_are_refused() -> None:
    with pytest.raises(ValueError, match="3 ancestors for 4 slots"):
        fork_count(np.array([0, 0, 1]), 4)
    with pytest.raises(ValueError, match="-2, expected at least 0"):
        in_place(np.array([0, -2]))
    with pytest.raises(ValueError, match="one dimension"):
        in_place(np.zeros((2, 2), dtype=np.int64))
