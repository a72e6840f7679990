"""The command: on this machine alone, and with a message that says what to do otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from outthink.cli.main import outthink
from outthink.core import SettingsError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org", ""])
def test_others_are_refused(host: str, tmp_path: Path) -> None:
    arguments = ["ui", "--host", host, "--store", str(tmp_path / "runs.sqlite")]
    done = CliRunner().invoke(outthink, arguments)
    told = done.output + (str(done.exception) if isinstance(done.exception, SettingsError) else "")
    assert done.exit_code == 1
    assert "outthink serve" in told
    assert not (tmp_path / "runs.sqlite").exists()


def test_a_folder_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    done = CliRunner().invoke(outthink, ["ui", "--bench", str(tmp_path / "nothing")])
    assert done.exit_code == 2
