"""The one thread that owns a scheduler: it sleeps while there is nothing to do, and nothing hangs when it breaks."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from outthink.core.errors import EngineClosed, EngineError
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.work import Job


class Worker:
    """Runs `scheduler` in a thread until it is closed. Submit from any thread. `title`: what messages call the engine."""

    def __init__(self, scheduler: Scheduler, name: str, *, title: str = "embedded engine") -> None:
        self.scheduler, self._title = scheduler, title
        self._wake = threading.Condition()
        self._closing = False
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"outthink {name}", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether it takes no more work."""
        return self._closing

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs. Raises `EngineClosed` after `close`, `EngineError` after a crash."""
        with self._wake:
            if self._closing:
                raise EngineClosed(f"The {self._title} was used after it was closed.")
            if self._broken is not None:
                raise EngineError(f"The {self._title} has stopped: {self._broken}") from self._broken
            self.scheduler.submit(jobs)
            self._wake.notify()

    def cancel(self, jobs: Sequence[Job]) -> None:
        """End these before the next decode."""
        with self._wake:
            self.scheduler.cancel(jobs)
            self._wake.notify()

    def close(self) -> None:
        """Cancel what is in flight and end the thread. Safe to call twice, and from any thread but its own."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                with self._wake:
                    while not self._closing and not self.scheduler.busy:
                        self._wake.wait()
                    if self._closing:
                        break
                self.scheduler.step()
        except BaseException as error:  # noqa: BLE001  # whatever it was, those who wait must hear of it
            with self._wake:
                self._broken = error
            self.scheduler.fail_all(EngineError(f"The {self._title} broke down: {type(error).__name__}: {error}"))
        else:
            self.scheduler.cancel_all()
