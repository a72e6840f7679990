"""Settings of the engine for Hugging Face models; these tests need no torch."""

from __future__ import annotations

import sys

import pytest

from outthink.core.errors import ModelMissing, SettingsError
from outthink.engines.torch import Transformers
from tests.needs import need


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="place in every step"):
        Transformers(model="x", max_sequences=64, step_tokens=32)
    for bad in (
        {"model": ""},
        {"model": "x", "dtype": "int8"},
        {"model": "x", "memory": 0},
        {"model": "x", "threads": 2},
    ):
        with pytest.raises(SettingsError):
            Transformers(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_without_the_extra_it_says_what_to_type(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("outthink.engines.torch.")]:
        if not name.endswith(".settings"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    if package == "transformers":
        need("torch")
    with pytest.raises(ModelMissing, match=r"no package '(torch|transformers)'.*outthink\[local-torch\]"):
        Transformers(model="x").open()
