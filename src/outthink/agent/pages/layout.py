"""How alike two layouts are: which parts of the page are covered by components of each kind.

With A_k and B_k the regions that the components of kind k cover, each page scaled to width and height 1,

    layout = sum_k area(A_k and B_k) / sum_k area(A_k or B_k)

which is the mean over kinds of intersection over union, weighted by the area of the union.

Source: Li, Zhang and Yang, Sketch2Code (2024), its layout similarity, with kinds and texts as `rendered` has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outthink.agent.pages.rendered import Box, Rendered
from outthink.numerics.types import BoolArray, FloatArray


def similarity(page: Rendered, other: Rendered) -> float:
    """In [0, 1]; 1 where both show nothing."""
    ours, theirs = _by_kind(page), _by_kind(other)
    both = either = 0.0
    for kind in sorted({*ours, *theirs}):
        shared, covered = areas(ours.get(kind, []), theirs.get(kind, []))
        both, either = both + shared, either + covered
    return both / either if either > 0.0 else 1.0


def areas(ours: Sequence[Box], theirs: Sequence[Box]) -> tuple[float, float]:
    """The areas of intersection and union of what two sets of boxes cover; boxes of one set may overlap."""
    edges = np.array([*ours, *theirs], np.float64).reshape(-1, 4)
    across, down = np.unique(edges[:, [0, 2]]), np.unique(edges[:, [1, 3]])
    one, two = _covered(ours, across, down), _covered(theirs, across, down)
    cells = np.outer(np.diff(down), np.diff(across))
    return float(cells[one & two].sum()), float(cells[one | two].sum())


def _covered(boxes: Sequence[Box], across: FloatArray, down: FloatArray) -> BoolArray:
    """Which cells between all edges are covered, [rows, columns]."""
    cells = np.zeros((max(0, len(down) - 1), max(0, len(across) - 1)), bool)
    for left, top, right, bottom in boxes:
        columns, rows = np.searchsorted(across, [left, right]), np.searchsorted(down, [top, bottom])
        cells[rows[0] : rows[1], columns[0] : columns[1]] = True
    return cells


def _by_kind(page: Rendered) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for one in page.components:
        left, top, right, bottom = one.box
        box = (left / page.width, top / page.height, right / page.width, bottom / page.height)
        found.setdefault(one.kind, []).append(box)
    return found
