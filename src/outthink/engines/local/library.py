"""Loading llama.cpp's library: found inside the pinned wheel or given by path, checked before a struct is passed to it.

    library = load()                    # the wheel's
    library = load("/opt/libllama.so")  # another build: the same check, refused by name where it differs

What is checked: the wheel's version, the library's own version, and the defaults that it fills into its parameter structs, field by field.
A library that passes is opened once in a process.

On a shared machine, OpenMP's threads that spin at every barrier ruin the speed of everybody. Unless the user has set `GOMP_SPINCOUNT`,
`OMP_WAIT_POLICY` or `KMP_BLOCKTIME`, the first load sets `GOMP_SPINCOUNT` to `SPIN`, a short spin before a thread sleeps. What the user has
set stays as it is, and nothing else of the environment is touched.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outthink.core.errors import EngineError, Incompatible, ModelMissing, explain
from outthink.engines.local.declarations import (
    CDEF,
    CONTEXT_DEFAULTS,
    LIBRARY_VERSION,
    MODEL_DEFAULTS,
    WHEEL,
    WHEEL_VERSION,
)

SPIN: Final = "500"
SPIN_SETTINGS: Final = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")
INSTALL: Final = "Install it with `pip install 'outthink[local]'`, or name a model behind an API instead."


@dataclass(frozen=True)
class Library:
    """An open library that passed the check. `lib` holds its functions, `ffi` its types.

    Attributes:
        build: wheel and version, for records.
        quiet: keeps the callback alive that swallows the library's own log.
    """

    ffi: Any
    lib: Any
    path: Path
    build: str
    quiet: Any


def load(path: str | None = None) -> Library:
    """The library at `path`, or the wheel's. Raises `ModelMissing` where there is none, `Incompatible` where it is another build."""
    found = wheel_library() if path is None else Path(path).expanduser()
    if not found.is_file():
        raise ModelMissing(
            explain(
                "There is no library of llama.cpp at this path.",
                got=str(found),
                expected="a shared library file",
                remedy="Correct `library`, or leave it out for the one that is installed.",
            )
        )
    return _open(found.resolve())


def wheel_library() -> Path:
    """Where the pinned wheel keeps its library, found without importing the wheel."""
    try:
        wheel = importlib.metadata.distribution(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        raise ModelMissing(
            explain(
                "The embedded engine needs the library of llama.cpp, which is not installed.",
                got=f"no package {WHEEL!r}",
                expected=f"{WHEEL}=={WHEEL_VERSION}",
                remedy=f"{INSTALL} Where no wheel exists for this platform, build that version from source "
                "and give its library's path as `library`.",
            )
        ) from None
    if wheel.version != WHEEL_VERSION:
        raise Incompatible(
            explain(
                f"The package {WHEEL!r} is of another version than this engine was written for.",
                got=wheel.version,
                expected=WHEEL_VERSION,
                remedy=INSTALL,
            )
        )
    for file in wheel.files or ():
        if file.name.startswith(WHEEL) and file.suffix in (".so", ".pyd", ".dylib"):
            return Path(str(wheel.locate_file(file)))
    raise ModelMissing(
        explain(
            f"The package {WHEEL!r} holds no shared library.",
            got=str(wheel.locate_file("")),
            expected="a file that ends in .so",
            remedy="Install it again: `pip install --force-reinstall 'outthink[local]'`.",
        )
    )


def let_threads_sleep(environment: MutableMapping[str, str]) -> bool:
    """Bound how long idle OpenMP threads spin, unless the user has said anything about it; whether something was set."""
    if any(name in environment for name in SPIN_SETTINGS):
        return False
    environment["GOMP_SPINCOUNT"] = SPIN
    return True


@functools.cache
def _open(path: Path) -> Library:
    try:
        import cffi  # heavy, and only needed here
    except ImportError:
        raise ModelMissing(
            explain("The embedded engine needs cffi.", got="no package 'cffi'", expected="cffi>=2", remedy=INSTALL)
        ) from None

    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    let_threads_sleep(os.environ)
    try:
        lib: Any = ffi.dlopen(str(path))
    except OSError as error:
        raise Incompatible(
            explain(
                "This file cannot be loaded as a library.", got=f"{path}: {error}", expected="libllama", remedy=INSTALL
            )
        ) from None
    version = check(ffi, lib, path)
    # One callback for the life of the process: the library may log from any thread until it exits.
    quiet = ffi.callback("log_callback", lambda level, text, data: None)
    lib.llama_log_set(quiet, ffi.NULL)
    lib.llama_backend_init()
    return Library(ffi=ffi, lib=lib, path=path, build=f"llama.cpp {version} ({WHEEL} {WHEEL_VERSION})", quiet=quiet)


def check(ffi: Any, lib: Any, path: Path) -> str:
    """The library's version; raises `Incompatible`, naming the first thing that differs from what was declared."""
    try:
        version = str(ffi.string(lib.llama_version()).decode())
        context, model = lib.llama_context_default_params, lib.llama_model_default_params
    except AttributeError as error:
        raise _other_build(path, got=f"a library without {error}", expected="every function that is declared") from None
    if version != LIBRARY_VERSION:
        raise _other_build(path, got=f"version {version}", expected=f"version {LIBRARY_VERSION}")
    compare(context(), CONTEXT_DEFAULTS, "llama_context_params", path)
    compare(model(), MODEL_DEFAULTS, "llama_model_params", path)
    return version


def compare(struct: Any, expected: Mapping[str, float], name: str, path: Path) -> None:
    """Raise `Incompatible` at the first field of a default struct that holds another value than its declaration promises."""
    for field, value in expected.items():
        got = getattr(struct, field)
        if got != value:
            raise _other_build(path, got=f"{name}.{field} = {got}", expected=f"{value}")


def require(result: int, what: str) -> None:
    """Raise `EngineError` when the library reports failure with a non-zero result."""
    if result != 0:
        raise EngineError(f"llama.cpp could not {what}: it returned {result}.")


def _other_build(path: Path, *, got: str, expected: str) -> Incompatible:
    return Incompatible(
        explain(
            f"The library {path.name!r} is another build of llama.cpp than this engine was written for.",
            got=got,
            expected=expected,
            remedy=INSTALL,
        )
    )
