"""The embedded model for the tests that need it; they are skipped, and say so, where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outthink.core.errors import OutthinkError
from outthink.engines.local import Local, LocalEngine, models
from outthink.engines.local.library import wheel_library


def missing() -> str:
    """Why the embedded model cannot run here; empty if it can."""
    try:
        wheel_library()
        models.path()
    except OutthinkError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def installed() -> None:
    if reason := missing():
        pytest.skip(f"the embedded model is not installed: {reason}")


@pytest.fixture(scope="module")
def engine(installed: None) -> Iterator[LocalEngine]:
    """One engine for a module, as a user opens it; tests look at differences of its counters."""
    opened = LocalEngine(Local(memory=120.0))
    yield opened
    opened.close_now()
