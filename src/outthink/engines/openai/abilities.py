"""What a server can do, each point "yes", "no" or "unknown". A probe finds it, a preset presumes it, a user may state it.

"unknown" is a value of its own: nothing is ever built on it that a "no" would break.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from outthink.core.settings import Positive, Settings

Known = Literal["yes", "no", "unknown"]
LogProbLaw = Literal["raw", "processed", "unknown"]
PrefixWay = Literal["continue-final-message", "trailing", "prefix-flag", "none", "unknown"]

A = TypeVar("A", bound="Abilities")


class Abilities(Settings):
    """One record of abilities.

    Attributes:
        system: whether a system message reaches the model.
        n: whether one request gives as many replies as it asks for.
        seeds: whether a seed repeats its reply and another seed changes it.
        log_probs: whether each token's log-probability comes back, aligned with the text.
        log_prob_law: "raw": of the model itself; "processed": of what was sampled from, after temperature and truncation.
        most_log_probs: the most alternatives per position that came back.
        stop: whether stop strings end a reply. `tells_stop`: whether the reply says which one did.
        usage: whether the tokens used are reported, and right. `stream_usage`: whether a stream reports them too.
        stream: whether replies come in pieces.
        limits: whether the token limit holds.
        completion: whether raw text is continued.
        prefix: how an assistant's prefix is sent so that it is continued; "none": in no way.
        prefix_echo: whether the reply then repeats the prefix.
        schema: whether a reply is held to a JSON schema.
        context: the window in tokens.
    """

    system: Known = "unknown"
    n: Known = "unknown"
    seeds: Known = "unknown"
    log_probs: Known = "unknown"
    log_prob_law: LogProbLaw = "unknown"
    most_log_probs: Positive | None = None
    stop: Known = "unknown"
    tells_stop: Known = "unknown"
    usage: Known = "unknown"
    stream: Known = "unknown"
    stream_usage: Known = "unknown"
    limits: Known = "unknown"
    completion: Known = "unknown"
    prefix: PrefixWay = "unknown"
    prefix_echo: bool | None = None
    schema: Known = "unknown"
    context: Positive | None = None

    def over(self: A, other: A) -> A:
        """This record, with what it does not know taken from `other`."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        filled = {name: getattr(other, name) if value in ("unknown", None) else value for name, value in values.items()}
        return type(self)(**filled)
