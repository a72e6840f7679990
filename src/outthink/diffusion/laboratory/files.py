"""How the laboratory's image models are kept: NAME.safetensors with weights in half precision, and what they are in its metadata.

Writing is the training's business (`outthink train digits`), reading `load` and `classifier`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
from torch import nn

from outthink.core.errors import InputError, ModelMissing, explain
from outthink.core.settings import Settings
from outthink.numerics.types import FloatArray
from outthink.verify.tensor_file import read_tensors, write_tensors

S = TypeVar("S", bound=Settings)

HERE = Path(__file__).parent
ENDING = ".safetensors"
SHIPPED = ("digits-diffusion", "digits-flow", "digits-classifier")


def write_model(path: Path, network: nn.Module, shape: Settings, more: Mapping[str, FloatArray], **said: str) -> None:
    """Weights in half precision, tables `more` in single, and the network's sizes with whatever else is `said` of it."""
    weights = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    tables = {name: np.asarray(value, np.float32) for name, value in more.items()}
    write_tensors(path, {**weights, **tables}, {"shape": msgspec.json.encode(shape).decode(), **said})


def read_model(name: str, folder: Path | None, kind: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and metadata of a model of this `kind`. Raises `ModelMissing` or `InputError`, with the command that makes it."""
    path = (HERE if folder is None else Path(folder).expanduser()) / f"{name}{ENDING}"
    if not path.is_file():
        data = name.split("-")[0]
        images = "" if data == "digits" else " --folder <its IDX files>"
        raise ModelMissing(
            explain(
                f"There is no file of the model {name!r}.",
                got=f"no {path.name} in {'the package' if folder is None else path.parent}",
                expected=f"one of {', '.join(SHIPPED)}, or a folder with {path.name}",
                remedy=f"Run: outthink train digits --data {data}{images} --out FOLDER; then give folder=FOLDER.",
            )
        )
    tensors, said = read_tensors(path)
    if said.get("kind") != kind or "shape" not in said:
        raise InputError(
            explain(
                f"The file {path.name!r} holds no {kind}.",
                got=said.get("kind", "a file of something else"),
                expected=kind,
                remedy="Give a file that outthink train digits wrote.",
            )
        )
    return tensors, said


def filled(network: nn.Module, tensors: Mapping[str, Any], file: str) -> None:
    """The network with the weights of a file, in single precision. Raises `InputError` where they are not this network's."""
    mine = network.state_dict()
    wrong = [name for name, value in mine.items() if name not in tensors or tensors[name].shape != tuple(value.shape)]
    if wrong:
        name = wrong[0]
        got = f"one of shape {list(tensors[name].shape)}" if name in tensors else "none"
        raise InputError(
            explain(
                f"The weights in {file} are not those of the network that it names.",
                got=f"{got} as {name}",
                expected=f"{name} of shape {list(mine[name].shape)}",
                remedy="Make the file again by outthink train digits.",
            )
        )
    network.load_state_dict({name: torch.from_numpy(np.array(tensors[name], np.float32)) for name in mine})


def shape_of(said: Mapping[str, str], kind: type[S]) -> S:
    """The sizes that a file names."""
    return msgspec.json.decode(said["shape"], type=kind)
