"""Tensors in one file, in the safetensors format: a length, a JSON head, and the numbers. Holds no program, and is read with numpy alone.

Source: the format's description by Hugging Face (8 bytes of length, little-endian; name -> dtype, shape, data_offsets; `__metadata__`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from outthink.core.errors import InputError, explain

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
LONGEST_HEAD = 100_000_000
METADATA = "__metadata__"


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a file; the one that was there is replaced whole or not at all."""
    names = {np.dtype(code): name for name, code in DTYPES.items()}
    head: dict[str, Any] = {METADATA: dict(metadata)}
    parts, offset = [], 0
    for name, tensor in tensors.items():
        data = np.ascontiguousarray(tensor).tobytes()
        place = [offset, offset + len(data)]
        head[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": place}
        parts.append(data)
        offset += len(data)
    text = msgspec.json.encode(head)
    text += b" " * (-len(text) % 8)
    made = path.with_name(path.name + ".part")
    made.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    made.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a file. Raises `InputError` for what is not one."""
    try:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        if not 0 < length <= min(LONGEST_HEAD, len(data) - 8):
            raise ValueError(f"a head of {length} bytes in a file of {len(data)}")
        head = msgspec.json.decode(data[8 : 8 + length], type=dict[str, dict[str, Any]])
        body = data[8 + length :]
        metadata = {str(key): str(value) for key, value in head.pop(METADATA, {}).items()}
        return {name: _tensor(body, entry) for name, entry in head.items()}, metadata
    except OSError as error:
        raise InputError(
            explain(
                "The file cannot be read.", got=str(error), expected="a file of tensors", remedy="Correct the path."
            )
        ) from None
    except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise InputError(
            explain(
                f"The file {path.name!r} holds no tensors.",
                got=str(error) or type(error).__name__,
                expected="the safetensors format",
                remedy="Give the file that training wrote.",
            )
        ) from None


def _tensor(body: bytes, entry: Mapping[str, Any]) -> NDArray[Any]:
    start, stop = entry["data_offsets"]
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
    if not 0 <= start <= stop <= len(body) or stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a tensor of shape {shape} at {start}:{stop}")
    return np.frombuffer(body[start:stop], dtype).reshape(shape)
