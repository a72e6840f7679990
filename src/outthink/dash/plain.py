"""Values as JSON for a browser, whatever a model wrote: a lone surrogate, which no UTF-8 holds, becomes a replacement character."""

from __future__ import annotations

from typing import Any

import msgspec


def as_json(value: object) -> bytes:
    """The JSON of a value; what is no JSON becomes text, numbers that are not finite become null."""
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(msgspec.to_builtins(value, enc_hook=str)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value
