"""What a run's record keeps of samples: finished ones whole, images under way as small pictures at a few levels.

A picture is the bytes of a PNG file, so that whoever opens a stored run needs neither torch nor the model. Finished images are kept in
their own size with 8 bits a channel, other finished samples as arrays. Of images under way at most `LEVELS` levels of the grid are kept,
none larger than `WIDEST` pixels; of other samples under way nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch

from outthink.core.task import Candidate
from outthink.diffusion.pictures import encoded, pictures

LEVELS = 8
"""The most levels with pictures, the last one among them."""

WIDEST = 128
"""The most pixels of a thumbnail's longer side."""


def levels_of_record(steps: int) -> frozenset[int]:
    """The levels of a grid of so many steps at which samples are kept: the last one, and others evenly before it."""
    kept = min(LEVELS, steps)
    return frozenset((steps * (number + 1)) // kept for number in range(kept))


def wanted_by_record(candidates: Sequence[Candidate], at: frozenset[int]) -> list[Candidate]:
    """Those of which anything is kept. `at`: the levels of the record."""
    return [one for one in candidates if one.final or (one.features.get("level") in at and _is_picture(one))]


def for_record(candidates: Sequence[Candidate]) -> list[Candidate]:
    """What is kept of these samples, on the host."""
    return [_kept(one) for one in candidates]


def _kept(one: Candidate) -> Candidate:
    features = {name: value for name, value in one.features.items() if not isinstance(value, torch.Tensor)}
    content: object
    if not _is_picture(one):
        wide = one.content if one.content.dtype in (torch.float32, torch.float64) else one.content.float()
        content = np.asarray(wide.detach().cpu().numpy())
    else:
        image = one.content.detach()
        content = encoded(pictures((image if one.final else thumbnail(image))[None])[0])
    return msgspec.structs.replace(one, content=content, features=features)


def thumbnail(image: torch.Tensor) -> torch.Tensor:
    """An image [c, h, w] whose longer side has at most `WIDEST` pixels, each the mean of those it stands for."""
    height, width = image.shape[-2:]
    longer = max(height, width)
    if longer <= WIDEST:
        return image
    size = (max(1, height * WIDEST // longer), max(1, width * WIDEST // longer))
    return torch.nn.functional.adaptive_avg_pool2d(image.float(), size)


def _is_picture(one: Candidate) -> bool:
    return (
        one.kind == "image"
        and isinstance(one.content, torch.Tensor)
        and one.content.ndim == 3
        and len(one.content) in (1, 3)
    )
