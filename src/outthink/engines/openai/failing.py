"""How a backend fails.

    EngineError
    └── BackendError
        ├── Refusal         it answered with an error status: nothing was generated, nothing is billed
        ├── Unreachable     no connection came about: nothing was sent
        ├── TimedOut        it was silent for too long: it may have generated, and billed
        └── BrokenReply     the reply ended too early or made no sense: it was generated, and billed

Only refusals and missing connections are tried again: a second try of what may have been billed could pass the limit that was promised for
the first. Such a failure is marked as one that may succeed later, and whoever owns the budget decides.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from outthink.core.errors import ContextOverflow, EngineError

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_OVERFLOW = (
    "context length",
    "context_length",
    "context size",
    "context window",
    "maximum model length",
    "too many tokens",
)
_LONGEST_MESSAGE = 600


class BackendError(EngineError):
    """The backend failed. `billed`: whether it may have generated; `retry_after`: seconds that it asked to wait, None if it did not."""

    billed = False
    retry_after: float | None = None


class Refusal(BackendError):
    """An error status."""


class Unreachable(BackendError):
    """No connection."""


class TimedOut(BackendError):
    """No answer in time."""

    billed = True


class BrokenReply(BackendError):
    """A reply that ends too early or makes no sense."""

    billed = True


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> EngineError:
    """The error for an error status, in the backend's own words."""
    message, code = words_of(body)
    told = f"The backend answered {status}: {message or 'without a message'}"
    lowered = f"{message} {code}".lower()
    if status in (400, 413, 422) and any(sign in lowered for sign in _OVERFLOW):
        return ContextOverflow(told, status=status)
    error = Refusal(told, status=status, retryable=status in RETRYABLE)
    error.retry_after = wait_of(headers)
    return error


def words_of(body: bytes) -> tuple[str, str]:
    """Message and code of an error document, however it is built; plain text as it is."""
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return " ".join(body.decode("utf-8", "replace").split())[:_LONGEST_MESSAGE], ""
    inner = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(inner, dict):
        told = next((inner[key] for key in ("message", "detail", "msg") if inner.get(key)), inner)
        return str(told)[:_LONGEST_MESSAGE], str(inner.get("code") or inner.get("type") or "")
    return str(inner)[:_LONGEST_MESSAGE], ""


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header `Retry-After` asks to wait, given in seconds or as a date; None without one."""
    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_in(document: Any) -> EngineError | None:
    """The error that a document reports under status 200, as some gateways do; None if it reports none."""
    if not isinstance(document, dict) or not document.get("error"):
        return None
    inner = document["error"]
    code = inner.get("code") if isinstance(inner, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    message, _ = words_of(msgspec.json.encode(document))
    return Refusal(f"The backend reported an error: {message}", status=status, retryable=status in RETRYABLE)
