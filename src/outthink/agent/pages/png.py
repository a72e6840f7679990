"""Pictures as Chromium hands them out, and the one that it is given for every image of a page. No more of PNG than these two need.

Source: PNG (Portable Network Graphics) Specification, third edition, W3C (2025), chapters 5, 9 and 11.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Pixels, [height, width, 3], red, green and blue."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}


def read(data: bytes) -> Picture:
    """The pixels; transparency is dropped. Raises ValueError for what is no PNG of 8-bit colours in plain order."""
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG")
    at, header, packed = len(SIGNATURE), b"", b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, colours, _, _, order = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colours not in _CHANNELS or order != 0:
        raise ValueError(f"a PNG of depth {depth}, colours {colours} and order {order}")
    n = _CHANNELS[colours]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * n)
    before = np.zeros((width, n), np.uint8)
    pixels = np.empty((height, width, n), np.uint8)
    for i, row in enumerate(rows):
        before = pixels[i] = _unfiltered(int(row[0]), row[1:].reshape(width, n), before)
    return np.ascontiguousarray(pixels[:, :, :3])


def _unfiltered(how: int, row: Picture, above: Picture) -> Picture:
    """A row as it was before its filter; sums are modulo 256."""
    if how == 0:
        return row
    if how == 1:
        return np.cumsum(row, axis=0, dtype=np.uint8)
    if how == 2:
        return row + above
    if how not in (3, 4):
        raise ValueError(f"a PNG with the filter {how}")
    out = np.empty_like(row)
    for channel in range(row.shape[1]):
        left, corner = 0, 0
        values = []
        for value, up in zip(row[:, channel].tolist(), above[:, channel].tolist(), strict=True):
            left = (value + ((left + up) // 2 if how == 3 else _paeth(left, up, corner))) % 256
            corner = up
            values.append(left)
        out[:, channel] = values
    return out


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
    return (left, up, corner)[distances.index(min(distances))]


def flat(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A PNG of one colour."""
    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
