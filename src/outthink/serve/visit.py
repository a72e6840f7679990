"""One request as the log, the metrics and the traces know it: who, what for, and what became of it; never a prompt, an answer or a key."""

from __future__ import annotations

import logging
import secrets
import time

from outthink.serve.metrics import Metrics
from outthink.serve.refusal import Refusal
from outthink.serve.tracing import Traced

LOG = logging.getLogger("outthink.serve")
LEFT = 499
"""The status in log and metrics of a request whose client left."""


class Visit:
    """See the module.

    Attributes:
        id: of the request. holder: the key's id, "" without keys. model: the name served, "-" while it is not known to be one.
    """

    def __init__(self, path: str, metrics: Metrics) -> None:
        self.id = f"req_{secrets.token_hex(12)}"
        self.path = path
        self.holder = ""
        self.model = "-"
        self.span = Traced(None)
        self._metrics = metrics
        self._began = time.monotonic()
        self._over = False

    def over(self, status: int, code: str = "") -> None:
        """The request was answered so; later calls change nothing."""
        if self._over:
            return
        self._over = True
        seconds = time.monotonic() - self._began
        self._metrics.answered(self.path, self.model, status, seconds)
        self.span.end()
        LOG.info(
            "%s key=%s %s model=%r %d%s %.0f ms",
            self.id,
            self.holder or "-",
            self.path,
            self.model,
            status,
            f" {code}" if code else "",
            1000 * seconds,
        )

    def refused(self, refusal: Refusal) -> None:
        """The request was refused."""
        if not self._over:
            self.span.refused(refusal)
        self.over(refusal.status, refusal.code or "")

    def left(self) -> None:
        """The client did not wait for the answer."""
        if not self._over:
            self.span.broken("client_left")
        self.over(LEFT)
