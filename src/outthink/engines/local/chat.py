"""The model's own chat template, in Jinja's sandbox, so that no text in a message can pose as the template's markup.

The template is rendered with a placeholder for each content and each role. The rendered text is then cut at the placeholders: what stands
between them is the template's and is read with its markup, what people wrote is put in and is not. A template that looks into a content
(strips it, splits it, compares it) is given real text first: `parts` checks that cutting gives what rendering the real texts gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outthink.core.errors import EngineError, InputError, explain
from outthink.core.task import Message

OPEN, CLOSE = "\ue000", "\ue001"
"""Private-use characters around a placeholder's number; they are refused in messages."""

_PLACEHOLDER = re.compile(f"{OPEN}([0-9]+){CLOSE}")


@dataclass(frozen=True)
class Part:
    """A stretch of a conversation: the template's markup, or what somebody wrote."""

    text: str
    markup: bool


class ChatTemplate:
    """A template from a model's metadata. Raises `EngineError` when it is not one."""

    def __init__(self, source: str, begin: str, end: str) -> None:
        from jinja2 import TemplateError  # only for models with a template
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
        environment.globals["raise_exception"] = _refuse
        self._begin, self._end = begin, end
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise EngineError(f"The model's chat template cannot be read: {error}") from error

    def parts(self, messages: Sequence[Message], *, reply: bool = True) -> list[Part]:
        """The conversation in stretches, open for the assistant's reply unless not wanted.

        Raises `InputError` for messages that the template refuses.
        """
        texts = [_text(message) for message in messages]
        marked = [{"role": m.role, "content": f"{OPEN}{i}{CLOSE}"} for i, m in enumerate(messages)]
        plain = [{"role": m.role, "content": text} for m, text in zip(messages, texts, strict=True)]
        rendered, real = self._render(marked, reply), self._render(plain, reply)
        parts = _cut(rendered, texts)
        if "".join(part.text for part in parts) != real:
            stripped = _cut(rendered, [text.strip() for text in texts])
            if "".join(part.text for part in stripped) != real:
                raise InputError(
                    explain(
                        "The model's chat template changes what a message says.",
                        got=real[:200],
                        expected="every message as it was written",
                        remedy="Use a text prompt.",
                    )
                )
            return stripped
        return parts

    def _render(self, messages: Sequence[dict[str, str]], reply: bool) -> str:
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=messages, add_generation_prompt=reply, bos_token=self._begin, eos_token=self._end
            )
        except TemplateError as error:
            raise InputError(f"The model's chat template refuses this conversation: {error}") from error


def _cut(rendered: str, texts: Sequence[str]) -> list[Part]:
    pieces = _PLACEHOLDER.split(rendered)
    parts = [
        Part(piece, markup=True) if i % 2 == 0 else Part(texts[int(piece)], markup=False)
        for i, piece in enumerate(pieces)
    ]
    return [part for part in parts if part.text]


def _text(message: Message) -> str:
    if not isinstance(message.content, str):
        raise InputError(
            explain(
                "The embedded engine reads text only.",
                got=f"a message of role {message.role!r} with parts",
                expected="a text",
                remedy="Send images to a server that takes them.",
            )
        )
    if OPEN in message.content or CLOSE in message.content or not re.fullmatch(r"[A-Za-z_-]+", message.role):
        raise InputError(
            explain(
                "This message cannot be put into a chat template.",
                got=message.role,
                expected="a role of letters, and a content without the private characters U+E000 and U+E001",
                remedy="Remove them.",
            )
        )
    return message.content


def _refuse(message: Any) -> None:
    from jinja2 import TemplateError

    raise TemplateError(str(message))
