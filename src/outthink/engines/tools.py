"""Functions that a model may ask to have called: their definitions, how freely it may choose, and the calls that it made.

Definitions and the choice are passed to servers as they are in OpenAI's chat interface; engines without tools refuse them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.core.half_pairs import mended


@dataclass(frozen=True)
class Tools:
    """Attributes:
    definitions: entries of the interface's field `tools`.
    choice: its `tool_choice`; None: the server's default. parallel: its `parallel_tool_calls`.
    """

    definitions: tuple[dict[str, Any], ...]
    choice: str | dict[str, Any] | None = None
    parallel: bool | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """One call that a model asks for. `arguments` is JSON as the model wrote it."""

    name: str
    arguments: str
    id: str = ""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            msgspec.structs.force_setattr(self, name, mended(getattr(self, name)))
