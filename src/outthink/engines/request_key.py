"""What makes two requests the same: a digest of everything that a reply depends on, and a line that names the request to people.

`owner` and `max_uncached` are left out: who asks and what may be billed change no reply. The sample's index is no part of the digest
either; whoever keeps replies numbers the repeats of a digest, so that several samples of one request never collapse into one.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from outthink.engines.engine import ChatPrompt, Prompt, Request, TextPrompt, TokenPrompt

SCHEMA = 1
SHOWN = 60


def digest(*parts: Any) -> str:
    """32 hexadecimal digits of plain values (and settings), the same in every process."""
    canonical = msgspec.json.encode([SCHEMA, *parts], order="sorted")
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def request_key(engine: str, request: Request) -> str:
    """The digest of one request to the engine of this name."""
    return digest(engine, "request", _identity(request))


def requests_key(engine: str, requests: Sequence[Request]) -> str:
    """The digest of requests that are priced together."""
    return digest(engine, "requests", [_identity(request) for request in requests])


def describe(request: Request) -> str:
    """The request in one line: the end of its prompt, its seed and its limit."""
    return f"{_shown(request.prompt)}, seed {request.seed}, at most {request.max_tokens} tokens"


def _identity(request: Request) -> list[Any]:
    return [
        type(request.prompt).__name__,
        dataclasses.asdict(request.prompt),
        request.seed,
        request.max_tokens,
        request.sampling,
        request.stop,
        request.constraint,
        sorted(request.wants),
        # Left out where there are none, so that older digests stand.
        *([dataclasses.asdict(request.tools)] if request.tools is not None else []),
        *([["begun", request.begun]] if request.begun else []),
    ]


def _shown(prompt: Prompt) -> str:
    match prompt:
        case TokenPrompt(tokens=tokens):
            return f"{len(tokens)} tokens ending in {list(tokens[-4:])}"
        case TextPrompt(text=text):
            return f"text ending in {text[-SHOWN:]!r}"
        case ChatPrompt(messages=messages, prefix=prefix):
            last = prefix or (str(messages[-1].content) if messages else "")
            return f"chat of {len(messages)} messages ending in {last[-SHOWN:]!r}"
