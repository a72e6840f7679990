"""A search's samples as picture files: one each, and all on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from outthink.core.errors import InputError, explain
from outthink.diffusion.pictures import contact_sheet, pictures

SHEET = "sheet.png"
SHEET_PIXELS = 960
"""About how wide a sheet may become, in pixels; small images are enlarged towards it."""

COLUMNS = 8
LARGEST = 16
"""The most that a pixel of a sheet is enlarged."""


@dataclass(frozen=True)
class Gallery:
    """The files written: one a sample, in their order, and the sheet (None where there was nothing to show)."""

    samples: tuple[Path, ...]
    sheet: Path | None


def write_gallery(folder: Path, samples: Sequence[torch.Tensor]) -> Gallery:
    """Write images [c, h, w] in [-1, 1] as sample-00.png, ... in their own size, and sheet.png.

    Raises `InputError` for a folder that cannot be written and samples that are no images.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not samples:
            return Gallery((), None)
        images = torch.stack([sample.detach().cpu().float() for sample in samples])
        digits = max(2, len(str(len(images) - 1)))
        paths = tuple(folder / f"sample-{i:0{digits}}.png" for i in range(len(images)))
        for path, picture in zip(paths, pictures(images), strict=True):
            picture.save(path)
        columns = min(COLUMNS, len(images))
        scale = max(1, min(LARGEST, SHEET_PIXELS // (columns * (images.shape[3] + 1))))
        contact_sheet(images, columns=columns, scale=scale).save(folder / SHEET)
    except OSError as error:
        raise InputError(
            explain(
                "The pictures cannot be written.",
                got=f"{folder}: {error.strerror or error}",
                expected="a folder that can be written",
                remedy="Choose another one with --out.",
            )
        ) from error
    return Gallery(paths, folder / SHEET)
