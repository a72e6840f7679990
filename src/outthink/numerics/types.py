"""Names for the arrays that cross the borders of this package.

Every value that search decides with is a host array of length n, one entry a member: scores, weights and
log-weights (`FloatArray`), ancestors and counts (`IntArray`), who is done (`BoolArray`) and one random seed a slot
(`SeedArray`). The names say the element type; shapes stand in brackets in each docstring.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
SeedArray: TypeAlias = NDArray[np.uint64]
