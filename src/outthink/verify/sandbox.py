"""A process that may do nothing but compute: what runs code that nobody has read.

`Box` starts Python under bubblewrap (`bwrap`) with every namespace of its own: no network, no other processes, no view of the file system
but the system's programs and this Python, read-only, and a scratch folder in memory of a fixed size. The environment holds four harmless
words. A filter of system calls (`outthink.verify.seccomp`) refuses new processes, sockets and memory that no limit counts; limits of the
kernel hold memory, processor seconds, file size and open files; the clock is watched from here, and what is late is killed with all that it
has started. Where this cannot be had, `refusal` says why, and nothing is run: there is no way to run code outside a box.

A box speaks frames of bytes over its standard input and output, and both are this side's only. Used by one thread at a time.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from msgspec import Meta

from outthink.core.settings import Positive, PositiveFloat, Settings
from outthink.verify.seccomp import call_filter, supported

Side = Literal["candidate_side", "tests_side"]
PROGRAM = "bwrap"
START_SECONDS = 30.0
NOBODY = "65534"
PLACE = "/inside"
OPEN_FILES = 32
THREADS = 32
RECURSION = 5000
INSTALL = "Install bubblewrap (on Debian: apt-get install bubblewrap) and let users make user namespaces."


class Limits(Settings):
    """What one box may use.

    Attributes:
        seconds: of processor time. `wall_seconds`: by the clock, waiting included.
        memory: megabytes (10^6 bytes) of address space, Python's own 30 included.
        scratch: megabytes of files in its folder `/tmp`, all together, the only place where anything can be written.
        file: megabytes of a single file.
        reply: bytes of one value that a function may return, as it is sent.
    """

    seconds: PositiveFloat = 5.0
    wall_seconds: PositiveFloat = 15.0
    memory: Annotated[int, Meta(ge=64, le=65536)] = 512
    scratch: Annotated[int, Meta(ge=1, le=4096)] = 16
    file: Annotated[int, Meta(ge=1, le=4096)] = 8
    reply: Positive = 1_000_000

    def kernel(self) -> dict[str, int]:
        """As limits of the kernel, by their names."""
        return {
            "RLIMIT_AS": self.memory * 10**6,
            "RLIMIT_CPU": max(1, int(-(-self.seconds // 1))),
            "RLIMIT_FSIZE": self.file * 10**6,
            "RLIMIT_NOFILE": OPEN_FILES,
            "RLIMIT_NPROC": THREADS,
            "RLIMIT_CORE": 0,
        }


class BoxGone(Exception):
    """The box ended, was too slow, or said too much; its message says which."""


class Box:
    """One confined process. Use as a context manager: at its end everything in the box is killed.

    Raises `BoxGone` when it cannot be started.
    """

    def __init__(self, side: Side, limits: Limits, order: dict[str, Any]) -> None:
        self.limits = limits
        filter_read, filter_write = os.pipe()
        try:
            os.write(filter_write, call_filter())
            os.close(filter_write)
            self._process = subprocess.Popen(
                command(side, limits, filter_read),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(filter_read,),
                env={},
                start_new_session=True,
            )
        finally:
            os.close(filter_read)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        try:
            started = time.monotonic() + START_SECONDS
            self.send({**order, "limits": limits.kernel(), "recursion": RECURSION}, started)
            self.receive(started)
        except BoxGone as error:
            self.kill()
            said = self._complaint() or error
            self.close()
            raise BoxGone(f"the sandbox did not start: {said}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, document: dict[str, Any] | bytes, deadline: float) -> None:
        """One frame: a document, or what another box has said. `deadline` by the monotonic clock."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        view = memoryview(len(body).to_bytes(4, "big") + body)
        while view:
            _, ready, _ = select.select([], [self._to], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise BoxGone(self._late())
            try:
                view = view[os.write(self._to, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise BoxGone(self._ended()) from None

    def receive(self, deadline: float) -> bytes:
        """The next frame, as it came."""
        size = int.from_bytes(self._read(4, deadline), "big")
        if size > self.limits.reply:
            raise BoxGone(f"it said more than {self.limits.reply} bytes at once")
        return self._read(size, deadline)

    def kill(self) -> None:
        """End everything in the box at once; safe from any thread. Bubblewrap's own death ends the box's first process, and with it all."""
        self._process.kill()

    def close(self) -> None:
        """The same, and wait until it is over."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def _read(self, size: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise BoxGone(self._late())
            part = os.read(self._from, min(size, 1 << 16))
            if not part:
                raise BoxGone(self._ended())
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _late(self) -> str:
        return "it took longer than it may by the clock"

    def _ended(self) -> str:
        status = self._process.wait()
        # Bubblewrap reports a signal as a shell does.
        if status in (128 + 9, 128 + 24, -9):
            return f"it was ended after its {self.limits.seconds:g} s of processor time, or for memory"
        return f"its process ended by itself (status {status})"

    def _complaint(self) -> str:
        """What Bubblewrap or Python said before it ended."""
        self._process.wait()
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read(2000) or b"").decode(errors="replace").strip()


def command(side: Side, limits: Limits, filter_fd: int) -> list[str]:
    """The command that starts a box."""
    python, home = os.path.realpath(sys.executable), os.path.realpath(sys.base_prefix)
    words = [shutil.which(PROGRAM) or PROGRAM]
    words += [f"--unshare-{name}" for name in ("user", "pid", "net", "ipc", "uts", "cgroup-try")]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY]
    words += ["--hostname", "box", "--seccomp", str(filter_fd)]
    words += ["--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8"]
    words += ["--setenv", "PYTHONPATH", PLACE, "--setenv", "PYTHONHASHSEED", "0"]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("/lib", "/lib64", "/bin"):
        place = Path(name)
        if place.is_symlink():
            words += ["--symlink", os.readlink(place), name]  # noqa: PTH115 - as it is written
        elif place.is_dir():
            words += ["--ro-bind", name, name]
    if not Path(home).is_relative_to("/usr"):
        words += ["--ro-bind", home, home]
    words += ["--ro-bind", str(Path(__file__).with_name("inside")), f"{PLACE}/outthink/verify/inside"]
    for device in ("/dev/null", "/dev/urandom"):
        words += ["--dev-bind", device, device]
    words += ["--size", str(limits.scratch * 10**6), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]
    return [*words, python, "-s", "-S", "-B", "-P", "-m", f"outthink.verify.inside.{side}"]


def refusal() -> str:
    """Why code cannot be run in a box here; "" where it can. Starts one box, so it takes a tenth of a second until it worked once."""
    if sys.platform != "linux":
        return f"the sandbox needs Linux, and this is {sys.platform}"
    if not supported():
        return f"the system calls of a {platform.machine()} are not known here"
    if shutil.which(PROGRAM) is None:
        return f"the program {PROGRAM} is not installed"
    try:
        _try_out()
    except BoxGone as error:
        return str(error)
    return ""


@functools.cache
def _try_out() -> None:
    """One box that does nothing. What it raises is not remembered: it may work the next time."""
    with Box("candidate_side", Limits(), {"program": ""}):
        return
