"""Both databases for what gateways share; and proofs outside test modules that say what they found, as tests do."""

from __future__ import annotations

import pytest

from tests.store.conftest import postgres, url

__all__ = ["postgres", "url"]
pytest.register_assert_rewrite("tests.serve.matrix", "tests.serve.gateways")
