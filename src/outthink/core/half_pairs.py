"""Half surrogate pairs: strings that Python holds, and that no UTF-8, so no file, database or server, can.

Models write them: a server that cuts a reply inside a character sends `"\\ud83d"`. One rule holds everywhere. What a user wrote is refused
with an error that says so (`whole_text`): it is not changed behind his back. What a model or a tool wrote is mended where it enters
(`mended`): halves that belong together become their character, a half that is left alone becomes U+FFFD, as decoders write a byte that
belongs to none. So what is searched, judged, stored, resumed and shown is one and the same text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec


def mended(text: str) -> str:
    """Halves of one character put together; a half that is left alone becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mended_all(value: Any) -> Any:
    """Plain values (text, numbers, lists, tuples, tables) with every text in them mended."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, dict):
        return {mended_all(name): mended_all(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple([mended_all(one) for one in value])
    return [mended_all(one) for one in value] if isinstance(value, list) else value


def whole_text(value: Any) -> None:
    """Raises `UnicodeEncodeError` where a text in these plain values holds half a surrogate pair."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
    elif isinstance(value, (tuple, list, frozenset)):
        for one in value:
            whole_text(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            whole_text(name)
            whole_text(one)


def as_json(value: Any, enc_hook: Callable[[Any], Any] = str) -> bytes:
    """The JSON of a value, with what a process of another's making left in it mended; numbers that are not finite become null."""
    try:
        return msgspec.json.encode(value, enc_hook=enc_hook)
    except UnicodeEncodeError:
        return msgspec.json.encode(mended_all(msgspec.to_builtins(value, enc_hook=enc_hook)))


def from_json(data: bytes) -> Any:
    """The value of a JSON document, with half pairs that it holds as escapes mended. Raises `ValueError` for what is no JSON."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return mended_all(json.loads(data))
