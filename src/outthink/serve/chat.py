"""`/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from outthink.core.task import Message
from outthink.engines.tools import ToolCall
from outthink.serve.accounts import account, usage
from outthink.serve.asking import Ask
from outthink.serve.bodies import decoded, form_of, limit_of
from outthink.serve.fields import AtLeastOne, SharedFields, ask_of
from outthink.serve.functions import check_together, new_call_id, tools_of
from outthink.serve.interface import Interface, Reply, event, pieces
from outthink.serve.process import ServedToken
from outthink.serve.refusal import refused
from outthink.serve.selecting import Answered

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": (),
    "functions": (),
    "modalities": (["text"],),
    "moderation": (),
    "prediction": (),
    "prompt_cache_key": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
    "reasoning_effort": (),
    "safety_identifier": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "top_logprobs": (0,),
    "verbosity": (),
    "web_search_options": (),
}
"""Fields of the interface that are not honoured, with the values that ask for nothing."""
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


class ChatMessage(msgspec.Struct, forbid_unknown_fields=True):
    """One message."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    audio: None = None
    function_call: None = None
    annotations: list[Any] | None = None


class ChatBody(SharedFields, kw_only=True, forbid_unknown_fields=True):
    """The fields that are honoured."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    max_tokens: AtLeastOne | None = None
    max_completion_tokens: AtLeastOne | None = None
    logprobs: bool = False
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


class Chat(Interface):
    """Conversations."""

    @property
    def prefix(self) -> str:
        return "chatcmpl-"

    def read(self, body: Mapping[str, Any]) -> Ask:
        given = decoded(body, ChatBody, NEUTRAL)
        limit, name = limit_of({"max_tokens": given.max_tokens, "max_completion_tokens": given.max_completion_tokens})
        ask = ask_of(
            given,
            prompt=tuple(_message(m, i) for i, m in enumerate(given.messages)),
            max_tokens=limit,
            limit_field=name,
            log_probs=given.logprobs,
            form=form_of(given.response_format, "response_format"),
            tools=tools_of(given.tools, given.tool_choice, given.parallel_tool_calls),
        )
        check_together(
            ask.tools, {"logprobs": ask.log_probs, "response_format": ask.form is not None, "stop": ask.stop}
        )
        return ask

    def document(self, reply: Reply) -> dict[str, Any]:
        choices = [
            {
                "index": i,
                "message": _said(answer),
                "finish_reason": answer.finish,
                "logprobs": {"content": _log_probs(answer.tokens or ())} if reply.ask.log_probs else None,
            }
            for i, answer in enumerate(reply.outcome.answers)
        ]
        return {
            **_head(reply, "chat.completion"),
            "choices": choices,
            "usage": usage(reply.outcome.result),
            "outthink": account(reply.outcome, reply.ask.model),
        }

    def events(self, reply: Reply) -> Iterator[bytes]:
        head, ask = _head(reply, "chat.completion.chunk"), reply.ask
        running: dict[str, Any] = {"usage": None} if ask.include_usage else {}

        def chunk(index: int, delta: Mapping[str, Any], **extra: Any) -> bytes:
            choice = {"index": index, "delta": delta, "finish_reason": None, **extra}
            return event({**head, "choices": [choice], **running})

        last = len(reply.outcome.answers) - 1
        for index, answer in enumerate(reply.outcome.answers):
            yield chunk(index, {"role": "assistant", "content": "", "refusal": None})
            for text, start, end in pieces(answer):
                shown: dict[str, Any] = (
                    {"logprobs": {"content": _log_probs((answer.tokens or ())[start:end])}} if ask.log_probs else {}
                )
                yield chunk(index, {"content": text}, **shown)
            if answer.tool_calls:
                calls = [{"index": k, **one} for k, one in enumerate(_calls(answer.tool_calls))]
                yield chunk(index, {"tool_calls": calls})
            found = {"outthink": account(reply.outcome, ask.model)} if index == last else {}
            choice = {"index": index, "delta": {}, "finish_reason": answer.finish}
            yield event({**head, "choices": [choice], **running, **found})
        if ask.include_usage:
            yield event({**head, "choices": [], "usage": usage(reply.outcome.result)})
        yield b"data: [DONE]\n\n"


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    head: dict[str, Any] = {"id": reply.id, "object": kind, "created": reply.created, "model": reply.ask.model}
    return {**head, "metadata": reply.ask.metadata} if reply.ask.metadata else head


def _said(answer: Answered) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.tool_calls:
        said |= {"content": answer.text or None, "tool_calls": _calls(answer.tool_calls)}
    return said


def _calls(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id or new_call_id(),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]


def _log_probs(tokens: Sequence[ServedToken]) -> list[dict[str, Any]]:
    return [
        {"token": t.text, "logprob": t.log_prob, "bytes": list(t.text.encode()), "top_logprobs": []} for t in tokens
    ]


# -- reading --------------------------------------------------------------------------------------------------------


def _message(given: ChatMessage, index: int) -> Message:
    place = f"messages[{index}]"
    if given.role not in _ROLES:
        raise refused(f"{place}.role", f"One of {', '.join(_ROLES)}.")
    if given.name is not None:
        raise refused(f"{place}.name", "Participants have no names here. Say it in the text.")
    about = given.tool_calls is not None or given.tool_call_id is not None or given.role == "tool"
    more: tuple[tuple[str, Any], ...] = ()
    if about:
        fields = {"tool_calls": given.tool_calls, "tool_call_id": given.tool_call_id}
        more = tuple((name, value) for name, value in fields.items() if value is not None)
        if given.role not in ("assistant", "tool") or (given.role == "tool" and given.tool_call_id is None):
            raise refused(place, "Calls stand with the assistant, and a tool's message says which call it answers.")
    if given.content is None and not given.tool_calls:
        raise refused(f"{place}.content", "It has no content.")
    return Message(_ROLES[given.role], text_of(given.content, f"{place}.content"), more)


def text_of(content: str | list[dict[str, Any]] | None, place: str) -> str:
    """Text, or the text of parts. Raises `Refusal` for other parts."""
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for k, part in enumerate(content):
        text = part.get("text")
        if part.get("type") not in ("text", "input_text", "output_text") or not isinstance(text, str):
            raise refused(f"{place}[{k}]", "Text only: images, audio and files are not passed on here.")
        texts.append(text)
    return "".join(texts)
