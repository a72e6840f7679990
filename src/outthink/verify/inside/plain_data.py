"""Frames of JSON between the two sides, and plain values in them: what comes out is built here, whatever the other side's objects are.

A value is None, True, False, a text, or a list of a letter and what it takes: ["i", hexadecimal], ["f", text], ["l", values], ... So
nothing that crosses has behaviour: an object that claims to equal everything stays on its own side.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

DEEPEST = 200
_SEQUENCES: dict[str, Any] = {"l": list, "t": tuple, "s": set, "z": frozenset}
_LETTERS: dict[Any, str] = {kind: letter for letter, kind in _SEQUENCES.items()}


def set_up() -> tuple[int, int, dict[str, Any]]:
    """What either side begins with: where frames come from and go to, and its order. The limits in it are set, for good."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    order: dict[str, Any] = read_frame(source)
    for name, limit in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    sys.setrecursionlimit(order["recursion"])
    write_frame(sink, {"ready": True})
    return source, sink, order


def write_frame(sink: int, document: Any) -> None:
    """One document, behind its length."""
    body = json.dumps(document).encode()
    view = memoryview(len(body).to_bytes(4, "big") + body)
    while view:
        view = view[os.write(sink, view) :]


def read_frame(source: int) -> Any:
    """The next document. Raises `EOFError` where there is none any more."""
    return json.loads(_read(source, int.from_bytes(_read(source, 4), "big")))


def _read(source: int, size: int) -> bytes:
    parts = []
    while size > 0:
        part = os.read(source, min(size, 1 << 16))
        if not part:
            raise EOFError("nobody is there any more")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def packed(value: Any, depth: int = 0) -> Any:
    """A value as JSON. Raises `TypeError` for what is no plain data."""
    if depth > DEEPEST:
        raise TypeError(f"more than {DEEPEST} levels deep")
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return ["i", hex(value)]
    if kind is float:
        return ["f", repr(value)]
    if kind is complex:
        return ["c", repr(value.real), repr(value.imag)]
    if kind is bytes:
        return ["b", value.hex()]
    if kind in _LETTERS:
        return [_LETTERS[kind], [packed(one, depth + 1) for one in value]]
    if kind is dict:
        return ["d", [[packed(k, depth + 1), packed(v, depth + 1)] for k, v in value.items()]]
    return _packed_likeness(value, depth)


def _packed_likeness(value: Any, depth: int) -> Any:
    """What is nearly plain, as what it is like: subclasses such as named tuples and counters, ranges, views of dictionaries."""
    kinds: tuple[Any, ...] = (int, float, str, bytes, tuple, list, dict, set, frozenset)
    for kind in kinds:
        if isinstance(value, kind):
            # `int(value)` would ask the value what it is; this takes what it holds.
            fixed = kind in (int, float, str, bytes, tuple, frozenset)
            return packed(kind.__new__(kind, value) if fixed else kind(value), depth)
    if isinstance(value, (range, bytearray)) or type(value) in (type({}.keys()), type({}.values()), type({}.items())):
        return packed(bytes(value) if isinstance(value, bytearray) else list(value), depth)
    raise TypeError(
        f"a {type(value).__name__} is no plain data: numbers, texts, lists, tuples, sets and dictionaries are"
    )


def unpacked(document: Any) -> Any:
    """The value of a document that `packed` made; also a hostile one gives plain data or `ValueError`."""
    if document is None or isinstance(document, (bool, str)):
        return document
    if not isinstance(document, list) or len(document) < 2 or not isinstance(document[0], str):
        raise ValueError("not a packed value")
    letter, what = document[0], document[1]
    try:
        if letter == "i":
            return int(what, 16)
        if letter == "f":
            return float(what)
        if letter == "c":
            return complex(float(what), float(document[2]))
        if letter == "b":
            return bytes.fromhex(what)
        if letter == "d":
            return {unpacked(pair[0]): unpacked(pair[1]) for pair in what}
        return _SEQUENCES[letter](unpacked(one) for one in what)
    except (TypeError, LookupError) as error:
        raise ValueError(f"not a packed value: {error}") from None
