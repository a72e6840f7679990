from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from outthink.engines.local import models as local
from tests.cli.running import Outthink


def test_list_says_what_is_there_and_what_is_not(cli: Outthink, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("models", "list")
    assert done.exit_code == 0
    for model in local.KNOWN:
        assert model.name in done.stdout
    monkeypatch.setattr(importlib.metadata, "distribution", _nothing)
    assert "not installed" in cli("models", "list").stdout


def test_path_is_the_file_or_says_what_to_type(cli: Outthink, monkeypatch: pytest.MonkeyPatch) -> None:
    status = local.installed()[0]
    done = cli("models", "path")
    if status.path is not None:
        assert Path(done.stdout.strip()) == status.path
        assert cli("models", "path", status.model.name).stdout == done.stdout
        assert cli("models", "install").stdout == done.stdout, "what is there and whole is not installed again"
    monkeypatch.setattr(importlib.metadata, "distribution", _nothing)
    missing = cli("models", "path")
    assert missing.exit_code == 1
    assert "outthink models install" in missing.stderr


@pytest.mark.parametrize("command", ["path", "install"])
def test_an_unknown_model_is_offered_the_nearest(cli: Outthink, command: str) -> None:
    done = cli("models", command, "smollm2")
    assert done.exit_code == 1
    assert "Did you mean 'smollm2-135m'" in done.stderr


def _nothing(name: str) -> None:
    raise importlib.metadata.PackageNotFoundError(name)
