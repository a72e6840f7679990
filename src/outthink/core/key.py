"""Randomness as a value: keys derived by name, one seed a slot.

A `Key` is consumed once; derive children for further uses: `key.child("resample")`. `key.seeds(n)` gives slot i its own seed, and the
first m of `seeds(n)` equal `seeds(m)`, so noise belongs to the member whatever the micro-batch.
Counter-based throughout (Philox, Salmon et al. 2011), so nothing depends on order of calls.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from outthink.numerics.types import SeedArray


@dataclass(frozen=True)
class Key:
    """A place in a tree of random streams: an entropy and a path of names."""

    entropy: int
    path: tuple[str | int, ...] = ()

    def child(self, *names: str | int) -> Key:
        """The key at `names` below this one."""
        return Key(self.entropy, self.path + names)

    def rng(self) -> np.random.Generator:
        """A generator of its own, the same on every call: consume a key once."""
        return np.random.Generator(np.random.Philox(key=self._digest()))

    def seeds(self, n: int) -> SeedArray:
        """One seed a slot, [n] uint64; a longer list starts with the shorter one."""
        return np.random.Philox(key=self._digest()).random_raw(n)

    def _digest(self) -> int:
        # Names are written with their kind and length, so that ("a", "b") and ("ab",) or (1,) and ("1",) never meet.
        hasher = hashlib.blake2b(str(self.entropy).encode(), digest_size=16)
        for name in self.path:
            text = str(name).encode()
            hasher.update(f"|{'s' if isinstance(name, str) else 'i'}{len(text)}:".encode() + text)
        return int.from_bytes(hasher.digest(), "little")


def slot_rng(seed: int | np.uint64) -> np.random.Generator:
    """The generator that belongs to one slot's seed."""
    return np.random.Generator(np.random.Philox(key=int(seed)))
