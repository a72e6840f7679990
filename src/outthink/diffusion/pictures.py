"""Images as pictures: for people, for compressors, and for judges behind an API. Needs pillow, which diffusers brings.

contact_sheet(images, columns=8).save("sheet.png")       # images [n, c, h, w] in [-1, 1], c = 1 or 3
data_url(pictures(images)[0])                            # "data:image/png;base64,..."
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Literal

import torch

from outthink.core.errors import InputError, explain
from outthink.verify.extras import require

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["png", "jpeg"]
GAP, BETWEEN = 1, 96
"""Pixels between the images of a contact sheet, before it is enlarged, and their grey."""


def pictures(images: torch.Tensor, *, scale: int = 1) -> list[Image]:
    """Each image as a picture, every pixel `scale` pixels wide; what lies outside [-1, 1] is clipped.

    Args:
        images: [n, 1, h, w] grey or [n, 3, h, w] colours.
    """
    require("PIL", extra="diffusion", needed_by="pictures")
    from PIL import Image

    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(
            explain(
                "These are no images.",
                got=f"samples of shape {list(images.shape)}",
                expected="[n, 1, height, width] or [n, 3, height, width]",
                remedy="Decode latents first: `decode` of DenoisingProcess.",
            )
        )
    host = (images.detach().float().nan_to_num(-1.0).clamp(-1, 1).add(1).mul(127.5).round()).byte().cpu()
    wide = host.repeat_interleave(scale, 2).repeat_interleave(scale, 3).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(one[:, :, 0] if one.shape[2] == 1 else one) for one in wide]


def contact_sheet(images: torch.Tensor, *, columns: int = 10, scale: int = 4) -> Image:
    """All images [n, c, h, w] on one picture, row by row."""
    require("PIL", extra="diffusion", needed_by="pictures")
    from PIL import Image

    parts = pictures(images, scale=scale)
    height, width = ((size + GAP) * scale for size in images.shape[2:])
    rows = -(-len(parts) // columns)
    grey = images.shape[1] == 1
    back = BETWEEN if grey else (BETWEEN,) * 3
    sheet = Image.new("L" if grey else "RGB", (columns * width + GAP * scale, rows * height + GAP * scale), back)
    for i, part in enumerate(parts):
        sheet.paste(part, (GAP * scale + i % columns * width, GAP * scale + i // columns * height))
    return sheet


def encoded(picture: Image, format_: Format = "png", quality: int = 75) -> bytes:
    """The picture as the bytes of a file; `quality` is JPEG's, from 1 to 95."""
    buffer = io.BytesIO()
    if format_ == "png":
        picture.save(buffer, format="PNG", optimize=True)
    else:
        picture.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def data_url(picture: Image) -> str:
    """The picture as a URL that holds it, PNG."""
    return f"data:image/png;base64,{base64.b64encode(encoded(picture)).decode()}"
