"""Metadata of a GGUF file, written from plain values: what `gguf.write` needs besides the tensors for a file made from scratch.

    head = head_of(path, {"general.architecture": "llama", "llama.block_count": 4}, (TensorRecord("output.weight", (192, 256), 8, 0, 0),))
    gguf.write(head, path, head.metadata, {}, encode)

Whole numbers are written with 32 bits, unsigned; lists are of texts or of whole numbers (signed). Source: ggml's docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from outthink.engines.local.gguf import ALIGNMENT, GgufFile, TensorRecord

Value: TypeAlias = str | bool | int | float | Sequence[str] | Sequence[int]

VERSION: Final = 3
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def head_of(path: Path, entries: Mapping[str, Value], tensors: Sequence[TensorRecord]) -> GgufFile:
    """The head of a file that does not exist yet; offsets and sizes in bytes are found when it is written."""
    metadata, values = bytearray(), {}
    for key, value in entries.items():
        kind, data = _written(value)
        metadata += _text(key) + struct.pack("<I", kind)
        values[key] = len(metadata)
        metadata += data
    return GgufFile(path, VERSION, len(entries), bytes(metadata), values, ALIGNMENT, tuple(tensors))


def _written(value: Value) -> tuple[int, bytes]:
    """The type's number and the bytes of one value."""
    match value:
        case str():
            return _STRING, _text(value)
        case bool():
            return _BOOL, struct.pack("<?", value)
        case int():
            return _UINT32, struct.pack("<I", value)
        case float():
            return _FLOAT32, struct.pack("<f", value)
    inner = _INT32 if value and isinstance(value[0], int) else _STRING
    items = [struct.pack("<i", item) if isinstance(item, int) else _text(item) for item in value]
    return _ARRAY, struct.pack("<IQ", inner, len(items)) + b"".join(items)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
