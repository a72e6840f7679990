"""Work that waits: fair between owners, in order of submission within one, and searchable by the beginnings of its prompts."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar


class Owned(Protocol):
    """What can wait: something that belongs to a run."""

    @property
    def owner(self) -> str: ...


W = TypeVar("W", bound=Owned)


class FairQueue(Generic[W]):
    """Round robin over owners; first come, first served within each."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[W]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[W]:
        for line in self._lines.values():
            yield from line

    def add(self, work: W) -> None:
        """Join the end of the owner's line."""
        self._lines.setdefault(work.owner, deque()).append(work)

    def put_back(self, work: W) -> None:
        """Return to the front: first in its owner's line, whose turn is next."""
        self._lines.setdefault(work.owner, deque()).appendleft(work)
        self._lines.move_to_end(work.owner, last=False)

    def next(self) -> W | None:
        """Whose turn it is; None when nothing waits."""
        return next(iter(self._lines.values()))[0] if self._lines else None

    def take(self) -> W:
        """Remove and return `next()`; the turn passes to the next owner."""
        owner = next(iter(self._lines))
        work = self._lines[owner].popleft()
        if self._lines[owner]:
            self._lines.move_to_end(owner)
        else:
            del self._lines[owner]
        return work

    def remove(self, gone: Sequence[W]) -> None:
        """Take these out, wherever they wait."""
        dropped = set(map(id, gone))
        for owner in list(self._lines):
            self._lines[owner] = deque(work for work in self._lines[owner] if id(work) not in dropped)
            if not self._lines[owner]:
                del self._lines[owner]


def chain(tokens: Sequence[int]) -> tuple[int, ...]:
    """One key for every prefix of `tokens`, [t]: prefixes are equal exactly when their keys are, up to collisions of 64 bits."""
    keys: list[int] = []
    key = len("prefix")
    for token in tokens:
        key = hash((key, token))
        keys.append(key)
    return tuple(keys)


class Prefixes:
    """A bag of token sequences, asked only how long a beginning of another one it holds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, keys: Sequence[int]) -> None:
        """Add a sequence by its chain."""
        self._counts.update(keys)

    def remove(self, keys: Sequence[int]) -> None:
        """Remove a sequence that was added."""
        for key in keys:
            left = self._counts[key] - 1
            if left:
                self._counts[key] = left
            else:
                del self._counts[key]

    def common(self, keys: Sequence[int]) -> int:
        """The longest beginning of a sequence that some member shares, in tokens."""
        # Whoever holds a prefix holds all shorter ones, so the answer is found by halving.
        low, high = 0, len(keys)
        while low < high:
            middle = (low + high + 1) // 2
            if keys[middle - 1] in self._counts:
                low = middle
            else:
                high = middle - 1
        return low
