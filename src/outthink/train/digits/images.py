"""The images: scikit-learn's 8 x 8 digits, or IDX files of 28 x 28 ones, with pixels in [-1, 1], split by a seed.

images = read("digits", None, held_out=0.2, key=Key(1))
images = read("mnist", Path("data"), ...)            # whichever of train-* and t10k-* lie there, gzipped or not
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from outthink.core.errors import InputError, explain
from outthink.core.key import Key
from outthink.verify.extras import require

PIXELS, LABELS = 2051, 2049
"""The numbers with which IDX files of images and of labels begin."""


@dataclass(frozen=True)
class Images:
    """Images [n, 1, side, side] and their classes [n], those trained on and those held out; `source`: where they are from."""

    images: torch.Tensor
    labels: torch.Tensor
    held_images: torch.Tensor
    held_labels: torch.Tensor
    source: str


def read(data: str, folder: Path | None, *, held_out: float, key: Key) -> Images:
    """The images of `data`. Raises `InputError` for a folder without such files."""
    pixels, labels, source = _digits() if data == "digits" else _idx(folder)
    order = key.child("held out").rng().permutation(len(labels))
    cut = round(held_out * len(labels))
    x = torch.from_numpy(pixels.astype(np.float32))[:, None]
    y = torch.from_numpy(labels.astype(np.int64))
    held, kept = torch.from_numpy(order[:cut]), torch.from_numpy(order[cut:])
    return Images(x[kept], y[kept], x[held], y[held], source)


def shifted(images: torch.Tensor, most: int) -> torch.Tensor:
    """Each image moved by a random whole number of pixels, at most `most` each way, and filled up with background."""
    if not most:
        return images
    n, _, side, _ = images.shape
    wide = torch.nn.functional.pad(images, (most,) * 4, value=-1.0)
    down, right = torch.randint(0, 2 * most + 1, (2, n))
    at = torch.arange(side)
    rows = (down[:, None] + at)[:, None, :, None]
    columns = (right[:, None] + at)[:, None, None, :]
    return wide[torch.arange(n)[:, None, None, None], 0, rows, columns]


def _digits() -> tuple[NDArray[Any], NDArray[Any], str]:
    require("sklearn", extra="train", needed_by="trainings on 8 x 8 digits")
    from sklearn.datasets import load_digits

    found = load_digits()
    return (
        found.images / 8.0 - 1.0,
        found.target,
        "scikit-learn's `load_digits`: 1,797 images (UCI, handwritten digits)",
    )


def _idx(folder: Path | None) -> tuple[NDArray[Any], NDArray[Any], str]:
    pixels, labels, names = [], [], []
    for part in ("train", "t10k"):
        found = [
            next(iter(sorted(folder.glob(f"*{part}-{what}*"))), None) if folder is not None else None
            for what in ("images", "labels")
        ]
        if found[0] is not None and found[1] is not None:
            pixels.append(_table(found[0], PIXELS))
            labels.append(_table(found[1], LABELS))
            names.append(f"{part} ({len(labels[-1]):,} images)")
    if not names:
        raise InputError(
            explain(
                "MNIST needs a folder with its IDX files.",
                got="no folder" if folder is None else f"none in {folder}",
                expected="train-images*, train-labels* or t10k-images*, t10k-labels*, gzipped or not",
                remedy="Give --folder FOLDER with at least the t10k files.",
            )
        )
    return np.concatenate(pixels) / 127.5 - 1.0, np.concatenate(labels), f"MNIST, {' and '.join(names)}"


def _table(path: Path, magic: int) -> NDArray[np.uint8]:
    """What an IDX file holds: a magic number, its axes, and bytes."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        head = np.frombuffer(raw[:4], ">i4")
        axes = int(head[0]) & 0xFF
        shape = np.frombuffer(raw[4 : 4 + 4 * axes], ">i4").tolist()
        if head[0] != magic or axes > 3:
            raise ValueError(f"it begins with {int(head[0])}, not {magic}")
        return np.frombuffer(raw[4 + 4 * axes :], np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise InputError(
            explain(
                f"{path.name} is no IDX file of {'images' if magic == PIXELS else 'labels'}.",
                got=str(error),
                expected="the format of MNIST's own files",
                remedy="Fetch the file again.",
            )
        ) from None
