"""Randomness as a value: keys derived by name, one seed a slot.

A `Key` is consumed once; derive children for further uses: `key.child("resample")`. `key.seeds(n)` gives slot i its own seed, and the
first m of `seeds(n)` equal `seeds(m)`, so noise belongs to the member whatever the micro-batch.
Counter-based throughout (Philox, Salmon et al. 2011), so nothing depends on order of calls.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

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
        return np.random.Generator(philox(self._words()))

    def seeds(self, n: int) -> SeedArray:
        """One seed a slot, [n] uint64; a longer list starts with the shorter one."""
        return philox(self._words()).random_raw(n)

    def _words(self) -> SeedArray:
        # Names are written with their kind and length, so that ("a", "b") and ("ab",) or (1,) and ("1",) never meet.
        hasher = hashlib.blake2b(str(self.entropy).encode(), digest_size=16)
        for name in self.path:
            text = str(name).encode()
            hasher.update(f"|{'s' if isinstance(name, str) else 'i'}{len(text)}:".encode() + text)
        return np.frombuffer(hasher.digest(), "<u8")


def slot_rng(seed: int | np.uint64) -> np.random.Generator:
    """The generator that belongs to one slot's seed."""
    return np.random.Generator(philox(np.frombuffer(int(seed).to_bytes(16, "little"), "<u8")))


def philox(words: SeedArray) -> np.random.Philox:
    """The generator whose key is `words`, [2]: `Philox(key=...)` without the entropy that it first takes from the system, and drops."""
    return np.random.Philox(_Given(words))  # type: ignore[arg-type]  # the stubs know of one seed sequence only


class _Given(ISeedSequence):
    """A key that is there already."""

    def __init__(self, words: SeedArray) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> SeedArray:
        return self._words
