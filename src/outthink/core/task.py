"""What is asked, and what came of it: tasks and candidates.

Core never looks inside a candidate's content (text, transcript, tensor, image); it only hands it to verifiers and to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Feature = str
"""Something a verifier wants to see besides content and answer: "steps", "log_prob", "hidden", ..."""

Kind = Literal["text", "transcript", "tool-calls", "tensor", "image", "scalar"]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a chat. `content` is text, or the parts that a server takes (images), passed through.

    `more`: further fields by name, for servers with tools ("tool_calls", "tool_call_id"); engines without tools refuse them.
    """

    role: str
    content: str | tuple[dict[str, Any], ...]
    more: tuple[tuple[str, Any], ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be solved.

    Attributes:
        prompt: the question, or a whole conversation.
        id: unique within a set of tasks.
        reference: the right answer where it is known. Only verifiers that say so may read it; a solver never does.
        data: whatever a verifier or process of this task needs (unit tests, a schema, an environment's start).
    """

    prompt: str | tuple[Message, ...] = ""
    id: str = ""
    reference: str | None = None
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def question(self) -> str:
        """The prompt as text: the last user message of a conversation."""
        if isinstance(self.prompt, str):
            return self.prompt
        users = [m.content for m in self.prompt if m.role == "user" and isinstance(m.content, str)]
        return users[-1] if users else ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One member as verifiers and people see it.

    Attributes:
        id: node in the trace, -1 before a run has numbered it.
        content: what was generated so far.
        final: whether it is finished.
        answer: the extracted answer; None when there is none (it abstains).
        features: what the verifier's `wants` asked for, by name.
    """

    content: Any
    kind: Kind = "text"
    final: bool = True
    answer: str | None = None
    features: Mapping[str, Any] = msgspec.field(default_factory=dict)
    id: int = -1
