"""Saved state: msgpack of dataclass trees, with a schema number and a digest, so that damage never passes for state.

Arrays are dtype, shape and bytes; a class is named by its module and its own name and must be a subclass of `Saved`, so that reading a
checkpoint can never build anything else or run code. A batch stores its states as the bytes that its process dumps.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from outthink.core.cost import Cost
from outthink.core.errors import CheckpointError, Failure, explain

SCHEMA = 1


class Saved:
    """Base of every dataclass that may stand in a checkpoint."""

    _known: ClassVar[dict[str, type[Saved]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Saved._known[f"{cls.__module__}:{cls.__qualname__}"] = cls

    @classmethod
    def known(cls, name: str) -> type[Saved] | None:
        """The class stored under `name`; None when it is not loaded."""
        return cls._known.get(name)

    def saved_fields(self) -> dict[str, Any]:
        """What to store; by default every field."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_saved(cls, fields: dict[str, Any], context: Any) -> Self:
        """The value that `saved_fields` described; `context` is what the reader was given (a process)."""
        return cls(**fields)


def encode(value: Any) -> bytes:
    """`value` as bytes. Raises `CheckpointError` for what has no place in a checkpoint."""
    body = msgspec.msgpack.encode(_plain(value))
    return msgspec.msgpack.encode({"schema": SCHEMA, "digest": _digest(body), "body": body})


def decode(data: bytes, context: Any = None) -> Any:
    """The value that `encode` wrote. Raises `CheckpointError` for damage, another schema, or an unknown class."""
    try:
        outer = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise _damaged(str(error)) from None
    if not isinstance(outer, dict) or outer.get("schema") != SCHEMA:
        raise CheckpointError(
            explain(
                "The checkpoint has another schema.",
                got=outer.get("schema") if isinstance(outer, dict) else type(outer).__name__,
                expected=str(SCHEMA),
                remedy="Resume with the version of outthink that wrote it.",
            )
        )
    body = outer.get("body")
    if not isinstance(body, bytes) or outer.get("digest") != _digest(body):
        raise _damaged("a body that does not match its digest")
    try:
        return _rebuild(msgspec.msgpack.decode(body), context)
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        # The bytes are as they were written, so the writer's classes were not these.
        raise CheckpointError(
            explain(
                "The checkpoint does not fit the classes of this version.",
                got=f"{type(error).__name__}: {error}",
                expected="fields as they are defined now",
                remedy="Resume with the version of outthink that wrote it.",
            )
        ) from error


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).digest()


def _damaged(got: str) -> CheckpointError:
    return CheckpointError(
        explain(
            "The checkpoint is damaged.",
            got=got,
            expected="the bytes that were written",
            remedy="Use the checkpoint before it, or start again.",
        )
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        # str enums and numpy floats are subclasses of these; store the plain value.
        return value if type(value) in (bool, int, float, str, bytes, type(None)) else _base(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise CheckpointError("An array of Python objects cannot be stored; use a tuple.")
        return {"$": "array", "dtype": value.dtype.str, "shape": list(value.shape), "data": value.tobytes()}
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [_plain(v) for v in value]}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, frozenset):
        return {"$": "set", "items": [_plain(v) for v in sorted(value)]}
    if isinstance(value, dict):
        return {"$": "dict", "items": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, Cost):
        return {"$": "cost", "fields": msgspec.to_builtins(value)}
    if isinstance(value, Failure):
        return {"$": "failure", "fields": dataclasses.asdict(value)}
    if isinstance(value, Saved):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        return {"$": "saved", "class": name, "fields": {k: _plain(v) for k, v in value.saved_fields().items()}}
    raise CheckpointError(
        explain(
            "A value cannot be stored in a checkpoint.",
            got=type(value).__name__,
            expected="plain values, arrays, and dataclasses derived from Saved",
            remedy="Derive the class from outthink.core.Saved.",
        )
    )


def _base(value: Any) -> Any:
    """The plain value of an instance of a subclass: string enums, numpy floats."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(value)
    return int(value) if isinstance(value, int) else float(value)


def _rebuild(value: Any, context: Any) -> Any:
    if isinstance(value, list):
        return [_rebuild(v, context) for v in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case "array":
            return np.frombuffer(value["data"], dtype=np.dtype(value["dtype"])).reshape(value["shape"]).copy()
        case "tuple":
            return tuple(_rebuild(v, context) for v in value["items"])
        case "set":
            return frozenset(_rebuild(v, context) for v in value["items"])
        case "dict":
            return {_rebuild(k, context): _rebuild(v, context) for k, v in value["items"]}
        case "cost":
            return msgspec.convert(value["fields"], Cost)
        case "failure":
            return Failure(**value["fields"])
        case "saved":
            cls = Saved.known(value["class"])
            if cls is None:
                raise CheckpointError(
                    explain(
                        "The checkpoint holds a class that is not loaded.",
                        got=value["class"],
                        expected="one of outthink's own or of a loaded plug-in",
                        remedy="Install or import the plug-in that wrote it.",
                    )
                )
            return cls.from_saved({k: _rebuild(v, context) for k, v in value["fields"].items()}, context)
        case other:
            raise CheckpointError(f"The checkpoint holds an unknown kind of value, {other!r}.")
