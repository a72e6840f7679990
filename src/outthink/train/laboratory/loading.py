"""A network back from its GGUF file: where another training goes on from shipped weights. Rounding to 8 bits stays as it is.

load_network(Path("laboratory.gguf"), Shape(), more=2)      # with two further layers on top, which begin by changing nothing
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from outthink.core.errors import Incompatible, explain
from outthink.core.settings import replace
from outthink.engines.local import gguf
from outthink.engines.local.weights import BLOCK
from outthink.numerics.types import FloatArray
from outthink.train.laboratory.export import tensor_name
from outthink.train.laboratory.network import Network
from outthink.train.laboratory.settings import Shape

BLOCK_BYTES = 2 + BLOCK
"""Of a Q8_0 block: its scale in half precision, and its values in 8 bits each."""


def load_network(path: Path, shape: Shape, *, more: int = 0) -> Network:
    """The network in a file that `outthink.train.laboratory.export` wrote, with `more` layers on top.

    What new layers write into the stream begins at zero, so that the network begins as it was. Raises `Incompatible` for a file of
    another shape than `shape`.
    """
    network = Network(replace(shape, layers=shape.layers + more), torch.Generator().manual_seed(0))
    head = gguf.read(path)
    records = {record.name: record for record in head.tensors}
    new = tuple(f"layers.{shape.layers + i}." for i in range(more))
    for name, parameter in network.named_parameters():
        if name.startswith(new):
            if name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(parameter)
            continue
        record = records.get(tensor_name(name))
        if record is None or record.sizes[::-1] != tuple(parameter.shape):
            raise Incompatible(
                explain(
                    f"The file {path.name!r} holds another network.",
                    got=f"{tensor_name(name)}: {None if record is None else record.sizes[::-1]}",
                    expected=str(tuple(parameter.shape)),
                    remedy="Give the file of a laboratory model of this shape.",
                )
            )
        values = _values(head.data(record), parameter.numel(), blocks=parameter.dim() == 2)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values.reshape(parameter.shape)))
    return network


def _values(raw: np.ndarray, count: int, *, blocks: bool) -> FloatArray:
    """The numbers behind a tensor's bytes, [count]."""
    if not blocks:
        return np.array(raw[: 4 * count].view("<f4"), dtype=np.float32)
    rows = raw[: count // BLOCK * BLOCK_BYTES].reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(rows[:, :2]).view(np.float16).astype(np.float32)
    return np.asarray(scales * np.ascontiguousarray(rows[:, 2:]).view(np.int8), dtype=np.float32)
