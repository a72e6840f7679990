"""Contents as bytes, named by their hash, so that equal contents are stored once whoever holds them.

Text is stored as UTF-8, transcripts as JSON; arrays, lists, tables and numbers in the form of checkpoints. Anything else (an image object,
an environment's handle) is stored as what `repr` shows of it, under the form "shown": it can be read by people, and not be made whole
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.core.checkpoint import decode, encode
from outthink.core.errors import CheckpointError
from outthink.core.half_pairs import as_json
from outthink.core.task import Message, is_transcript
from outthink.store.tables import HASH_BYTES

LONGEST_FEATURE = 200
"""Text features longer than this many characters are contents of their own and are not stored with a candidate."""


@dataclass(frozen=True)
class Content:
    """One stored content: its hash, [16] bytes, its form ("text", "transcript", "saved" or "shown") and its bytes."""

    hash: bytes
    form: str
    body: bytes


def pack(value: Any) -> Content:
    """The stored form of a candidate's content."""
    if isinstance(value, str):
        form, body = "text", value.encode("utf-8", "surrogatepass")
    elif is_transcript(value):
        form, body = "transcript", as_json(value)
    else:
        try:
            form, body = "saved", encode(value)
        except CheckpointError:
            form, body = "shown", repr(value).encode("utf-8", "surrogatepass")
    return Content(content_hash(form.encode() + b":" + body), form, body)


def unpack(form: str, body: bytes) -> Any:
    """The content again; for "shown" what could be seen of it, as text. Raises `CheckpointError` for damage."""
    if form == "transcript":
        return msgspec.json.decode(body, type=tuple[Message, ...])
    return decode(body) if form == "saved" else body.decode("utf-8", "surrogatepass")


def content_hash(data: bytes) -> bytes:
    """The name of these bytes."""
    return hashlib.blake2b(data, digest_size=HASH_BYTES).digest()


def pack_features(features: Mapping[str, Any]) -> str | None:
    """The features that are plain numbers or short text, as JSON; None when there are none. Larger ones are not stored."""
    kept = {
        name: value
        for name, value in features.items()
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= LONGEST_FEATURE)
    }
    return as_json(kept).decode() if kept else None


def unpack_features(written: str | None) -> dict[str, Any]:
    """What `pack_features` wrote."""
    found: dict[str, Any] = msgspec.json.decode(written) if written else {}
    return found
