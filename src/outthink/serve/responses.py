"""`/v1/responses`, the common subset: text in, text or calls of functions out, with instructions, JSON and log-probabilities.

Nothing is kept between responses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from outthink.serve.accounts import account, usage
from outthink.serve.asking import Ask, Options
from outthink.serve.bodies import decoded, form_of, options_of, sampling_of
from outthink.serve.fields import AtLeastOne, Temperature, TopP
from outthink.serve.functions import check_together, new_call_id
from outthink.serve.interface import Interface, Reply, event, pieces
from outthink.serve.refusal import refused
from outthink.serve.response_input import Item, functions_of, messages_of
from outthink.serve.selecting import Answered

LOG_PROBS = "message.output_text.logprobs"
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "context_management": (),
    "conversation": (),
    "max_tool_calls": (),
    "previous_response_id": (),
    "prompt": (),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "reasoning": (),
    "safety_identifier": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "stream_options": ({}, {"include_obfuscation": False}),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}


class ResponseBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The fields that are honoured."""

    model: str
    input: str | Annotated[list[Item], Meta(min_length=1)]
    instructions: str | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_output_tokens: AtLeastOne | None = None
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    stream: bool = False
    include: list[str] = msgspec.field(default_factory=list)
    text: dict[str, Any] | None = None
    user: str = ""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    outthink: Options | None = None


class Responses(Interface):
    """Responses."""

    @property
    def prefix(self) -> str:
        return "resp_"

    def read(self, body: Mapping[str, Any]) -> Ask:
        given = decoded(body, ResponseBody, NEUTRAL)
        for name in given.include:
            if name != LOG_PROBS:
                raise refused("include", f"{name[:64]!r} is not here; {LOG_PROBS} is.")
        text = dict(given.text or {})
        form = text.pop("format", None)
        if text.pop("verbosity", None) not in (None, "medium") or text or not isinstance(form, dict | None):
            raise refused("text", "Only its format is honoured.")
        ask = Ask(
            model=given.model,
            prompt=messages_of(given.instructions, given.input),
            prompt_field="input",
            stream=given.stream,
            include_usage=True,
            sampling=sampling_of(given, ("temperature", "top_p")),
            max_tokens=given.max_output_tokens,
            limit_field="max_output_tokens",
            log_probs=LOG_PROBS in given.include,
            form=form_of(form, "text.format"),
            tools=functions_of(given.tools, given.tool_choice, given.parallel_tool_calls),
            user=given.user,
            metadata=given.metadata,
            options=options_of(given.outthink),
            repeated={
                "instructions": given.instructions,
                "parallel_tool_calls": bool(given.tools) and given.parallel_tool_calls is not False,
                "tool_choice": given.tool_choice or ("auto" if given.tools else "none"),
                "tools": given.tools,
            },
        )
        check_together(ask.tools, {"include": ask.log_probs, "text": ask.form is not None})
        return ask

    def document(self, reply: Reply) -> dict[str, Any]:
        return _document(reply, _items(reply, reply.outcome.answers[0]))

    def events(self, reply: Reply) -> Iterator[bytes]:
        answer, number = reply.outcome.answers[0], 0

        def tell(kind: str, **fields: Any) -> bytes:
            nonlocal number
            number += 1
            return event({"type": kind, "sequence_number": number - 1, **fields}, kind)

        begun = {**_head(reply, "in_progress"), "output": [], "usage": None, "incomplete_details": None}
        yield tell("response.created", response=begun)
        yield tell("response.in_progress", response=begun)
        items = _items(reply, answer)
        for k, item in enumerate(items):
            empty: dict[str, Any] = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
            yield tell("response.output_item.added", output_index=k, item={**item, "status": "in_progress", **empty})
            told = _told_call if item["type"] == "function_call" else _told_text
            for kind, fields in told(item, answer):
                yield tell(kind, item_id=item["id"], output_index=k, **fields)
            yield tell("response.output_item.done", output_index=k, item=item)
        whole = _document(reply, items)
        yield tell(f"response.{whole['status']}", response=whole)


def _told_text(item: Mapping[str, Any], answer: Answered) -> Iterator[tuple[str, dict[str, Any]]]:
    part = item["content"][0]
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield "response.content_part.added", {"content_index": 0, "part": empty}
    for text, start, end in pieces(answer):
        shown = {"delta": text, "logprobs": part["logprobs"][start:end]}
        yield "response.output_text.delta", {"content_index": 0, **shown}
    whole = {"text": answer.text, "logprobs": part["logprobs"]}
    yield "response.output_text.done", {"content_index": 0, **whole}
    yield "response.content_part.done", {"content_index": 0, "part": part}


def _told_call(item: Mapping[str, Any], answer: Answered) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "response.function_call_arguments.delta", {"delta": item["arguments"]}
    yield "response.function_call_arguments.done", {"arguments": item["arguments"]}


def _document(reply: Reply, items: list[dict[str, Any]]) -> dict[str, Any]:
    short = reply.outcome.answers[0].finish == "length"
    return {
        **_head(reply, "incomplete" if short else "completed"),
        "incomplete_details": {"reason": "max_output_tokens"} if short else None,
        "output": items,
        "usage": usage(reply.outcome.result, "input", "output"),
        "outthink": account(reply.outcome, reply.ask.model),
    }


def _head(reply: Reply, status: str) -> dict[str, Any]:
    ask = reply.ask
    return {
        "id": reply.id,
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "model": ask.model,
        "metadata": ask.metadata,
        "max_output_tokens": ask.max_tokens,
        "previous_response_id": None,
        "store": False,
        "temperature": ask.sampling.get("temperature"),
        "top_p": ask.sampling.get("top_p"),
        "user": ask.user or None,
        **ask.repeated,
    }


def _items(reply: Reply, answer: Answered) -> list[dict[str, Any]]:
    """What the model said, and the calls that it asks for."""
    said = [_message(reply, answer)] if answer.text or not answer.tool_calls else []
    calls = [
        {
            "id": f"{reply.id.replace('resp_', 'fc_')}{k}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id or new_call_id(),
            "name": call.name,
            "arguments": call.arguments,
        }
        for k, call in enumerate(answer.tool_calls)
    ]
    return [*said, *calls]


def _message(reply: Reply, answer: Answered) -> dict[str, Any]:
    shown = [
        {"token": t.text, "logprob": t.log_prob, "bytes": list(t.text.encode()), "top_logprobs": []}
        for t in (answer.tokens if reply.ask.log_probs and answer.tokens else ())
    ]
    return {
        "id": reply.id.replace("resp_", "msg_"),
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if answer.finish == "length" else "completed",
        "content": [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": shown}],
    }
