"""How Chromium is started so that a page can do nothing but be drawn: the command, and why it cannot be had.

The browser runs under bubblewrap in namespaces of its own: no network, not even loopback's, no other processes, and of the file system
only the system's programs and fonts, read-only, beside scratch folders in memory. The kernel limits the memory of each of its processes,
so that a page that grows without end loses its tab and not this machine. Its orders come through a pair of pipes; it opens no port.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from outthink.verify.sandbox import refusal

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BOX = "bwrap"
INSTALL = "On Debian: apt-get install chromium bubblewrap. There is no setting that draws pages outside of a box."
NOBODY = "65534"
MEMORY = 700_000
"""Kilobytes that one process of the browser may write to."""
SCRATCH = 256 * 2**20
"""Bytes of its folder for what it keeps."""

_FLAGS = (
    "--headless=new",
    # Bubblewrap is the box here; the browser's own needs rights that a process in it does not have.
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--user-data-dir=/tmp/profile",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--force-color-profile=srgb",
)
_SEEN = ("/etc/fonts", "/etc/chromium.d", "/etc/alternatives", "/etc/ld.so.cache", "/opt/google")
_START = 'ulimit -d "$0"; exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
"""The browser reads orders from descriptor 3 and answers on 4, whatever else it prints."""


def browser() -> str | None:
    """The browser's program; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def missing() -> str:
    """Why pages cannot be drawn here; "" where nothing is missing. Starts an empty box, so it takes a tenth of a second the first time."""
    if sys.platform != "linux":
        return f"the box for the browser needs Linux, and this is {sys.platform}"
    if browser() is None:
        return "Chromium is not installed"
    return refusal() if shutil.which(BOX) else f"the program {BOX} is not installed"


def command() -> list[str]:
    """What starts the browser in its box; orders go to its standard input, answers come from its standard output."""
    words = [BOX, *(f"--unshare-{name}" for name in ("user", "pid", "net", "ipc", "uts", "cgroup-try"))]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY]
    words += ["--hostname", "box", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]
    words += ["--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8", "--ro-bind", "/usr", "/usr"]
    for name in ("/lib", "/lib64", "/bin", "/sbin"):
        place = Path(name)
        if place.is_symlink():
            words += ["--symlink", os.readlink(place), name]  # noqa: PTH115 - as it is written
        elif place.is_dir():
            words += ["--ro-bind", name, name]
    for name in _SEEN:
        words += ["--ro-bind-try", name, name]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    return [*words, "/bin/sh", "-c", _START, str(MEMORY), browser() or BROWSERS[0], *_FLAGS]
