from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outthink.bench.report import Study, read_folder, study_of
from tests.bench.grid.grids import a_grid, ran


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of six methods on two sets of sums, the second with a name that is markup; one row of the data is bad."""
    place = tmp_path_factory.mktemp("report")
    first = dict(a_grid(place, 6).tasks[0])
    second = {"type": "jsonl", "path": first["path"], "called": "again <b>", "limit": 4}
    grid = a_grid(place, 6, tasks=[first, second])
    with Path(first["path"]).open("a") as file:
        file.write('{"id": "bad"}\n')
    ended, _ = asyncio.run(ran(place / "run", grid))
    assert ended == "done"
    return place / "run"


@pytest.fixture(scope="session")
def study(run_folder: Path) -> Study:
    return study_of(read_folder(run_folder))
