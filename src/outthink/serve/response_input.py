"""What `/v1/responses` is given, as the conversation and the functions that the chat interface knows.

Calls of functions and their outputs are items of their own here; in a conversation calls stand with what the assistant said before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from outthink.core.task import Message
from outthink.engines.tools import Tools
from outthink.serve.chat import text_of
from outthink.serve.functions import tools_of
from outthink.serve.refusal import refused

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_OWN: Mapping[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
}
"""The fields that each type of item must have."""
_MAY: Mapping[str, tuple[str, ...]] = {"message": ("phase",), "function_call_output": ("name",)}
_ANY = ("type", "id", "status")
_FUNCTION = ("name", "description", "parameters", "strict")


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One item of the input. `id` and `status` are those of an earlier reply, and change nothing."""

    type: str = "message"
    id: str | None = None
    status: str | None = None
    role: str | None = None
    content: str | list[dict[str, Any]] | None = None
    phase: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[dict[str, Any]] | None = None


def messages_of(instructions: str | None, given: str | Sequence[Item]) -> tuple[Message, ...]:
    """The conversation. Raises `Refusal`."""
    said = [Message("system", instructions)] if instructions else []
    if isinstance(given, str):
        return (*said, Message("user", given))
    for i, item in enumerate(given):
        _check(item, f"input[{i}]")
        if item.type == "function_call":
            _add_call(said, item)
        elif item.type == "function_call_output":
            text = text_of(item.output, f"input[{i}].output")
            said.append(Message("tool", text, (("tool_call_id", item.call_id),)))
        else:
            said.append(Message(_ROLES[item.role or ""], text_of(item.content, f"input[{i}].content")))
    return tuple(said)


def functions_of(
    tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any] | None, parallel: bool | None
) -> Tools | None:
    """The fields `tools`, `tool_choice` and `parallel_tool_calls`. Raises `Refusal`."""
    definitions = []
    for k, tool in enumerate(tools):
        if tool.get("type") != "function":
            raise refused(f"tools[{k}]", "Functions only.")
        function = {name: value for name, value in tool.items() if name != "type" and value is not None}
        for name in function:
            if name not in _FUNCTION:
                raise refused(f"tools[{k}].{name[:64]}", f"A function has {', '.join(_FUNCTION)}.")
        definitions.append({"type": "function", "function": function})
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        choice = {"type": "function", "function": {name: value for name, value in choice.items() if name != "type"}}
    # Without tools it asks for nothing, and clients send it all the same.
    return tools_of(definitions, choice, parallel if definitions else None)


def _check(item: Item, place: str) -> None:
    own = _OWN.get(item.type)
    if own is None:
        raise refused(place, f"Items of the type {item.type[:64]!r} are not passed on here; {', '.join(_OWN)} are.")
    for name in item.__struct_fields__:
        there = getattr(item, name) is not None
        if there and name not in (*own, *_MAY.get(item.type, ()), *_ANY):
            raise refused(f"{place}.{name}", f"An item of the type {item.type!r} has none.")
        if name in own and not there:
            raise refused(f"{place}.{name}", "It is missing.")
    if item.type == "message" and item.role not in _ROLES:
        raise refused(f"{place}.role", f"One of {', '.join(_ROLES)}.")


def _add_call(said: list[Message], item: Item) -> None:
    """Put a call with what the assistant said right before it."""
    call = {"id": item.call_id, "type": "function", "function": {"name": item.name, "arguments": item.arguments}}
    last = said[-1] if said and said[-1].role == "assistant" else None
    if last is None:
        said.append(Message("assistant", "", (("tool_calls", [call]),)))
        return
    before = dict(last.more).get("tool_calls", [])
    said[-1] = msgspec.structs.replace(last, more=(("tool_calls", [*before, call]),))
