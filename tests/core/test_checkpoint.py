from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pytest

from outthink.core import CheckpointError, Cost, Failure, Saved, decode, encode


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Leaf(Saved):
    values: Any
    name: str = ""


@dataclass(frozen=True)
class Tree(Saved):
    leaves: tuple[Leaf, ...]
    table: dict[int, float]


VALUES: list[Any] = [
    None,
    True,
    3,
    -(2**62),
    2**64 - 1,
    1.5,
    float("inf"),
    "text",
    b"bytes",
    [1, [2, "x"]],
    (1, (2, 3)),
    {1: "a", "b": (2,), (1, 2): None},
    frozenset({"b", "a"}),
    Cost(output_tokens=3, money=0.5),
    Failure("EngineError", "no", status=500, retryable=True),
    Leaf((1, 2)),
    Tree((Leaf([1]), Leaf("x", "y")), {3: 0.5}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u8", "?", "i1"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), ()])
def test_arrays_come_back_bit_by_bit(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    back = decode(encode(Leaf(array))).values
    assert back.dtype == array.dtype
    assert back.shape == shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


def test_odd_scalars_become_plain_ones() -> None:
    back = decode(encode([np.float64(0.1), np.int64(4), np.bool_(True), Colour.RED, np.array([1.0, 2.0, 3.0])[::2]]))
    assert back[:4] == [0.1, 4, True, "red"]
    assert [type(value) for value in back[:4]] == [float, int, bool, str]
    assert back[4].tolist() == [1.0, 3.0]


def test_equal_values_have_equal_bytes() -> None:
    assert encode(frozenset({"a", "b", "c"})) == encode(frozenset({"c", "b", "a"}))


class NotSaved:
    pass


@pytest.mark.parametrize(
    "value", [NotSaved(), object, lambda: 0, {1, 2}, np.array([None])], ids=lambda value: type(value).__name__
)
def test_what_has_no_place_is_refused_on_writing(value: Any) -> None:
    with pytest.raises(CheckpointError):
        encode([value])


def test_every_damaged_byte_is_noticed() -> None:
    data = encode(Tree((Leaf(np.arange(5.0)),), {1: 2.0}))
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x41
        with pytest.raises(CheckpointError):
            decode(bytes(broken))
    for length in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(CheckpointError):
            decode(data[:length])


def test_another_schema_is_refused() -> None:
    data = msgspec.msgpack.decode(encode(1))
    with pytest.raises(CheckpointError, match="schema"):
        decode(msgspec.msgpack.encode({**data, "schema": 999}))
    with pytest.raises(CheckpointError, match="schema"):
        decode(msgspec.msgpack.encode([1, 2]))


def test_a_class_that_is_not_loaded_is_refused() -> None:
    @dataclass(frozen=True)
    class Gone(Saved):
        x: int = 1

    data = encode(Gone())
    name = f"{Gone.__module__}:{Gone.__qualname__}"
    known = Saved._known.pop(name)
    try:
        with pytest.raises(CheckpointError, match="not loaded"):
            decode(data)
    finally:
        Saved._known[name] = known
    assert decode(data) == Gone()


def test_fields_that_changed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leaf, "saved_fields", lambda self: {"values": 1, "old": 2})
    data = encode(Leaf(1))
    with pytest.raises(CheckpointError, match="does not fit"):
        decode(data)


def test_nothing_outside_the_tree_of_saved_classes_can_be_built() -> None:
    """A checkpoint names classes; only those derived from `Saved` are ever looked up."""
    data = encode(Leaf(1)).replace(b"test_checkpoint:Leaf", b"test_checkpoint:Lexx")
    with pytest.raises(CheckpointError):
        decode(data)
