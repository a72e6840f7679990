"""What is asked, and what came of it: tasks and candidates.

Core never looks inside a candidate's content (text, transcript, tensor, image); it only hands it to verifiers and to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from outthink.core.errors import InputError, explain
from outthink.core.half_pairs import whole_text

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

    def __post_init__(self) -> None:
        try:
            whole_text((self.id, self.prompt, self.reference, self.data))
            whole_text([(m.role, m.content, m.more) for m in self.prompt if isinstance(m, Message)])
        except UnicodeEncodeError as error:
            raise InputError(
                explain(
                    f"Task {self.id!r} holds half of a character, which can be neither stored nor sent.",
                    got=error.object[max(0, error.start - 20) : error.end + 20],
                    expected="text without lone surrogates",
                    remedy='Decode the text as what it is; text.encode("utf-8", "replace").decode() puts "?" there.',
                )
            ) from None

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


def in_words(content: Any) -> str | None:
    """A candidate's content as text; of a transcript each message behind who said it. None for what is neither."""
    if isinstance(content, str):
        return content
    if is_transcript(content):
        return "\n".join(f"{message.role}: {message.content}" for message in content)
    return None


def is_transcript(content: Any) -> bool:
    """Whether it is a conversation."""
    return isinstance(content, tuple) and bool(content) and all(isinstance(one, Message) for one in content)
