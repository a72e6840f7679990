"""A result as it is stored: everything but its candidates, which are stored by node with their contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from outthink.core.result import Result
from outthink.core.task import Candidate, in_words

SHOWN = 200


def pack_result(result: Result) -> bytes:
    """The result without its candidates' contents: these are named by node. An answer that is a candidate's content is not repeated."""
    nodes = [candidate.id for candidate in result.candidates]
    chosen = None if result.chosen is None else result.candidates[result.chosen]
    whole = chosen is not None and chosen.answer is None and chosen.content is result.answer
    plain = msgspec.structs.replace(result, candidates=(), answer=None if whole else result.answer)
    return msgspec.json.encode({"nodes": nodes, "whole": whole, "result": msgspec.Raw(plain.to_json().encode())})


class _Packed(msgspec.Struct):
    nodes: tuple[int, ...]
    whole: bool
    result: msgspec.Raw


def unpack_result(data: bytes, found: Mapping[int, Candidate]) -> Result:
    """The result again, its candidates taken from `found` by node."""
    packed = msgspec.json.decode(data, type=_Packed)
    result = Result.from_json(bytes(packed.result))
    candidates = tuple(found[node] for node in packed.nodes)
    answer = result.answer
    if packed.whole and result.chosen is not None:
        answer = candidates[result.chosen].content
    return msgspec.structs.replace(result, candidates=candidates, answer=answer)


def shown(value: Any) -> str:
    """A value in one short line, for lists."""
    shape = getattr(value, "shape", None)
    text = (
        " ".join((in_words(value) or str(value)).split()) if shape is None else f"{type(value).__name__} {list(shape)}"
    )
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
