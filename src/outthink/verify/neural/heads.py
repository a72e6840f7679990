"""Heads of reward models, read from their files by name: one linear layer, or several with ReLU between them.

Models of this kind bring code of their own for a few lines of head. That code is never run: what the tensors are called says enough.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import safe_open
from transformers.utils import cached_file

from outthink.core.errors import Incompatible, explain
from outthink.engines.torch.settings import Transformers
from outthink.engines.torch.weights import place_of

NAMES = ("score", "classifier", "v_head.summary", "v_head", "value_head", "reward_head", "rm_head")
"""What heads are called, in the order in which they are looked for."""


def load_head(settings: Transformers, name: str = "") -> Any:
    """The head as a module, in float32. `name`: of its tensors; "" looks for the usual ones. Raises `Incompatible`."""
    places = _places(settings)
    for head in (name,) if name else NAMES:
        pattern = re.compile(re.escape(head) + r"(?:\.(\d+))?\.(weight|bias)")
        found = {key: match for key in places if (match := pattern.fullmatch(key))}
        if any(match[2] == "weight" for match in found.values()):
            layers: dict[int, dict[str, Any]] = {}
            for key, match in found.items():
                layers.setdefault(int(match[1] or 0), {})[match[2]] = _tensor(places[key], key)
            return _stacked([layers[i] for i in sorted(layers)])
    raise Incompatible(
        explain(
            "The model has no head that is known.",
            got=f"{settings.model}, with tensors such as {', '.join(sorted(places)[-3:])}",
            expected="a head called " + " or ".join((name,) if name else NAMES),
            remedy="Name the head's tensors in `head`, or take a format that reads words.",
        )
    )


def _stacked(layers: list[dict[str, Any]]) -> Any:
    modules: list[Any] = []
    for i, layer in enumerate(layers):
        weight = layer["weight"].float()
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in layer)
        with torch.no_grad():
            linear.weight.copy_(weight)
            if "bias" in layer:
                linear.bias.copy_(layer["bias"].float())
        modules += [linear] if i == 0 else [torch.nn.ReLU(), linear]
    return torch.nn.Sequential(*modules).eval().requires_grad_(False)


def _places(settings: Transformers) -> dict[str, Path]:
    """In which file each tensor of the model lies."""
    index = _file(settings, "model.safetensors.index.json")
    if index is not None:
        table = msgspec.json.decode(index.read_bytes())["weight_map"]
        files = {name: _file(settings, name) for name in set(table.values())}
        return {key: found for key, name in table.items() if (found := files[name]) is not None}
    whole = _file(settings, "model.safetensors")
    if whole is None:
        return {}
    with safe_open(str(whole), framework="pt") as opened:
        return dict.fromkeys(opened.keys(), whole)


def _file(settings: Transformers, name: str) -> Path | None:
    found = cached_file(
        place_of(settings.model),
        name,
        revision=settings.revision or "main",
        _raise_exceptions_for_missing_entries=False,
    )
    return None if found is None else Path(found)


def _tensor(path: Path, key: str) -> Any:
    with safe_open(str(path), framework="pt") as opened:
        return opened.get_tensor(key)
