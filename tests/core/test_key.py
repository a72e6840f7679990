from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core import Key, slot_rng

names = st.lists(st.one_of(st.integers(-5, 99), st.text(max_size=4)), max_size=4).map(tuple)


@given(names, names, st.integers(-3, 3), st.integers(-3, 3))
def test_different_places_have_different_streams(
    left: tuple[str | int, ...], right: tuple[str | int, ...], a: int, b: int
) -> None:
    same = (a, [(type(n), n) for n in left]) == (b, [(type(n), n) for n in right])
    assert (Key(a).child(*left).seeds(2).tolist() == Key(b).child(*right).seeds(2).tolist()) == same


@pytest.mark.parametrize("pair", [(("a", "b"), ("ab",)), ((1,), ("1",)), ((1, 2), (12,)), (("a|s1:b",), ("a", "b"))])
def test_names_never_run_together(pair: tuple[tuple[str | int, ...], tuple[str | int, ...]]) -> None:
    left, right = pair
    assert Key(0).child(*left).seeds(1) != Key(0).child(*right).seeds(1)


def test_children_can_be_named_in_one_go_or_one_by_one() -> None:
    assert Key(1).child("step", 3) == Key(1).child("step").child(3)


def test_a_number_is_a_number_whoever_made_it() -> None:
    assert Key(1).child(int(np.int64(3))).seeds(1) == Key(1).child(np.int64(3)).seeds(1)


def test_a_longer_list_of_seeds_starts_with_the_shorter_one() -> None:
    key = Key(3).child("advance")
    assert key.seeds(100)[:7].tolist() == key.seeds(7).tolist()
    assert key.seeds(5).dtype == np.uint64
    assert len(key.seeds(0)) == 0


def test_a_key_gives_the_same_stream_each_time() -> None:
    key = Key(5)
    assert key.rng().random() == key.rng().random()


def test_streams_stay_as_they_are() -> None:
    """Golden values: a stored run must be repeatable with a later version."""
    key = Key(7).child("step", 3)
    assert key.seeds(3).tolist() == [16089218746389965958, 2317239211990578170, 2725938998211551273]
    assert key.rng().random() == 0.8721982959215252
    assert slot_rng(5).random(2).tolist() == [0.7337459554446363, 0.5905206445727093]


def test_slot_generators_differ_by_seed() -> None:
    draws = {slot_rng(seed).random() for seed in Key(0).seeds(500)}
    assert len(draws) == 500
