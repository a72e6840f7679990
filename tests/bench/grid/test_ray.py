"""The same grid on a Ray cluster of this machine: the same outcomes, and the same cap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from outthink.bench.grid import Folder, opened, pose
from outthink.core.cost import Budget
from tests.bench.grid.grids import a_grid, ran, rows

# Ray's own connections are closed by its shutdown, and warn when they are collected before.
pytestmark = [
    pytest.mark.needs("ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


async def test_a_cluster_gives_the_same_outcomes_and_keeps_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from outthink.bench.grid.ray_executor import ray_executor

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    assert "RAY_ADDRESS" not in os.environ
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        grid = a_grid(tmp_path, 3)
        make = ray_executor(2, folder=tmp_path)
        ended, there = await ran(tmp_path / "ray", grid, make)
        _, here = await ran(tmp_path / "local", grid)
        assert ended == "done"
        assert there.before.digest == here.before.digest
        assert rows(there.outcomes.rows) == rows(here.outcomes.rows)
        assert there.ledger.total == here.ledger.total
        assert Folder.found(tmp_path / "ray").record().executor == "ray"

        capped = a_grid(tmp_path, 3, cap=Budget(tokens=1000))
        async with opened(Folder.made(tmp_path / "capped", capped), pose(capped), executor=make) as running:
            assert await running.run() == "cap"
            assert 300 < running.ledger.total.tokens <= 1000
            assert running.ledger.claimed.tokens == 0
    finally:
        ray.shutdown()
