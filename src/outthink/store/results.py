"""A result as it is stored: everything but its candidates, which are stored by node with their contents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from outthink.core.result import Result
from outthink.core.task import Candidate, in_words

SHOWN = 200
_IMAGE = re.compile(r"image, \d+ × \d+")


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


def chosen_node(data: bytes) -> int | None:
    """The node of the chosen candidate, in what `pack_result` wrote; None where there is none."""
    packed = msgspec.json.decode(data, type=_Packed)
    chosen = msgspec.json.decode(packed.result, type=_Chosen).chosen
    return None if chosen is None else packed.nodes[chosen]


class _Chosen(msgspec.Struct):
    chosen: int | None = None


def answer_shown(result: Result) -> str | None:
    """The answer in one short line, for lists; None where there is none. An image is told by its size, height first."""
    if result.answer is None:
        return None
    chosen = None if result.chosen is None else result.candidates[result.chosen]
    shape = tuple(getattr(result.answer, "shape", ()))
    if chosen is not None and chosen.kind == "image" and len(shape) >= 2:
        return f"image, {shape[-2]} × {shape[-1]}"
    return shown(result.answer)


def is_image(answer: str) -> bool:
    """Whether the short line of an answer is that of an image."""
    return _IMAGE.fullmatch(answer) is not None


def shown(value: Any) -> str:
    """A value in one short line, for lists."""
    shape = getattr(value, "shape", None)
    text = (
        " ".join((in_words(value) or str(value)).split()) if shape is None else f"{type(value).__name__} {list(shape)}"
    )
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
