"""A browser for pages, opened once for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outthink.agent.pages import Renderer


@pytest.fixture(scope="module")
def drawing() -> Iterator[Renderer]:
    """Draws pages in the box."""
    made = Renderer(seconds=20.0)
    yield made
    made.close()
