"""Just enough of the GGUF format to read a file's list of tensors and to write the same file with some of them stored otherwise.

Layout (GGUF version 3): magic, version, number of tensors, number of metadata entries; the entries; one record a tensor (name, sizes, type,
offset); then, aligned, the tensors' data. Metadata is copied byte for byte. Source: ggml's docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from outthink.core.errors import ModelMissing, explain

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
ALIGNMENT: Final = 32
_STRING, _ARRAY = 8, 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@dataclass(frozen=True)
class TensorRecord:
    """One tensor: its sizes (fastest first), ggml type, and where its data lie in the file, in bytes."""

    name: str
    sizes: tuple[int, ...]
    type: int
    offset: int
    bytes: int


@dataclass(frozen=True)
class GgufFile:
    """A file's head: version, the metadata as bytes, where each entry's value stands in them, alignment and tensors."""

    path: Path
    version: int
    entries: int
    metadata: bytes
    values: dict[str, int]
    alignment: int
    tensors: tuple[TensorRecord, ...]

    def data(self, tensor: TensorRecord) -> NDArray[np.uint8]:
        """The bytes of one tensor."""
        return np.fromfile(self.path, dtype=np.uint8, count=tensor.bytes, offset=tensor.offset)


def read(path: Path) -> GgufFile:
    """The head of a GGUF file. Raises `ModelMissing` for what is not one."""
    try:
        with path.open("rb") as stream:
            return _read(path, stream)
    except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
        raise ModelMissing(
            explain(
                f"The file {path.name!r} cannot be read as GGUF.",
                got=f"{type(error).__name__}: {error}",
                expected="a whole GGUF file of version 2 or 3",
                remedy="Fetch the file again.",
            )
        ) from error


def write(
    source: GgufFile,
    target: Path,
    metadata: bytes,
    types: dict[str, int],
    encode: Callable[[TensorRecord], NDArray[np.uint8]],
) -> None:
    """Write `source` with other metadata, with other types for some tensors, and each tensor's data as `encode` gives them."""
    encoded = {tensor.name: encode(tensor) for tensor in source.tensors}
    head = bytearray(MAGIC + struct.pack("<IQQ", source.version, len(source.tensors), source.entries) + metadata)
    offset = 0
    for tensor in source.tensors:
        name = tensor.name.encode()
        head += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.sizes))
        head += struct.pack(f"<{len(tensor.sizes)}Q", *tensor.sizes)
        head += struct.pack("<IQ", types.get(tensor.name, tensor.type), offset)
        offset += _up(len(encoded[tensor.name]), source.alignment)
    with target.open("wb") as stream:
        stream.write(head)
        stream.write(bytes(_up(len(head), source.alignment) - len(head)))
        for tensor in source.tensors:
            data = encoded[tensor.name]
            stream.write(data.tobytes())
            stream.write(bytes(_up(len(data), source.alignment) - len(data)))


def _read(path: Path, stream: BinaryIO) -> GgufFile:
    magic = stream.read(len(MAGIC))
    version, count, entries = struct.unpack("<IQQ", stream.read(20))
    if magic != MAGIC or version not in VERSIONS:
        raise ValueError(f"magic {magic!r}, version {version}")
    begin, values = stream.tell(), {}
    for _ in range(entries):
        key = _string(stream)
        (kind,) = struct.unpack("<I", stream.read(4))
        values[key] = stream.tell() - begin
        _skip(stream, kind)
    end = stream.tell()
    stream.seek(begin)
    metadata = stream.read(end - begin)
    alignment = ALIGNMENT
    if "general.alignment" in values:
        (alignment,) = struct.unpack_from("<I", metadata, values["general.alignment"])
    records = []
    for _ in range(count):
        name = _string(stream)
        (dimensions,) = struct.unpack("<I", stream.read(4))
        sizes = struct.unpack(f"<{dimensions}Q", stream.read(8 * dimensions))
        kind, offset = struct.unpack("<IQ", stream.read(12))
        records.append(TensorRecord(name, sizes, kind, offset, 0))
    start, size = _up(stream.tell(), alignment), path.stat().st_size - _up(stream.tell(), alignment)
    ends = sorted([record.offset for record in records] + [size])
    if ends[-1] != size:
        raise ValueError("the file is cut short")
    following = dict(pairwise(ends))
    tensors = tuple(
        replace(record, offset=start + record.offset, bytes=following[record.offset] - record.offset)
        for record in records
    )
    return GgufFile(path, version, entries, metadata, values, alignment, tensors)


def _string(stream: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", stream.read(8))
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("the file is cut short")
    return data.decode()


def _skip(stream: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _string(stream)
    elif kind == _ARRAY:
        inner, count = struct.unpack("<IQ", stream.read(12))
        if inner in _SIZES:
            stream.seek(_SIZES[inner] * count, 1)
        else:
            for _ in range(count):
                _skip(stream, inner)
    else:
        stream.seek(_SIZES[kind], 1)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
