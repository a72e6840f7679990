"""How the gateway says no: one exception, in the shape that OpenAI's clients read.

    raise refused("temperature", "It must be between 0 and 2.")

A refusal names the field (`param`) and says what to do. Errors of the package become refusals in one place, `of_error`, so that no failure
is ever sent as an answer. Nothing of the server's own (addresses, keys, paths, stack traces) is in them.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from outthink.core.errors import (
    AllFailed,
    BudgetExhausted,
    ContextOverflow,
    Failure,
    Incompatible,
    InputError,
    OutthinkError,
    SettingsError,
)
from outthink.store.errors import StoreError

LOG = logging.getLogger("outthink.serve")
NO_RETRY: Mapping[str, str] = {"x-should-retry": "false"}
"""Tells OpenAI's clients not to pay for the same search again."""
_ADDRESS = re.compile(
    r"https?://\S+"  # a whole address
    r"|\[[0-9a-fA-F:]+\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"  # numbers of a machine
    r"|\b[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*:\d{2,5}\b"  # a machine's name with a port
    r"|(?<= at )\S+(?= \()"  # as engines are named: MODEL at HOST (PRESET, INTERFACE)
)


class Refusal(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP. kind: OpenAI's `type`. param: the field that is to blame; None where none is.
        code: one word for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """The body that clients read."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


def refused(param: str, why: str, *, code: str = "unsupported_value") -> Refusal:
    """Status 400 that names a field."""
    return Refusal(400, f"{param}: {why}", param=param, code=code)


def busy(seconds: float, why: str) -> Refusal:
    """Status 429 with the seconds after which to try again."""
    return Refusal(
        429,
        why,
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"retry-after": str(max(1, math.ceil(seconds)))},
    )


def no_answer(why: str, code: str) -> Refusal:
    """Status 422: the search was paid for and nothing in it can be the answer. Asking again costs again, so clients are told not to."""
    return Refusal(422, why, code=code, kind="no_answer_error", headers=NO_RETRY)


def of_error(error: OutthinkError, prompt_field: str = "messages") -> Refusal:
    """The refusal that an error of the package stands for. `prompt_field`: what the request calls its prompt."""
    if isinstance(error, StoreError):
        LOG.error("the store failed: %s", error)
        return Refusal(503, "The server's store failed. Its log says why.", code="store_failed", kind="server_error")
    if isinstance(error, AllFailed):
        return _of_failures(error, prompt_field)
    if isinstance(error, BudgetExhausted):
        return no_answer(without_addresses(str(error)), "budget_exhausted")
    if isinstance(error, ContextOverflow):
        return Refusal(400, without_addresses(str(error)), param=prompt_field, code="context_length_exceeded")
    if isinstance(error, InputError | SettingsError | Incompatible):
        return Refusal(400, without_addresses(str(error)), code="incompatible")
    return _upstream(without_addresses(str(error)))


def without_addresses(text: str) -> str:
    """The text without addresses of model servers, which are the operator's business."""
    return _ADDRESS.sub("(address)", text)


def _of_failures(error: AllFailed, prompt_field: str) -> Refusal:
    kinds = {failure.kind for failure in error.failures}
    if kinds == {"ContextOverflow"}:
        return Refusal(
            400, without_addresses(error.failures[0].message), param=prompt_field, code="context_length_exceeded"
        )
    if kinds <= {"InputError", "SettingsError", "Incompatible"}:
        return Refusal(400, without_addresses(str(error)), code="incompatible")
    if all(failure.status == 429 for failure in error.failures):
        return busy(1.0, "The model's server is over its rate limit.")
    return _upstream(_told(error.failures))


def _told(failures: tuple[Failure, ...]) -> str:
    causes = sorted({f"{f.kind}{f' ({f.status})' if f.status else ''}: {f.message}" for f in failures})
    return without_addresses(f"All {len(failures)} members of the search failed. " + "; ".join(causes))


def _upstream(message: str) -> Refusal:
    return Refusal(502, message, code="upstream_failed", kind="upstream_error", headers=NO_RETRY)
