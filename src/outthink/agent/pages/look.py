"""How alike two pages look: their texts block by block, and their pixels.

Each text of one page is put together with the most similar text of the other, best pairs first, nearer ones first among equals, as long as
half of their letters agree. Then

    size      the area of the letters in pairs over that of all letters
    text      mean similarity of the words in a pair: twice the letters that agree over all letters
    position  mean of 1 - the greater of the distances of the centres, across and down, on pages scaled to 1
    colour    mean of 1 - the distance of the colours in CIELAB / 100
    pixels    structural similarity of the two pictures, where they show anything

Source: Si et al., Design2Code (2024), section 3.3, which Sketch2Code takes for its visual similarity. Departs from it: texts and boxes are
those of the layout, where it finds them in two screenshots in odd colours; pairs are taken greedily and nothing is merged; the distance of
colours is that of CIE 1976, not of CIEDE2000; and `pixels` stands in the place of the cosine of CLIP's vectors, for which a network of
150 million parameters would have to be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from outthink.agent.pages.pixels import similarity as pixels_alike
from outthink.agent.pages.rendered import Box, Colour, Component, Rendered

LEAST = 0.5
"""The similarity that two texts must have to be a pair."""
# From sRGB in [0, 1] to CIE XYZ over the white of D65 (IEC 61966-2-1).
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@dataclass(frozen=True)
class Look:
    """Similarities in [0, 1]."""

    size: float
    text: float
    position: float
    colour: float
    pixels: float

    @property
    def mean(self) -> float:
        """Their mean."""
        return (self.size + self.text + self.position + self.colour + self.pixels) / 5.0


@dataclass(frozen=True)
class _Pair:
    ours: Component
    theirs: Component
    alike: float
    apart: float


def look(page: Rendered, other: Rendered) -> Look:
    """How alike two pages look. Of two pages without texts all but the pixels is 1; where one has texts and no pair is found, 0."""
    pixels = pixels_alike(page.picture, other.picture)
    if not page.texts and not other.texts:
        return Look(1.0, 1.0, 1.0, 1.0, pixels)
    pairs = _pairs(page, other)
    if not pairs:
        return Look(0.0, 0.0, 0.0, 0.0, pixels)
    paired = sum(_area(one.ours, page) + _area(one.theirs, other) for one in pairs)
    total = sum(_area(one, page) for one in page.texts) + sum(_area(one, other) for one in other.texts)
    return Look(
        # What is summed in another order may come out a rounding above 1.
        size=min(1.0, paired / total) if total > 0.0 else 1.0,
        text=_mean([one.alike for one in pairs]),
        position=_mean([1.0 - one.apart for one in pairs]),
        colour=_mean([max(0.0, 1.0 - distance(one.ours.colour, one.theirs.colour) / 100.0) for one in pairs]),
        pixels=pixels,
    )


def _pairs(page: Rendered, other: Rendered) -> list[_Pair]:
    found = []
    for ours in page.texts:
        matcher = SequenceMatcher(None, "", ours.words, autojunk=False)
        for theirs in other.texts:
            matcher.set_seq1(theirs.words)
            if matcher.real_quick_ratio() >= LEAST and matcher.quick_ratio() >= LEAST:
                alike = matcher.ratio()
                if alike >= LEAST:
                    found.append(_Pair(ours, theirs, alike, _apart(_centre(ours, page), _centre(theirs, other))))
    found.sort(key=lambda one: (-one.alike, one.apart))
    taken: set[int] = set()
    kept = []
    for one in found:
        if not taken & {id(one.ours), id(one.theirs)}:
            taken |= {id(one.ours), id(one.theirs)}
            kept.append(one)
    return kept


def distance(one: Colour, other: Colour) -> float:
    """How far two colours are apart in CIELAB (CIE 1976): 0 for equal ones, 100 from black to white."""
    return float(np.linalg.norm(_lab(one) - _lab(other)))


def _lab(colour: Colour) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    given = np.array(colour, np.float64) / 255.0
    linear = np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)
    over_white = _XYZ @ linear / _XYZ.sum(axis=1)
    f = np.where(over_white > (6 / 29) ** 3, np.cbrt(over_white), over_white / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


def _centre(text: Component, page: Rendered) -> tuple[float, float]:
    left, top, right, bottom = text.letters
    return (left + right) / 2 / page.width, (top + bottom) / 2 / page.height


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _area(text: Component, page: Rendered) -> float:
    box: Box = text.letters
    return (box[2] - box[0]) * (box[3] - box[1]) / (page.width * page.height)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
