"""The fields that `/v1/chat/completions` and `/v1/completions` share, and what both read of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from outthink.serve.asking import Ask, Options
from outthink.serve.bodies import StreamOptions, options_of, sampling_of, stops_of
from outthink.serve.refusal import refused

SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
AtLeastOne = Annotated[int, Meta(ge=1)]
Temperature = Annotated[float, Meta(ge=0.0, le=2.0)]
TopP = Annotated[float, Meta(gt=0.0, le=1.0)]
_Penalty = Annotated[float, Meta(ge=-2.0, le=2.0)]


class SharedFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How is generated, how often, and for whom."""

    model: str
    temperature: Temperature | None = None
    top_p: TopP | None = None
    n: AtLeastOne = 1
    stop: str | list[str] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    logit_bias: dict[str, float] | None = None
    user: str = ""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    outthink: Options | None = None


def ask_of(given: SharedFields, **own: Any) -> Ask:
    """What is asked; `own`: fields of `Ask` that the interface reads by itself. Raises `Refusal`."""
    if given.stream_options is not None and not given.stream:
        raise refused("stream_options", "Only a stream has them.")
    return Ask(
        model=given.model,
        n=given.n,
        stream=given.stream,
        include_usage=given.stream_options is not None and given.stream_options.include_usage,
        sampling=sampling_of(given, SAMPLING),
        stop=stops_of(given.stop),
        seed=None if given.seed is None else given.seed % 2**64,
        user=given.user,
        metadata=given.metadata,
        options=options_of(given.outthink),
        **own,
    )
