"""How a scripted server behaves: what it can do, what it only pretends to do, and what goes wrong in which call.

    Personality()                                   # does everything, and says so truthfully
    Personality(n="ignored", usage="missing")       # takes `n` and gives one reply; never reports usage
    Personality(faults=every(2, Fault("status", status=500)))

"ignored" means that the field is accepted and has no effect, "refused" that it is answered with status 400: the first is what makes a
status code worthless as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Ability = Literal["yes", "ignored", "refused"]
PrefixField = Literal["continue-final-message", "trailing", "prefix-flag"]
FaultKind = Literal[
    "status",
    "hang",
    "drop",
    "truncated-json",
    "cut-stream",
    "stall",
    "empty-choices",
    "not-json",
    "error-body",
    "odd-text",
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one call.

    Attributes:
        kind: "status" answers with `status`; "hang" never answers; "drop" closes the connection before a reply; "truncated-json" ends the
            body in the middle; "cut-stream" closes a stream after `after` pieces, "stall" falls silent there and keeps the connection;
            "empty-choices" replies without any choice; "not-json" replies with a page of HTML; "error-body" reports an error under
            status 200; "odd-text" replies with `text`.
        retry_after: seconds, sent as the header of that name.
        text: the whole reply of "odd-text", or the message of an error.
        limited: whether the reply of "odd-text" keeps to the request's limit.
    """

    kind: FaultKind
    status: int = 500
    retry_after: float | None = None
    after: int = 1
    text: str = ""
    limited: bool = True


Faults = Callable[[int, dict[str, Any]], Fault | None]
"""The fault of a call, given how many generation requests came before it and the request's body."""


def every(k: int, fault: Fault) -> Faults:
    """Every k-th request fails: numbers k - 1, 2k - 1, ... of those that arrive."""
    return lambda index, body: fault if index % k == k - 1 else None


def always(fault: Fault) -> Faults:
    """Every request fails."""
    return lambda index, body: fault


def first(m: int, fault: Fault) -> Faults:
    """The first m requests fail."""
    return lambda index, body: fault if index < m else None


@dataclass(frozen=True)
class Personality:
    """What the server does with each part of a request.

    Attributes:
        prefix: the ways of continuing an assistant's prefix that it honours; `other_prefix` is what becomes of the others: "ignored" starts
            the reply anew, "refused" answers 400. `prefix_echo`: whether the reply repeats the prefix.
        completions: whether raw text is continued; "ignored" treats it as a question and starts anew, "refused" has no such address (404).
        tells_stop: whether `stop_reason` says which stop string ended the reply.
        log_prob_law: "raw" is the model's distribution; "processed" is what was sampled from, after temperature and truncation.
        most_log_probs: the most alternatives per position that it returns; the rest is dropped.
        usage: "yes", "missing" always, "no-stream" (missing in streams only), "wrong" (half of the truth).
        limits: "ignored" goes on for `over_limit` tokens past `max_tokens`.
        key: the bearer key that it asks for; anything else is answered 401.
        first_seconds, token_seconds: latency before the first token, from the arrival of the request or from its slot, and of each token.
        slots: requests generated at once; None for all. The others wait.
        reasoning: thinking text sent apart from the reply, in `reasoning_field`; each word counts as a token within the limit.
    """

    n: Ability = "yes"
    seed: Ability = "yes"
    log_probs: Ability = "yes"
    log_prob_law: Literal["raw", "processed"] = "raw"
    most_log_probs: int = 20
    stop: Ability = "yes"
    tells_stop: bool = True
    system: Ability = "yes"
    schema: Ability = "yes"
    stream: Ability = "yes"
    usage: Literal["yes", "missing", "no-stream", "wrong"] = "yes"
    limits: Literal["yes", "ignored"] = "yes"
    over_limit: int = 8
    prefix: tuple[PrefixField, ...] = ("continue-final-message", "trailing", "prefix-flag")
    other_prefix: Literal["ignored", "refused"] = "ignored"
    prefix_echo: bool = False
    completions: Ability = "yes"
    responses: bool = True
    key: str = ""
    context: int | None = None
    first_seconds: float = 0.0
    token_seconds: float = 0.0
    slots: int | None = None
    reasoning: str = ""
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    faults: Faults | None = None
