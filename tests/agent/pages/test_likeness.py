"""Similarities of pages against numbers worked by hand or counted point by point; each sees its own difference alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outthink.agent.pages import Component, Rendered, layout_similarity, look, pixel_similarity
from outthink.agent.pages.layout import areas
from outthink.agent.pages.look import distance
from outthink.agent.pages.rendered import Box

WHITE = np.full((150, 200, 3), 255, np.uint8)


def page(*components: Component, **more: Any) -> Rendered:
    return Rendered(**{"width": 800, "height": 600, "components": components, "picture": WHITE, **more})


def text(words: str, box: Box, colour: tuple[int, int, int] = (0, 0, 0)) -> Component:
    return Component("text", box, words, box, colour)


def test_areas_are_those_that_are_counted_point_by_point() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        sets = []
        for _ in range(2):
            corners = np.sort(rng.integers(0, 30, (int(rng.integers(0, 6)), 2, 2)), axis=1).reshape(-1, 4)
            sets.append([tuple(float(edge) for edge in one) for one in corners])
        cells = [np.zeros((30, 30), bool) for _ in sets]
        for covered, boxes in zip(cells, sets, strict=True):
            for left, top, right, bottom in boxes:
                covered[int(top) : int(bottom), int(left) : int(right)] = True
        both, either = areas(*sets)  # type: ignore[arg-type]
        assert (both, either) == ((cells[0] & cells[1]).sum(), (cells[0] | cells[1]).sum())


def test_layout_is_intersection_over_union_by_kind_on_pages_scaled_to_one() -> None:
    image, lower = Component("image", (0, 0, 400, 300)), Component("image", (0, 150, 400, 450))
    # Half of each overlaps: 150 of 450 rows.
    assert layout_similarity(page(image), page(lower)) == pytest.approx(1 / 3)
    # The same box of another kind shares nothing.
    assert layout_similarity(page(image), page(Component("video", (0, 0, 400, 300)))) == 0.0
    # Kinds weigh by the area of their union: 1/3 of 400 x 450 and all of 800 x 60.
    bar = Component("navigation", (0, 0, 800, 60))
    union, shared = 400 * 450 + 800 * 60, 400 * 150 + 800 * 60
    assert layout_similarity(page(image, bar), page(lower, bar)) == pytest.approx(shared / union)
    # A page twice as high whose parts are twice as high is the same.
    assert layout_similarity(page(image), page(Component("image", (0, 0, 400, 600)), height=1200)) == 1.0
    assert layout_similarity(page(), page()) == 1.0
    assert layout_similarity(page(image), page()) == 0.0


HEAD, BODY = text("Fresh bread", (0, 0, 200, 40)), text("We bake at night", (0, 100, 400, 120))


def test_each_similarity_of_the_look_by_hand() -> None:
    whole = look(page(HEAD, BODY), page(HEAD, BODY))
    assert (whole.size, whole.text, whole.position, whole.colour, whole.pixels, whole.mean) == (1, 1, 1, 1, 1, 1)
    # One text is missing: 200 x 40 twice of that and 400 x 20 more.
    assert look(page(HEAD), page(HEAD, BODY)).size == pytest.approx(16_000 / 24_000)
    # 9 of 11 and 11 letters agree: "Fresh b" and "ad", of "Fresh bread" and "Fresh blead" 10.
    changed = look(page(text("Fresh blead", HEAD.box), BODY), page(HEAD, BODY))
    assert changed.text == pytest.approx((2 * 10 / 22 + 1) / 2)
    # Moved by 80 of 800 pixels across and 120 of 600 down: the greater counts.
    moved = look(page(text(HEAD.words, (80, 120, 280, 160)), BODY), page(HEAD, BODY))
    assert moved.position == pytest.approx((1 - 0.2 + 1) / 2)
    white = look(page(replace(HEAD, colour=(255, 255, 255)), BODY), page(HEAD, BODY))
    assert white.colour == pytest.approx(0.5, abs=1e-3)
    assert (white.size, white.text, white.position) == (1, 1, 1)


def test_texts_of_equal_words_are_paired_with_the_nearest() -> None:
    rows = [text("Read more", (0, 100 * i, 90, 100 * i + 20)) for i in range(4)]
    assert look(page(*rows[::-1]), page(*rows)).position == 1.0
    assert look(page(*rows[:2]), page(*rows[2:])).position == pytest.approx(1 - 200 / 600)


def test_pages_without_pairs_are_alike_in_pixels_alone() -> None:
    none = look(page(text("one two", HEAD.box)), page(text("99", HEAD.box)))
    assert (none.size, none.text, none.position, none.colour, none.pixels) == (0, 0, 0, 0, 1)
    assert look(page(), page(HEAD)).mean == pytest.approx(0.2)
    assert look(page(), page()).mean == 1.0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 0), (255, 255, 255), 100.0),
        # Of CIELAB (53.24, 80.09, 67.20) and (32.30, 79.19, -107.86).
        ((255, 0, 0), (0, 0, 255), 176.31),
        ((12, 200, 77), (12, 200, 77), 0.0),
    ],
)
def test_the_distance_of_colours(one: Any, other: Any, expected: float) -> None:
    assert distance(one, other) == pytest.approx(expected, abs=0.05)


def ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Of one window, by the words of the formula."""
    m_x, m_y = x.mean(), y.mean()
    s_x, s_y, s_xy = ((x - m_x) ** 2).mean(), ((y - m_y) ** 2).mean(), ((x - m_x) * (y - m_y)).mean()
    c_1, c_2 = 2.55**2, 7.65**2
    return float((2 * m_x * m_y + c_1) * (2 * s_xy + c_2) / ((m_x**2 + m_y**2 + c_1) * (s_x + s_y + c_2)))


def test_structural_similarity_is_the_formula_window_by_window() -> None:
    rng = np.random.default_rng(2)
    one = rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)
    other = np.clip(one.astype(int) + rng.integers(-60, 60, one.shape), 0, 255).astype(np.uint8)
    windows = [
        ssim(one[y : y + 8, x : x + 8, c].astype(float), other[y : y + 8, x : x + 8, c].astype(float))
        for y in range(0, 13, 4)
        for x in range(0, 17, 4)
        for c in range(3)
    ]
    assert pixel_similarity(one, other) == pytest.approx(np.mean(windows), abs=1e-12)
    assert pixel_similarity(one, one) == 1.0
    assert pixel_similarity(one, 255 - one) == 0.0


def test_what_is_empty_on_both_pictures_says_nothing() -> None:
    """A small mark on a large white page counts in full: with the white windows it would hardly be seen."""
    marked = WHITE.copy()
    marked[20:28, 20:60] = 0
    assert pixel_similarity(marked, WHITE) < 0.3
    assert pixel_similarity(WHITE, WHITE) == 1.0
    # A lower picture goes on in white.
    assert pixel_similarity(marked[:40], marked) == 1.0
    assert pixel_similarity(marked[:22], marked) < 1.0
