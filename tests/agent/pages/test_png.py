"""PNG as far as Chromium needs it: every filter undone, what is not understood refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from outthink.agent.pages.png import SIGNATURE, flat, read


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(pixels: np.ndarray, how: int) -> bytes:
    """The picture as a PNG whose rows all have this filter, pixel by pixel by the words of the specification."""
    height, width, n = pixels.shape
    rows = b""
    for y in range(height):
        rows += bytes([how])
        for x in range(width):
            for channel in range(n):
                left = int(pixels[y, x - 1, channel]) if x else 0
                up = int(pixels[y - 1, x, channel]) if y else 0
                corner = int(pixels[y - 1, x - 1, channel]) if x and y else 0
                guess = left + up - corner
                order = sorted(((abs(guess - v), i, v) for i, v in enumerate((left, up, corner))))
                predicted = (0, left, up, (left + up) // 2, order[0][2])[how]
                rows += bytes([(int(pixels[y, x, channel]) - predicted) % 256])
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if n == 3 else 6, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("how", range(5))
@pytest.mark.parametrize("n", [3, 4])
def test_every_filter_is_undone(how: int, n: int) -> None:
    pixels = np.random.default_rng(how).integers(0, 256, (7, 9, n)).astype(np.uint8)
    assert np.array_equal(read(filtered(pixels, how)), pixels[:, :, :3])


def test_what_is_written_is_read() -> None:
    picture = read(flat(5, 3, (10, 200, 30)))
    assert picture.shape == (3, 5, 3)
    assert (picture == [10, 200, 30]).all()


@pytest.mark.parametrize(
    "data",
    [b"GIF89a", flat(2, 2, (0, 0, 0)).replace(b"\x08\x02\x00\x00\x00", b"\x10\x02\x00\x00\x00")],
    ids=["no PNG", "sixteen bits"],
)
def test_what_it_cannot_read_it_refuses(data: bytes) -> None:
    with pytest.raises(ValueError, match="PNG"):
        read(data)
