"""The suites that every part must pass, yours too. Needs pytest and pytest-asyncio.

    class TestMyProcess(ProcessContract):
        @pytest.fixture
        def process(self) -> MyProcess:
            return MyProcess()

A process with capabilities inherits their suites as well. Where a part is not exact, override `same`.
"""

import pytest

# Assertions in these files should show their values, as those of test files do.
pytest.register_assert_rewrite(
    "outthink.testing.contracts.process",
    "outthink.testing.contracts.capabilities",
    "outthink.testing.contracts.verifier",
    "outthink.testing.contracts.engine",
    "outthink.testing.contracts.algorithm",
)

from outthink.testing.contracts.algorithm import AlgorithmContract, Example  # noqa: E402
from outthink.testing.contracts.capabilities import (  # noqa: E402
    CompletableContract,
    PerturbableContract,
    RevisableContract,
    RewindableContract,
    TemperableContract,
)
from outthink.testing.contracts.engine import EngineContract  # noqa: E402
from outthink.testing.contracts.process import ProcessContract  # noqa: E402
from outthink.testing.contracts.verifier import EquivalenceContract, VerifierContract  # noqa: E402

__all__ = [
    "AlgorithmContract",
    "CompletableContract",
    "EngineContract",
    "EquivalenceContract",
    "Example",
    "PerturbableContract",
    "ProcessContract",
    "RevisableContract",
    "RewindableContract",
    "TemperableContract",
    "VerifierContract",
]
