"""A head on hidden states, as one file: weights, calibration, and whose states it reads.

    head = load_head_file(Path("gcd.safetensors"))
    head.chances(states)                      # [n], how likely each answer is right

A linear head means something on the states of one model only; the file holds that model's digest, and `check_model` refuses others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from outthink.core.errors import Incompatible, InputError, explain
from outthink.core.verifier import ScoreKind
from outthink.engines.engine import Engine
from outthink.engines.fingerprint import Fingerprinted
from outthink.engines.recording import RecordingEngine
from outthink.numerics.types import FloatArray
from outthink.verify.calibrate import Curve, curve_of
from outthink.verify.tensor_file import read_tensors, write_tensors

FORMAT = "outthink reward head 1"


@dataclass(frozen=True)
class Head:
    """A linear head with its calibration.

    Attributes:
        weights: [width]. offset: added. The logit of a state is weights @ state + offset.
        curve: from logits to chances.
        model: digest of the model whose states it reads; `model_name`: the same for people.
        kind: whether it rates finished answers, or every prefix that ends with a step.
        facts: how it was made and how well it did, for people.
    """

    weights: FloatArray
    offset: float
    curve: Curve
    model: str
    model_name: str = ""
    kind: ScoreKind = ScoreKind.OUTCOME
    facts: Mapping[str, str] = field(default_factory=dict)

    def logits(self, states: FloatArray) -> FloatArray:
        """[n] nats before calibration; `states` [n, width]."""
        return np.asarray(states @ self.weights + self.offset)

    def chances(self, states: FloatArray) -> FloatArray:
        """How likely each is right, [n]."""
        return self.curve(self.logits(states))

    def check_model(self, engine: object) -> None:
        """Raise `Incompatible` unless the engine runs the model that this head was trained on."""
        engine = engine.engine if isinstance(engine, RecordingEngine) else engine
        name = engine.name if isinstance(engine, Engine) else type(engine).__name__
        if not isinstance(engine, Fingerprinted):
            raise Incompatible(
                explain(
                    "A reward head reads the hidden states of one model, and this engine cannot say which model it runs.",
                    got=name,
                    expected="the engine 'local' or 'transformers' with " + (self.model_name or self.model),
                    remedy="Set --model local, or use another verifier.",
                )
            )
        if engine.fingerprint != self.model:
            raise Incompatible(
                explain(
                    "This reward head was trained on the hidden states of another model; on these they mean something else.",
                    got=f"{name}, weights {_short(engine.fingerprint)}",
                    expected=f"{self.model_name}, weights {_short(self.model)}",
                    remedy="Use that model, or train a head for this one: outthink train head.",
                )
            )


def save_head_file(path: Path, head: Head) -> None:
    """Write the head."""
    tensors = {
        "weights": head.weights.astype(np.float32),
        "offset": np.array([head.offset]),
        **head.curve.tensors(),
    }
    said = {"format": FORMAT, "model": head.model, "model_name": head.model_name, "kind": head.kind.value}
    write_tensors(path, tensors, {**{f"fact.{name}": text for name, text in head.facts.items()}, **said})


def load_head_file(path: Path) -> Head:
    """The head in a file. Raises `InputError`."""
    tensors, said = read_tensors(path)
    weights = tensors.get("weights")
    if said.get("format") != FORMAT or weights is None or weights.ndim != 1 or "offset" not in tensors:
        raise InputError(
            explain(
                f"The file {path.name!r} is no reward head.",
                got=said.get("format", "no format"),
                expected=FORMAT,
                remedy="Make one with outthink train head.",
            )
        )
    return Head(
        weights=weights.astype(np.float64),
        offset=float(tensors["offset"][0]),
        curve=curve_of(tensors),
        model=said.get("model", ""),
        model_name=said.get("model_name", ""),
        kind=ScoreKind(said.get("kind", ScoreKind.OUTCOME.value)),
        facts={name.removeprefix("fact."): text for name, text in said.items() if name.startswith("fact.")},
    )


def _short(digest: str) -> str:
    return digest[:20]
