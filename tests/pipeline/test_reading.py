from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.pipeline.reading import critiques, listed, marks, ranked, statements, verdict
from outthink.pipeline.wording import fill


def labels(places: list[int]) -> list[int]:
    return [place + 1 for place in places]


def ranking(text: str, n: int) -> list[int]:
    return ranked(listed(text, n), range(n))


def test_a_ranking_is_read_as_the_sheet_says() -> None:
    assert labels(ranking("[2] > [2] > [9] > [1]", 4)) == [2, 1, 3, 4]
    assert labels(ranking("", 4)) == [1, 2, 3, 4]
    assert labels(ranking("[ 3 ] > [1] > [4] > [2]", 4)) == [3, 1, 4, 2]
    assert ranking("[0] > [5]", 4) == [0, 1, 2, 3]


def test_labels_are_mapped_back_and_who_is_not_named_keeps_the_old_order() -> None:
    assert ranked(listed("[3] > [1]", 4), [7, 4, 0, 2]) == [0, 7, 2, 4]
    assert ranked([], [7, 4, 0, 2]) == [0, 2, 4, 7]


def test_the_last_chain_counts_not_what_is_said_on_the_way() -> None:
    assert labels(listed("I compare [1] and [2] first.\n[3] > [1]\nNo: [2] > [3] > [1]\nSee [4].", 4)) == [2, 3, 1]
    assert labels(listed("best [4], then [2]", 4)) == [4, 2]


@given(st.text(alphabet="[]0123456789> \n", max_size=60), st.integers(0, 7))
def test_whatever_is_said_a_ranking_is_a_permutation(text: str, n: int) -> None:
    assert sorted(ranking(text, n)) == list(range(n))


def test_critiques_go_to_the_labels_they_stand_under() -> None:
    said = "Here they are.\n[2] wrong sum\nand more\n**[1]**: right\n[7] nobody\n[2] again"
    assert critiques(said, 2) == {1: "wrong sum\nand more\nagain", 0: "right"}
    assert critiques("", 3) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Correct]", True),
        ("It is [incorrect].", False),
        ("[Correct] or [Incorrect]?", None),
        ("correct", True),
        ("It is not correct; it is incorrect.", None),
        ("", None),
        ("The word correct is used, yet: [Incorrect]", False),
    ],
)
def test_a_verdict_that_says_both_or_neither_is_none(text: str, said: bool | None) -> None:
    assert verdict(text) is said


def test_statements_are_the_items_of_a_list() -> None:
    assert statements("Sure!\n1. It is short.\n2) It is true.\n- It ends.", 5) == [
        "It is short.",
        "It is true.",
        "It ends.",
    ]
    assert statements('["a, b", "c"]', 5) == ["a, b", "c"]
    assert statements("one\ntwo\nthree", 2) == ["one", "two"]
    assert statements("", 3) == []


def test_marks_must_be_there_for_every_test() -> None:
    assert marks("[1] Passed\n[2] failed, because\n3. Passed", 3) == [True, False, True]
    assert marks("[1] Passed\n[3] Passed", 3) is None
    assert marks("[1] Passed\n[1] Failed", 1) == [True]


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert (
        fill("{question} / {candidate}", question="{candidate}", candidate="{question} {n}")
        == "{candidate} / {question} {n}"
    )
