"""Which weights an engine runs: for whatever is made for one model and means nothing on another."""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from pathlib import Path


class Fingerprinted(ABC):
    """An engine that can say which weights it runs."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of the weights: the same for the same numbers wherever they lie, another for any others."""


def file_digest(path: Path) -> str:
    """A digest of a file's bytes; read once for each version of it."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
