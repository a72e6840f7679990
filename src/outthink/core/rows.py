"""One gather moves every column.

A `Rows` dataclass holds n members as columns; `take(index)` forks, drops and reorders all of them in one line, so that no array can be
forgotten. Fields named in `shared` belong to the population as a whole and stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from outthink.core.checkpoint import Saved
from outthink.numerics.types import BoolArray, IntArray

R = TypeVar("R", bound="Rows")

Index = IntArray | BoolArray | Sequence[int]


def as_index(index: Index) -> IntArray:
    """Positions, [m] int64, from positions or a mask."""
    array = np.asarray(index)
    if array.dtype == np.bool_:
        return np.flatnonzero(array)
    return array.astype(np.int64, copy=False)


@dataclasses.dataclass(frozen=True)
class Rows(Saved):
    """Base of every population. Subclasses are frozen dataclasses; columns are arrays of length n or other `Rows`."""

    shared: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        columns = _COLUMNS[type(self)]
        lengths = [len(getattr(self, name)) for name in columns]
        if lengths.count(lengths[0]) < len(lengths):
            named = dict(zip(columns, lengths, strict=True))
            raise ValueError(f"{type(self).__name__}: columns disagree on the number of members: {named}.")

    def __len__(self) -> int:
        return len(getattr(self, _COLUMNS[type(self)][0]))

    def take(self: R, index: Index) -> R:
        """The members at `index` (positions, or a mask), in that order; repeated positions are forks."""
        at = as_index(index)
        return dataclasses.replace(self, **{name: _gather(getattr(self, name), at) for name in _COLUMNS[type(self)]})

    def join(self: R, other: R) -> R:
        """These members followed by the others; shared fields are this one's."""
        changes = {name: _append(getattr(self, name), getattr(other, name)) for name in _COLUMNS[type(self)]}
        return dataclasses.replace(self, **changes)


def _gather(column: Any, at: IntArray) -> Any:
    return column.take(at) if isinstance(column, Rows) else column[at]


def _append(left: Any, right: Any) -> Any:
    return left.join(right) if isinstance(left, Rows) else np.concatenate([left, right])


class _Columns(dict[type[Rows], tuple[str, ...]]):
    """The names of each class's columns, looked up when they are first asked for."""

    def __missing__(self, cls: type[Rows]) -> tuple[str, ...]:
        found = self[cls] = tuple(f.name for f in dataclasses.fields(cls) if f.name not in cls.shared)
        return found


_COLUMNS = _Columns()
