"""Worker processes in a sandbox, for markers that evaluate what a model wrote: no network, no other processes, nothing can be written.

    await confined().call("gym-credit", ...)          # as the ordinary pool, `outthink.verify.pool`

Bubblewrap gives them the file system for reading, and scratch space in memory. Where that cannot be had, `confined` refuses and says why:
what a model wrote is evaluated in a sandbox or not at all.
"""

from __future__ import annotations

import atexit
import shutil
from functools import cache

from outthink.core.errors import Incompatible, explain
from outthink.verify.pool import WorkerPool
from outthink.verify.sandbox import INSTALL, PROGRAM, refusal

SCRATCH = "/dev/shm"


@cache
def confined() -> WorkerPool:
    """The pool that all markers of this process share. Raises `Incompatible` where there is no sandbox."""
    require_sandbox()
    pool = WorkerPool(within=command())
    atexit.register(pool.close)
    return pool


def require_sandbox() -> None:
    """Raises `Incompatible` where what a model wrote cannot be run in a sandbox."""
    if why := refusal():
        raise Incompatible(
            explain(
                "These answers cannot be marked here: marking them runs what a model wrote, and that cannot be isolated.",
                got=why,
                expected="bubblewrap with user namespaces, on Linux",
                remedy=f"{INSTALL} Or choose tasks that are marked by comparison.",
            )
        )


def command() -> list[str]:
    """What a worker is started under."""
    words = [shutil.which(PROGRAM) or PROGRAM]
    words += [f"--unshare-{name}" for name in ("user", "pid", "net", "ipc", "uts", "cgroup-try")]
    words += ["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    words += ["--size", str(64 * 10**6), "--tmpfs", SCRATCH, "--setenv", "TMPDIR", SCRATCH]
    words += ["--setenv", "MPLCONFIGDIR", SCRATCH, "--setenv", "PYTHONDONTWRITEBYTECODE", "1"]
    return words
