"""What a test may need and a machine may lack: programs, optional packages, the embedded model, published files.

A test says what it needs by name: `pytestmark = pytest.mark.needs("sandbox")` for tests, `need("torch")` at the head of a file that
imports it, in a fixture or in a test. Where it is lacking, the test is skipped with the refusal that a user would read, remedy
included. The environment variable OUTTHINK_TESTS_NEED turns such skips into failures: names with spaces or commas between them, or
`all`. `.ci/run` sets it, so that nothing that its set-up installs goes untested in silence; a name that nobody knows is an error.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from outthink.agent.pages import renderer
from outthink.core.component import Parts
from outthink.core.errors import OutthinkError
from outthink.engines.local import models
from outthink.engines.local.library import wheel_library
from outthink.verify.code import Code
from outthink.verify.extras import require
from tests.laws.law import FULL

VARIABLE = "OUTTHINK_TESTS_NEED"
ALL = "all"
full_size = pytest.mark.skipif(not FULL, reason="at full size only: make laws")
"""For what is a matter of size and not of the machine: `OUTTHINK_TESTS_NEED` says nothing about it."""
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where the published files of tasks lie beside a checkout; they are not part of the project."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def refused(*asked: Callable[[], object]) -> str:
    """What the first of these refuses with; "" where all of them go through."""
    for ask in asked:
        try:
            ask()
        except OutthinkError as error:
            return str(error)
    return ""


def packages(extra: str, *modules: str) -> Callable[[], str]:
    """A need of packages that one extra brings."""
    return partial(refused, *(partial(require, module, extra=extra, needed_by="these tests") for module in modules))


def sandbox() -> str:
    """Why code cannot be isolated. Asked anew each time: so does the product."""
    return refused(lambda: Code(tests=("assert True",)).build(Parts()))


def browser() -> str:
    """Why no page can be opened in a browser."""
    if CHROMIUM is None:
        return "Chromium is not installed (on Debian: apt-get install chromium)"
    return packages("dev", "playwright")()


def postgres_programs() -> Path | None:
    """Where Debian's package, or another one, keeps PostgreSQL's programs."""
    for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (place / "initdb").exists():
            return place
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def postgres() -> str:
    """Why no PostgreSQL can be started; it refuses to run as root."""
    if postgres_programs() is None:
        return "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return (
            "PostgreSQL does not run as root, and there is no user 'postgres' to run it as (adduser --system postgres)"
        )
    return packages("postgres", "psycopg")()


def cuda() -> str:
    """Why nothing can be computed on a graphics card."""
    lacking = packages("diffusion", "torch")()
    if not lacking:
        import torch

        lacking = "" if torch.cuda.is_available() else "there is no CUDA device (or torch is built without CUDA)"
    return lacking


def data_files() -> str:
    """Why the published files of tasks cannot be read."""
    return (
        ""
        if DATA.is_dir()
        else f"the published files of tasks (GSM8K, MATH-500, ...) are not there: put them into {DATA}"
    )


NEEDS: dict[str, Callable[[], str]] = {
    "botorch": packages("tune", "botorch"),
    "boxed-browser": partial(refused, renderer),
    "browser": browser,
    "certificates": packages("keyring", "cryptography"),
    "cuda": cuda,
    "data-files": data_files,
    "diffusers": packages("diffusion", "torch", "diffusers"),
    "http2": packages("http2", "h2"),
    "keyring": packages("keyring", "keyring"),
    "llama-cpp": partial(refused, wheel_library),
    "llguidance": packages("local", "llguidance"),
    "local-model": partial(refused, wheel_library, models.path),
    "math-verify": packages("math", "math_verify"),
    "matplotlib": packages("bench", "matplotlib"),
    "parquet": packages("parquet", "pyarrow"),
    "postgres": postgres,
    "ray": packages("ray", "ray"),
    "reasoning-gym": packages("bench", "reasoning_gym"),
    "sandbox": sandbox,
    "serve": packages("serve", "starlette", "uvicorn"),
    "sklearn": packages("train", "sklearn"),
    "telemetry": packages("dev", "opentelemetry", "opentelemetry.sdk"),
    "torch": packages("diffusion", "torch"),
    "transformers": packages("local-torch", "torch", "transformers"),
}


@cache
def demanded(said: str) -> frozenset[str]:
    """The names in OUTTHINK_TESTS_NEED. Raises `pytest.UsageError` at one that is none."""
    names = frozenset(said.replace(",", " ").split())
    if strange := sorted(names - {*NEEDS, ALL}):
        raise pytest.UsageError(f"{VARIABLE} names {', '.join(strange)}; known are {ALL}, {', '.join(sorted(NEEDS))}")
    return frozenset(NEEDS) if ALL in names else names


def need(*names: str) -> None:
    """Go on where everything that is named is there; else skip, or fail where it must be there."""
    __tracebackhide__ = True  # the place that is reported is the one that needs it
    for name in names:
        if why := NEEDS[name]():
            if name in demanded(os.environ.get(VARIABLE, "")):
                pytest.fail(f"{VARIABLE} says that {name} is here, and it is not: {why}", pytrace=False)
            pytest.skip(f"needs {name}: {why}", allow_module_level=True)
