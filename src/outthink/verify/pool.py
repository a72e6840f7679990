"""A few worker processes for what can hang, each killed and replaced when it does.

    reply = await workers().call("matches", r"(a+)+$", "a" * 40, True, seconds=2.0)     # a Failure, two seconds later

`seconds` are processor seconds, so that a busy machine does not change a verdict; five times as long by the clock is the outer limit, for
what sleeps. Loading a library (sympy takes a second) does not count. Calls may come from any event loop or thread; a thread of the pool
waits, never the loop. Workers start when they are first needed, die with this process, and never see Ctrl-C.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from outthink.core.errors import EngineClosed, Failure

HEADER = 4
SIZE = 2
START_SECONDS = 60.0
TIMEOUT = "WorkerTimeout"
CRASH = "WorkerCrashed"


class WorkerLost(Exception):
    """The worker is gone or must go; `kind` says whether it ran too long or crashed."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Worker:
    """One child process, used by one thread at a time. `within`: the command that it is started under, such as a sandbox's."""

    def __init__(self, within: Sequence[str] = ()) -> None:
        package = Path(__file__).resolve().parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(
            [*within, sys.executable, "-m", "outthink.verify.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            # A session of its own: Ctrl-C stops the search, which still wants its scores.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ask(self, job: bytes, seconds: float) -> dict[str, Any]:
        """Its reply to a job, as a mapping with `result` or with `error` and `message`. Raises `WorkerLost`."""
        deadline = time.monotonic() + START_SECONDS
        self._send(len(job).to_bytes(HEADER, "big") + job, deadline)
        first = self._receive(deadline, seconds)
        if not first.get("ready"):
            return first
        # The worker's own timers end the job; this is for one that was stopped from outside.
        return self._receive(time.monotonic() + 5.0 * seconds + 15.0, seconds)

    def kill(self) -> None:
        """End it now and forget it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def interrupt(self) -> None:
        """Make the thread that waits for it wake up: the process is killed, its pipes stay with that thread."""
        self._process.kill()

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _, ready, _ = select.select([], [self._to], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerLost(CRASH, f"A worker did not start within {START_SECONDS:g} s.")
            try:
                view = view[os.write(self._to, view) :]
            except BrokenPipeError:
                raise self._gone(0.0) from None

    def _receive(self, deadline: float, seconds: float) -> dict[str, Any]:
        size = int.from_bytes(self._read(HEADER, deadline, seconds), "big")
        reply = msgspec.msgpack.decode(self._read(size, deadline, seconds))
        assert isinstance(reply, dict)
        return reply

    def _read(self, size: int, deadline: float, seconds: float) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerLost(TIMEOUT, f"It did not answer within its {seconds:g} s.")
            part = os.read(self._from, size)
            if not part:
                raise self._gone(seconds)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _gone(self, seconds: float) -> WorkerLost:
        status = self._process.wait()
        # What starts it may report a signal as shells do.
        if status in (-signal.SIGPROF, -signal.SIGALRM, 128 + signal.SIGPROF, 128 + signal.SIGALRM):
            return WorkerLost(TIMEOUT, f"It ran longer than its {seconds:g} s and was stopped.")
        return WorkerLost(
            CRASH,
            f"The worker process ended with status {status} in the middle of its work. "
            f"`python -m outthink.verify.worker < /dev/null` shows whether it can start at all.",
        )


class _Ticket:
    """Ties a call to the worker that serves it, so that a cancelled call can end its work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._cancelled = False

    def serve_with(self, worker: Worker) -> bool:
        """Whether the call is still wanted."""
        with self._lock:
            self._worker = None if self._cancelled else worker
            return not self._cancelled

    def served(self) -> bool:
        """The worker is free again; whether it was killed for this call."""
        with self._lock:
            killed, self._worker = self._cancelled and self._worker is not None, None
            return killed

    def cancel(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.interrupt()


class WorkerPool:
    """At most `size` workers at once. Close it once; workers that hang are replaced by themselves.

    `within`: the command that each is started under.
    """

    def __init__(self, size: int = SIZE, *, within: Sequence[str] = ()) -> None:
        self.size = size
        self._within = tuple(within)
        self.started = 0
        """Workers started so far, replacements included."""
        self._threads: ThreadPoolExecutor | None = None
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    async def call(self, function: str, *arguments: Any, seconds: float) -> Any | Failure:
        """The function's result, or a `Failure`: it raised, ran longer than `seconds`, or its process died."""
        ticket = _Ticket()
        future = asyncio.get_running_loop().run_in_executor(
            self._executor(), self._serve, ticket, function, arguments, seconds
        )
        try:
            return await future
        except asyncio.CancelledError:
            ticket.cancel()
            raise

    def call_and_wait(self, function: str, *arguments: Any, seconds: float) -> Any | Failure:
        """The same for callers that are not on an event loop: it blocks."""
        return self._executor().submit(self._serve, _Ticket(), function, arguments, seconds).result()

    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        with self._lock:
            return [worker.pid for worker in (*self._idle, *self._busy) if worker.alive]

    def close(self) -> None:
        """Kill every worker. Calls under way fail. Safe to call twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.interrupt()
        for worker in idle:
            worker.kill()
        if self._threads is not None:
            self._threads.shutdown(wait=True)

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise EngineClosed("The pool of worker processes was used after it was closed.")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="outthink-check")
            return self._threads

    def _serve(self, ticket: _Ticket, function: str, arguments: Sequence[Any], seconds: float) -> Any | Failure:
        try:
            job = msgspec.msgpack.encode({"function": function, "arguments": list(arguments), "seconds": seconds})
        except (OverflowError, TypeError) as error:
            return Failure.of(error)
        worker = self._borrow()
        lost = False
        try:
            if not ticket.serve_with(worker):
                return Failure("CancelledError", "The call was cancelled before it began.")
            reply = worker.ask(job, seconds)
        except WorkerLost as error:
            lost = True
            return Failure(error.kind, str(error))
        except BaseException:
            lost = True
            raise
        finally:
            killed = ticket.served()
            self._give_back(worker, lost=lost or killed)
        if reply.get("error"):
            return Failure(reply["error"], reply.get("message", ""))
        return reply.get("result")

    def _borrow(self) -> Worker:
        with self._lock:
            while self._idle and not self._idle[-1].alive:
                self._idle.pop().kill()
            if self._idle:
                worker = self._idle.pop()
            else:
                worker = Worker(self._within)
                self.started += 1
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: Worker, *, lost: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            keep = not lost and not self._closed
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.kill()


@cache
def workers() -> WorkerPool:
    """The pool that every verifier of this process shares; closed when the process ends."""
    pool = WorkerPool()
    atexit.register(pool.close)
    return pool
