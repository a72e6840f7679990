"""The same suite on both databases: SQLite in a file, PostgreSQL started for this test run where it is installed."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from outthink.store import Store
from tests.needs import need, postgres_programs

NUMBERS = itertools.count()


def as_postgres() -> tuple[list[str], int | None]:
    """A prefix that runs a command as a user that PostgreSQL accepts (it refuses root), and that user's number."""
    if os.geteuid() != 0:
        return [], None
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"], user.pw_uid


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL cluster of our own, reached by a socket in its own folder."""
    need("postgres")
    programs = postgres_programs()
    assert programs is not None
    prefix, user = as_postgres()
    # Not pytest's own folder: the user of the server cannot enter it, and a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="outthink-pg-"))
    if user is not None:
        os.chown(folder, user, -1)
    data = folder / "data"

    def call(*words: str) -> None:
        subprocess.run([*prefix, *words], check=True, capture_output=True, timeout=120, cwd=folder)

    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=40"
    try:
        call(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        call(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            call(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store's URL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.sqlite'}"
    server = request.getfixturevalue("postgres")
    import psycopg

    name = f"store_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return str(server).replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened
