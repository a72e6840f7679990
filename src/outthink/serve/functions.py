"""Functions that a model may call, as the chat interface writes them; `/v1/responses` writes the same with fewer braces.

What is refused is refused here for both: other tools than functions, a choice without tools, and fields of which one would undo the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from outthink.engines.tools import Tools
from outthink.serve.refusal import refused

_FORMS = ("auto", "none", "required")


def tools_of(
    definitions: Sequence[Mapping[str, Any]] | None, choice: str | Mapping[str, Any] | None, parallel: bool | None
) -> Tools | None:
    """The fields `tools`, `tool_choice` and `parallel_tool_calls`; None where no function may be called. Raises `Refusal`."""
    if not definitions:
        if choice not in (None, "none", "auto"):
            raise refused("tool_choice", "There are no tools in this request.")
        if parallel is not None:
            raise refused("parallel_tool_calls", "There are no tools in this request.")
        return None
    for k, tool in enumerate(definitions):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, Mapping) or not _is_name(function.get("name")):
            raise refused(f"tools[{k}]", "Functions only, each with a name.")
    names = {str(tool["function"]["name"]) for tool in definitions}
    if not _is_choice(choice, names):
        raise refused("tool_choice", f"One of {', '.join(_FORMS)}, or one function of those in tools.")
    if choice == "none":
        return None
    return Tools(
        tuple(dict(tool) for tool in definitions), dict(choice) if isinstance(choice, Mapping) else choice, parallel
    )


def check_together(tools: Tools | None, others: Mapping[str, object]) -> None:
    """Raises `Refusal` for the first of `others`, fields by name, that is there beside tools."""
    if tools is None:
        return
    for name, there in others.items():
        if there:
            raise refused(name, "Not together with tools: it is not known how it would apply to a call.")


def new_call_id() -> str:
    """For a call to which the model's server has given none."""
    return f"call_{secrets.token_hex(12)}"


def _is_choice(choice: str | Mapping[str, Any] | None, names: Collection[str]) -> bool:
    if not isinstance(choice, Mapping):
        return choice is None or choice in _FORMS
    function = choice.get("function")
    return choice.get("type") == "function" and isinstance(function, Mapping) and function.get("name") in names


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
