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
    """Turns go to the owner that has been served least; first come, first served within each.

    Service is counted in whatever unit `served` is told, tokens here, so that owners with long replies get as many tokens as those with
    short ones, and not as many replies. A turn is charged with what one took on average until it is known what it took. Whoever begins to
    wait starts level with those who are being served: nobody saves up turns by staying away. Owners that are level take turns.

    Source: Goyal, Vin and Cheng, Start-time Fair Queueing (SIGCOMM 1996); there the size of a piece of work is known beforehand.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[W]] = OrderedDict()
        self._returned: deque[W] = deque()
        self._service: dict[str, float] = {}
        self._charged: dict[int, float] = {}
        self._level = 0.0
        self._usual = 1.0
        self._turns = 0

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + len(self._returned)

    def __iter__(self) -> Iterator[W]:
        yield from self._returned
        for line in self._lines.values():
            yield from line

    def add(self, work: W) -> None:
        """Join the end of the owner's line."""
        if work.owner not in self._lines:
            self._lines[work.owner] = deque()
            self._service[work.owner] = max(self._service.get(work.owner, 0.0), self._level)
        self._lines[work.owner].append(work)

    def put_back(self, work: W) -> None:
        """Return what was taken and is not done: its turn is next, and is not charged again."""
        self._returned.appendleft(work)

    def next(self) -> W | None:
        """Whose turn it is; None when nothing waits."""
        if self._returned:
            return self._returned[0]
        return self._lines[self._least()][0] if self._lines else None

    def take(self) -> W:
        """Remove and return `next()`."""
        if self._returned:
            return self._returned.popleft()
        owner = self._least()
        work = self._lines[owner].popleft()
        self._level = max(self._level, self._service[owner])
        self._service[owner] += self._usual
        self._charged[id(work)] = self._usual
        if self._lines[owner]:
            self._lines.move_to_end(owner)
        else:
            del self._lines[owner]
            self._forget_level()
        return work

    def served(self, work: W, amount: float) -> None:
        """What was taken is done, and took so much."""
        charged = self._charged.pop(id(work), None)
        if charged is None:
            return
        if work.owner in self._service:
            self._service[work.owner] += amount - charged
        self._turns += 1
        # The mean of the first turns, then of the last few hundred.
        self._usual += (amount - self._usual) / min(self._turns, 256)

    def remove(self, gone: Sequence[W]) -> None:
        """Take these out, wherever they wait."""
        dropped = set(map(id, gone))
        self._returned = deque(work for work in self._returned if id(work) not in dropped)
        for one in dropped:
            self._charged.pop(one, None)
        for owner in list(self._lines):
            self._lines[owner] = deque(work for work in self._lines[owner] if id(work) not in dropped)
            if not self._lines[owner]:
                del self._lines[owner]

    def _least(self) -> str:
        return min(self._lines, key=self._service.__getitem__)

    def _forget_level(self) -> None:
        """Owners that do not wait and are not ahead need not be remembered; looked at when they have become many."""
        if len(self._service) > 2 * len(self._lines) + 64:
            self._service = {o: s for o, s in self._service.items() if o in self._lines or s > self._level}


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
