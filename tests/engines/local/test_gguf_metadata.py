from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outthink.engines.local import gguf
from outthink.engines.local.gguf_metadata import head_of
from outthink.engines.local.weights import quantised


def test_a_file_made_from_values_is_read_back(tmp_path: Path) -> None:
    values = {
        "general.architecture": "llama",
        "general.name": "Größe",
        "a.count": 7,
        "a.share": 0.5,
        "a.flag": True,
        "a.texts": ["x", "yz", ""],
        "a.numbers": [3, -1, 2],
        "a.nothing": [],
    }
    first, second = np.arange(64, dtype=np.float32), np.arange(5, dtype=np.float32)
    tensors = (gguf.TensorRecord("one", (32, 2), 0, 0, 0), gguf.TensorRecord("two", (5,), 0, 0, 0))

    def encode(tensor: gguf.TensorRecord) -> NDArray[np.uint8]:
        return (first if tensor.name == "one" else second).view(np.uint8)

    path = tmp_path / "made.gguf"
    head = head_of(path, values, tensors)
    gguf.write(head, path, head.metadata, {}, encode)
    found = gguf.read(path)
    assert list(found.values) == list(values)
    assert [(tensor.name, tensor.sizes, tensor.type) for tensor in found.tensors] == [
        ("one", (32, 2), 0),
        ("two", (5,), 0),
    ]
    one, two = (found.data(tensor).view(np.float32) for tensor in found.tensors)
    assert np.array_equal(one[:64], first)
    assert np.array_equal(two[:5], second)
    at = found.values
    assert struct.unpack_from("<I", found.metadata, at["a.count"]) == (7,)
    assert struct.unpack_from("<f", found.metadata, at["a.share"]) == (0.5,)
    assert struct.unpack_from("<?", found.metadata, at["a.flag"]) == (True,)
    assert struct.unpack_from("<IQ3i", found.metadata, at["a.numbers"]) == (5, 3, 3, -1, 2)
    assert struct.unpack_from("<IQQ1s", found.metadata, at["a.texts"]) == (8, 3, 1, b"x")
    assert struct.unpack_from("<IQ", found.metadata, at["a.nothing"]) == (8, 0)


def test_quantised_blocks_are_within_half_a_step_of_the_values() -> None:
    values = np.random.Generator(np.random.Philox(key=1)).normal(size=(50, 32)).astype(np.float32)
    values[0] = 0.0
    blocks = quantised(values)
    steps = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    found = steps * blocks[:, 2:].view(np.int8)
    # Half a step for rounding, and 127 times half a unit in the last place of the step, which is stored in half precision.
    assert (np.abs(found - values) <= 0.5 * steps + 127 * 2.0**-11 * steps + 1e-7).all()
    assert (found[0] == 0).all()
