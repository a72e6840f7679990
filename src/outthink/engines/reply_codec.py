"""Replies as JSON and back, exactly: what recordings, caches and run journals keep.

Numbers keep every bit (JSON's shortest form of a float reads back as the same float); what JSON has no word for (nan, infinities) is
written as a string; arrays as their type, shape and bytes in base 64.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec
import numpy as np

from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.half_pairs import from_json
from outthink.engines.engine import Continued, Generation, StopReason
from outthink.engines.paid_failure import PaidFailure, Ungiven
from outthink.engines.tools import ToolCall
from outthink.numerics.types import FloatArray


def encode_generation(reply: Generation | Failure) -> bytes:
    """One reply of `Engine.generate`."""
    if isinstance(reply, Failure):
        return _json(_failure(reply))
    written: dict[str, Any] = {"text": reply.text, "stop": reply.stop.value, "cost": _cost(reply.cost)}
    if reply.tokens is not None:
        written["tokens"] = reply.tokens
    if reply.log_probs is not None:
        written["log_probs"] = [_number(x) for x in reply.log_probs]
    if reply.hidden is not None:
        written["hidden"] = _array(reply.hidden)
    for name in ("stop_text", "reasoning"):
        if value := getattr(reply, name):
            written[name] = value
    if reply.names is not None:
        written["names"] = reply.names
    if reply.tool_calls:
        written["tool_calls"] = reply.tool_calls
    if reply.estimated:
        written["estimated"] = True
    if reply.uncertain != Cost():
        written["uncertain"] = _cost(reply.uncertain)
    return _json(written)


def decode_generation(data: bytes) -> Generation | Failure:
    """What `encode_generation` wrote."""
    written = from_json(data)
    if "failure" in written:
        return _read_failure(written)
    return Generation(
        text=written["text"],
        stop=StopReason(written["stop"]),
        cost=_read_cost(written["cost"]),
        tokens=tuple(written["tokens"]) if "tokens" in written else None,
        log_probs=tuple(float(x) for x in written["log_probs"]) if "log_probs" in written else None,
        stop_text=written.get("stop_text", ""),
        hidden=_read_array(written["hidden"]) if "hidden" in written else None,
        reasoning=written.get("reasoning", ""),
        estimated=written.get("estimated", False),
        uncertain=_read_cost(written.get("uncertain", {})),
        names=tuple(written["names"]) if "names" in written else None,
        tool_calls=msgspec.convert(written.get("tool_calls", ()), tuple[ToolCall, ...]),
    )


def encode_continued(reply: Continued | Failure) -> bytes:
    """One reply of `ScoresContinuations.log_probs`."""
    if isinstance(reply, Failure):
        return _json(_failure(reply))
    return _json({"log_probs": [_number(x) for x in reply.log_probs], "cost": _cost(reply.cost)})


def decode_continued(data: bytes) -> Continued | Failure:
    """What `encode_continued` wrote."""
    written = msgspec.json.decode(data)
    if "failure" in written:
        return _read_failure(written)
    return Continued(tuple(float(x) for x in written["log_probs"]), _read_cost(written["cost"]))


def encode_costs(costs: list[Cost | Failure]) -> bytes:
    """The answer of `Engine.most`."""
    return _json([_failure(cost) if isinstance(cost, Failure) else _cost(cost) for cost in costs])


def decode_costs(data: bytes) -> list[Cost | Failure]:
    """What `encode_costs` wrote."""
    return [_read_failure(one) if "failure" in one else _read_cost(one) for one in msgspec.json.decode(data)]


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _failure(failure: Failure) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(failure, name) for name in ("kind", "message", "status", "retryable")}
    if isinstance(failure, PaidFailure):
        kept = {"failure": said, "cost": _cost(failure.cost), "uncertain": _cost(failure.uncertain)}
        return {**kept, "ungiven": True} if isinstance(failure, Ungiven) else kept
    return {"failure": said}


def _read_failure(written: dict[str, Any]) -> Failure:
    if "cost" not in written:
        return Failure(**written["failure"])
    cost, uncertain = _read_cost(written["cost"]), _read_cost(written["uncertain"])
    kind = Ungiven if written.get("ungiven") else PaidFailure
    return kind(**written["failure"], cost=cost, uncertain=uncertain)


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _cost(cost: Cost) -> dict[str, Any]:
    """Only the columns that are not zero."""
    return {name: _number(value) for name in cost.__struct_fields__ if (value := getattr(cost, name))}


def _read_cost(written: dict[str, Any]) -> Cost:
    numbers: dict[str, Any] = {n: float(value) if isinstance(value, str) else value for n, value in written.items()}
    return Cost(**numbers)


def _array(array: FloatArray) -> dict[str, Any]:
    flat = np.ascontiguousarray(array)
    return {"dtype": flat.dtype.str, "shape": flat.shape, "data": base64.b64encode(flat.tobytes()).decode()}


def _read_array(written: dict[str, Any]) -> FloatArray:
    data = base64.b64decode(written["data"])
    array: FloatArray = np.frombuffer(data, dtype=np.dtype(written["dtype"])).reshape(written["shape"]).copy()
    return array
