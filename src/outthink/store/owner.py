"""Which process works on a run, and whether it still does: a run whose process is gone was killed, and may be resumed."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


def this_host() -> str:
    """This machine's name."""
    return socket.gethostname()


def this_process() -> str:
    """This process: its number and, where the system tells, when it began, so that a number used again is not mistaken for it."""
    return _own(os.getpid())


def is_gone(host: str, process: str) -> bool:
    """Whether that process is known to be gone. Of another machine's processes nothing is known."""
    if host != this_host():
        return False
    number = int(process.partition("@")[0])
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _named(number) != process


@lru_cache(maxsize=1)
def _own(number: int) -> str:
    return _named(number)


def _named(number: int) -> str:
    try:
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return str(number)
    # A process that has ended and that nobody has waited for still has its number, in state Z.
    return f"{number}@gone" if fields[0] == "Z" else f"{number}@{fields[19]}"
