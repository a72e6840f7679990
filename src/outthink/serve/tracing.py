"""A span for each request, with OpenTelemetry's conventions for generative AI, where the package `opentelemetry-api` is installed.

The spans go wherever the process's tracer provider sends them; without one they go nowhere and cost next to nothing. Attributes hold
settings, counts and reasons; never a prompt, an answer or a key. A caller's own trace (`traceparent`) is gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from outthink.serve.asking import Ask
from outthink.serve.refusal import Refusal
from outthink.serve.searching import Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

INSTALLED = find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None
OPERATIONS = {"/v1/completions": "text_completion"}
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


class Traced:
    """One request's span. Without OpenTelemetry every method does nothing."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def asked(self, ask: Ask, method: str) -> None:
        """What is asked for."""
        values: dict[str, Any] = {
            f"gen_ai.request.{name}": ask.sampling[name] for name in _SAMPLING if name in ask.sampling
        }
        if ask.n != 1:
            values["gen_ai.request.choice.count"] = ask.n
        if ask.max_tokens is not None:
            values["gen_ai.request.max_tokens"] = ask.max_tokens
        if ask.seed is not None:
            values["gen_ai.request.seed"] = _signed(ask.seed)
        if ask.form is not None:
            values["gen_ai.output.type"] = "json"
        self._set({**values, "outthink.method": method})

    def named(self, operation: str, model: str) -> None:
        """Which model, once it is known to be one of the server's."""
        if self._span is not None:
            self._span.update_name(f"{operation} {model}")
        self._set({"gen_ai.request.model": model, "gen_ai.response.model": model})

    def answered(self, reply: str, outcome: Outcome) -> None:
        """What came of it."""
        result = outcome.result
        self._set(
            {
                "gen_ai.response.id": reply,
                "gen_ai.response.finish_reasons": [answer.finish for answer in outcome.answers],
                "gen_ai.usage.input_tokens": result.cost.input_tokens,
                "gen_ai.usage.output_tokens": result.cost.output_tokens,
                "outthink.calls": result.cost.calls,
                "outthink.stop": result.stop.value,
                "outthink.candidates": len(result.candidates),
                **({"outthink.run": outcome.run} if outcome.run else {}),
            }
        )

    def refused(self, refusal: Refusal) -> None:
        """Why there is no answer."""
        self._fail(refusal.code or str(refusal.status))
        self._set({"http.response.status_code": refusal.status})

    def broken(self, kind: str) -> None:
        """An end that nobody meant: the client left, or the gateway failed."""
        self._fail(kind)

    def end(self) -> None:
        """The request is over."""
        if self._span is not None:
            self._span.end()

    def _fail(self, kind: str) -> None:
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, kind))

    def _set(self, values: Mapping[str, str | int | float | Sequence[str]]) -> None:
        if self._span is not None:
            self._span.set_attributes(values)


class Tracing:
    """Makes spans. `provider`: where they go; None: the process's own."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = None
        if INSTALLED:
            from opentelemetry import trace

            self._tracer = (provider or trace.get_tracer_provider()).get_tracer("outthink.serve")

    def begin(self, path: str, headers: Mapping[str, str], request: str) -> Traced:
        """The span of a request to this address; `request` is its id."""
        if self._tracer is None:
            return Traced(None)
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        operation = OPERATIONS.get(path, "chat")
        span = self._tracer.start_span(
            operation,
            context=extract({name: headers[name] for name in ("traceparent", "tracestate") if name in headers}),
            kind=SpanKind.SERVER,
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": "outthink",
                "url.path": path,
                "outthink.request": request,
            },
        )
        return Traced(span)


def _signed(seed: int) -> int:
    """Attributes hold 64 bits with a sign."""
    return seed - 2**64 if seed >= 2**63 else seed
