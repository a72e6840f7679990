"""The child's side of the pool of killable processes: `python -m outthink.verify.worker`.

It reads length-prefixed msgpack jobs from standard input and writes length-prefixed msgpack replies to what was standard output. The
kernel ends a job that runs too long: timers whose signals keep their default action kill the process whatever holds the interpreter's
lock, so a runaway regular expression dies even when nobody is left to kill it. Input that ends ends the worker.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

import msgspec

from outthink.verify.can_hang import FUNCTIONS

HEADER = 4
MEMORY_BYTES = 4 << 30
WALL_FACTOR = 5.0
"""A job may take so many times its processor seconds by the clock: other processes may hold the cores."""


class Job(msgspec.Struct, frozen=True):
    """One call: a function of `can_hang`, its arguments, and the processor seconds it may use."""

    function: str
    arguments: list[Any]
    seconds: float


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """`ready` before the function runs (its libraries are loaded by then); then its result, or the error it raised."""

    ready: bool = False
    result: Any = None
    error: str = ""
    message: str = ""


def framed(value: Any) -> bytes:
    """`value` as msgpack behind its length, 4 bytes big-endian."""
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(HEADER, "big") + body


def main() -> None:
    """Serve jobs until the input ends."""
    source, sink = os.dup(0), os.dup(1)
    # What a library prints must not stand between two replies, and it must not read the next job.
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for name in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(name, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    while (job := _next(source)) is not None:
        _send(sink, _serve(job, sink))


def _serve(job: Job, sink: int) -> Reply:
    try:
        function = FUNCTIONS[job.function]()
        _send(sink, Reply(ready=True))
        signal.setitimer(signal.ITIMER_PROF, job.seconds)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds(job.seconds))
        try:
            return Reply(result=function(*job.arguments))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except Exception as error:  # noqa: BLE001 - it goes back to the caller, who makes it a failure of this one candidate
        return Reply(error=type(error).__name__, message=str(error)[:2000])


def wall_seconds(seconds: float) -> float:
    """The most seconds by the clock that a job of `seconds` processor seconds may take."""
    return WALL_FACTOR * seconds + 5.0


def _next(source: int) -> Job | None:
    header = _read(source, HEADER)
    if len(header) < HEADER:
        return None
    return msgspec.msgpack.decode(_read(source, int.from_bytes(header, "big")), type=Job)


def _read(source: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        part = os.read(source, min(size, 1 << 16))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(sink: int, reply: Reply) -> None:
    view = memoryview(framed(reply))
    while view:
        view = view[os.write(sink, view) :]


if __name__ == "__main__":
    main()
