"""The structure of a page: its grams by hand, equal trees however they are written, and nothing that hangs."""

from __future__ import annotations

from collections import Counter

import pytest

from outthink.core import Failure
from outthink.verify.page_structure_in_worker import grams, similarity
from outthink.verify.pool import TIMEOUT, WorkerPool


def test_grams_by_hand() -> None:
    assert grams("<main><h1>a</h1><p>b <b>c</b></p></main>") == Counter(
        {
            ("page", "*", "main"): 1,
            ("main", "*", "h1"): 1,
            ("main", "h1", "p"): 1,
            ("p", "*", "b"): 1,
            ("p", "b", "*"): 1,
            ("main", "p", "*"): 1,
            ("page", "main", "*"): 1,
        }
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<ul><li>a<li>b</ul>", "<UL><LI>a</LI><LI>b</LI></UL>"),
        ("<p>a<p>b<div>c</div>", "<p>a</p><p>b</p><div>c</div>"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"),
        ("<br/><img src=x /><hr>", "<br><img><hr></br>"),
        ("<!doctype html><html><head><title>t</title><style>p{}</style></head><body><p>a</body></html>", "<p>b</p>"),
        ("<p>a</p><script>'<p>'</script><noscript><p></noscript>", "<p>a</p>"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("", "just words"),
    ],
)
def test_equal_trees_are_equal_however_they_are_written(one: str, other: str) -> None:
    assert similarity(one, other) == 1.0


def test_similarity_by_hand() -> None:
    # Grams of each: 3 and 2 with p, of which ("page", "*", "p") is in both and no other.
    assert similarity("<p>a</p><hr>", "<p>a</p>") == pytest.approx(2 * 1 / (3 + 2))
    assert similarity("<p></p>", "<h1></h1>") == 0.0
    page = "<h1></h1>" + "<p></p>" * 8
    near, far = page.replace("h1", "h2"), page.replace("p>", "div>")
    assert 1.0 > similarity(page, near) > similarity(page, far) > 0.0
    assert similarity(page, near) == similarity(near, page)


async def test_a_page_that_takes_for_ever_is_stopped() -> None:
    """A reader of the standard library takes quadratic time for tags that never end."""
    pool = WorkerPool(1)
    try:
        found = await pool.call("page-structure", "<a " * 60_000, "<p>", seconds=0.3)
        assert isinstance(found, Failure)
        assert found.kind == TIMEOUT
        assert await pool.call("page-structure", "<p>a</p>", "<p>b</p>", seconds=5.0) == 1.0
    finally:
        pool.close()
