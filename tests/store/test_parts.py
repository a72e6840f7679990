"""Where stores are, how they come to this version's schema, what is refused, several processes at one store, reasons in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from outthink.core import Candidate, Cost, Result, Stop
from outthink.store import Store, StoreError, data_folder, store_url
from outthink.store.database import Database
from outthink.store.migrations import MIGRATIONS, migrate, version
from outthink.store.owner import is_gone, this_host, this_process
from outthink.store.reasons import why_stopped, why_won
from tests.shape_of_code.source import ROOT

WRITER = """
import asyncio, sys
from outthink.store import Store, solve_stored
from outthink.engines.recording import recording
from tests.store.words import TASK, filtered, scripted

async def main():
    with Store.open(sys.argv[1]) as store:
        async def one(seed):
            recorder = await store.begin(TASK, method="particle-filter", seed=seed)
            await solve_stored(filtered(recording(scripted(), recorder.replies)), TASK, recorder)
        await asyncio.gather(*(one(seed) for seed in range(6)))

asyncio.run(main())
"""


def test_several_processes_write_one_store(url: str) -> None:
    """They also make it: all of them find it empty."""
    command = [sys.executable, "-c", WRITER, url]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    with Store.open(url) as store:
        lines = store.runs(limit=None)
        assert len(lines) == 18
        answers: dict[int, set[str | None]] = {}
        for line in lines:
            assert store.run(line.id).result is not None
            answers.setdefault(line.seed, set()).add(line.answer)
        assert all(len(found) == 1 for found in answers.values())


def second(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE runs ADD COLUMN note TEXT"))


def broken(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE runs ADD COLUMN half TEXT"))
    raise StoreError("stop here")


def test_migrations_are_applied_once_in_order(url: str) -> None:
    with Store.open(url):
        pass
    database = Database(store_url(url))
    with database.write(alone=True) as connection:
        assert version(connection) == len(MIGRATIONS)
        assert migrate(connection, (*MIGRATIONS, second)) == len(MIGRATIONS) + 1
    with database.write(alone=True) as connection:
        assert migrate(connection, (*MIGRATIONS, second)) == len(MIGRATIONS) + 1
        assert "note" in {column["name"] for column in sa.inspect(connection).get_columns("runs")}
    with pytest.raises(StoreError, match="stop here"), database.write(alone=True) as connection:
        migrate(connection, (*MIGRATIONS, second, broken))
    with database.read() as connection:
        assert version(connection) == len(MIGRATIONS) + 1
        assert "half" not in {column["name"] for column in sa.inspect(connection).get_columns("runs")}
    database.close()
    with pytest.raises(StoreError, match="later version"):
        Store.open(url)


@pytest.mark.parametrize("where", ["mysql://host/x", "sqlite://", "sqlite:///:memory:", "http://host/"])
def test_what_names_no_store_is_refused(where: str) -> None:
    with pytest.raises(StoreError, match="does not name a store"):
        Store.open(where)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_text("not a database, but long enough to be looked at " * 20)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(path)


def test_passwords_are_not_shown() -> None:
    database = Database(store_url("postgresql://me:secret@nowhere/x"))
    assert "secret" not in database.name
    with pytest.raises(StoreError) as caught, database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    assert "secret" not in str(caught.value)
    database.close()


def test_where_a_store_is() -> None:
    home = Path.home()
    assert data_folder({}, "linux") == home / ".local" / "share" / "outthink"
    assert data_folder({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/outthink")
    assert data_folder({"XDG_DATA_HOME": "not/absolute"}, "linux") == home / ".local" / "share" / "outthink"
    assert data_folder({}, "darwin").parts[-3:] == ("Library", "Application Support", "outthink")
    assert data_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/outthink")
    assert store_url(None, {"XDG_DATA_HOME": "/data"}) == "sqlite:////data/outthink/runs.sqlite"
    assert store_url(None, {"OUTTHINK_STORE": "/a/b.sqlite"}) == "sqlite:////a/b.sqlite"
    assert store_url("/c.sqlite", {"OUTTHINK_STORE": "/a/b.sqlite"}) == "sqlite:////c.sqlite"
    assert store_url("postgres://h/x") == store_url("postgresql://h/x") == "postgresql+psycopg://h/x"


def test_a_process_is_known_to_be_gone_only_here() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_gone(this_host(), str(ended.pid))
    assert not is_gone(this_host(), this_process())
    assert is_gone(this_host(), this_process() + "0"), "the number was given to another process"
    assert not is_gone("another machine", str(ended.pid))


def result(**changes: object) -> Result:
    members = (("4", 0.5), ("5", 0.25), ("4", 0.25))
    fields: dict[str, object] = {
        "answer": "4",
        "chosen": 0,
        "candidates": tuple(Candidate(content=a, answer=a, id=i) for i, (a, _) in enumerate(members)),
        "scores": (0.75, 0.5, None),
        "weights": tuple(w for _, w in members),
        "by_role": {"generate": Cost(calls=3)},
        "stop": Stop.DONE,
        "method": "vote",
        "seed": 0,
        "run": "r",
        "seconds": 1.0,
        "steps": 1,
        **changes,
    }
    return Result(**fields)  # type: ignore[arg-type]


def test_reasons() -> None:
    assert why_won(result(agreement=0.75)) == (
        "its answer has 75% of the vote, the next, 5, 25%; it has the best score of 2, 0.75 (the next 0.5); "
        "it has the largest weight, 0.500"
    )
    assert why_won(result(scores=(0.1, 0.5, None), weights=(1.0, 0.0, 0.0))) == "it has the score at place 2 of 2, 0.1"
    assert why_won(result(chosen=None)) == "there is no answer: everyone abstained"
    unfinished = tuple(Candidate(content="x", final=False) for _ in range(3))
    assert why_won(result(chosen=None, candidates=unfinished)) == "there is no answer: nothing finished"
    bare = {"scores": (None,) * 3, "weights": (1.0, 0.0, 0.0)}
    assert why_won(result(**bare)) == "neither a score nor a vote sets it apart"
    alone = (Candidate(content="x"), *unfinished[1:])
    assert why_won(result(**bare, candidates=alone)) == "it alone finished"
    assert why_stopped(result()) == "the method was finished"
    stopped = result(stop=Stop.BUDGET, limit="tokens", degraded=("1 of 3 members unfinished",))
    assert why_stopped(stopped) == "the budget was used up (tokens); 1 of 3 members unfinished"
