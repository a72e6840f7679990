"""The embedded model for the tests that are marked `local_model`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outthink.engines.local import Local, LocalEngine


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    """One engine for a module, as a user opens it; tests look at differences of its counters."""
    opened = LocalEngine(Local(memory=120.0))
    yield opened
    opened.close_now()
