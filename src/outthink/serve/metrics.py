"""What the gateway counts, for Prometheus at /metrics.

Labels hold the address, the served model's name, the status, the role: names of the server's own configuration, never what a request
says. A name that the server does not serve is counted as "-", so that nobody can fill the memory with names.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from outthink.core.ledger import Bill

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Metrics:
    """The counters of one gateway."""

    def __init__(self, at_work: Callable[[], float], waiting: Callable[[], float], ready: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "outthink_requests", "Requests answered.", ("path", "model", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "outthink_request_seconds",
            "From the request to the end of its answer.",
            ("path",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "outthink_tokens",
            "Tokens of searches, by role and kind.",
            ("model", "role", "kind"),
            registry=self._registry,
        )
        self._calls = Counter("outthink_calls", "Requests to models.", ("model", "role"), registry=self._registry)
        for name, said, value in (
            ("outthink_searches_at_work", "Searches at work.", at_work),
            ("outthink_requests_waiting", "Requests that wait for a place.", waiting),
            ("outthink_ready", "Whether every model is open.", ready),
        ):
            Gauge(name, said, registry=self._registry).set_function(value)

    def answered(self, path: str, model: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._requests.labels(path, model, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def spent(self, model: str, bill: Bill) -> None:
        """A search is over, and this is what it used."""
        for role, cost in bill.by_role.items():
            self._tokens.labels(model, role, "input").inc(cost.input_tokens - cost.cached_input_tokens)
            self._tokens.labels(model, role, "cached_input").inc(cost.cached_input_tokens)
            self._tokens.labels(model, role, "output").inc(cost.output_tokens)
            self._calls.labels(model, role).inc(cost.calls)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
