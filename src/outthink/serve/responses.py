"""`/v1/responses`, the common subset: text in, text out, with instructions, JSON and log-probabilities. Nothing is kept between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from outthink.core.task import Message
from outthink.serve.accounts import account, usage
from outthink.serve.asking import Ask, Options
from outthink.serve.bodies import decoded, form_of, options_of, sampling_of
from outthink.serve.chat import text_of
from outthink.serve.interface import Interface, Reply, event, pieces
from outthink.serve.refusal import refused
from outthink.serve.selecting import Answered

LOG_PROBS = "message.output_text.logprobs"
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "context_management": (),
    "conversation": (),
    "max_tool_calls": (),
    "parallel_tool_calls": (True, False),
    "previous_response_id": (),
    "prompt": (),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "reasoning": (),
    "safety_identifier": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "stream_options": ({}, {"include_obfuscation": False}),
    "tool_choice": ("auto", "none"),
    "tools": ([],),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One message of the input."""

    role: str
    content: str | list[dict[str, Any]]
    type: str = "message"
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class ResponseBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The fields that are honoured."""

    model: str
    input: str | Annotated[list[Item], Meta(min_length=1)]
    instructions: str | None = None
    temperature: Annotated[float, Meta(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
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
        return Ask(
            model=given.model,
            prompt=_messages(given),
            stream=given.stream,
            include_usage=True,
            sampling=sampling_of(given, ("temperature", "top_p")),
            max_tokens=given.max_output_tokens,
            limit_field="max_output_tokens",
            log_probs=LOG_PROBS in given.include,
            form=form_of(form, "text.format"),
            user=given.user,
            metadata=given.metadata,
            options=options_of(given.outthink),
        )

    def document(self, reply: Reply) -> dict[str, Any]:
        answer = reply.outcome.answers[0]
        return {
            **_head(reply, "incomplete" if answer.finish == "length" else "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if answer.finish == "length" else None,
            "output": [_item(reply, answer)],
            "usage": usage(reply.outcome.result, "input", "output"),
            "outthink": account(reply.outcome, reply.ask.model),
        }

    def events(self, reply: Reply) -> Iterator[bytes]:
        answer, number = reply.outcome.answers[0], 0

        def tell(kind: str, **fields: Any) -> bytes:
            nonlocal number
            number += 1
            return event({"type": kind, "sequence_number": number - 1, **fields}, kind)

        item = _item(reply, answer)
        part = item["content"][0]
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        begun = {**_head(reply, "in_progress"), "output": [], "usage": None, "incomplete_details": None}
        yield tell("response.created", response=begun)
        yield tell("response.in_progress", response=begun)
        opened = {**item, "status": "in_progress", "content": []}
        yield tell("response.output_item.added", output_index=0, item=opened)
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield tell("response.content_part.added", **place, part=empty)
        for text, start, end in pieces(answer):
            yield tell("response.output_text.delta", **place, delta=text, logprobs=part["logprobs"][start:end])
        yield tell("response.output_text.done", **place, text=answer.text, logprobs=part["logprobs"])
        yield tell("response.content_part.done", **place, part=part)
        yield tell("response.output_item.done", output_index=0, item=item)
        whole = self.document(reply)
        yield tell(f"response.{whole['status']}", response=whole)


def _messages(given: ResponseBody) -> tuple[Message, ...]:
    said = [Message("system", given.instructions)] if given.instructions else []
    if isinstance(given.input, str):
        return (*said, Message("user", given.input))
    for i, item in enumerate(given.input):
        if item.type != "message" or item.role not in _ROLES:
            raise refused(f"input[{i}]", f"Messages only, of {', '.join(_ROLES)}.")
        said.append(Message(_ROLES[item.role], text_of(item.content, f"input[{i}].content")))
    return tuple(said)


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
        "instructions": None,
        "max_output_tokens": ask.max_tokens,
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "store": False,
        "temperature": ask.sampling.get("temperature"),
        "tool_choice": "none",
        "tools": [],
        "top_p": ask.sampling.get("top_p"),
        "user": ask.user or None,
    }


def _item(reply: Reply, answer: Answered) -> dict[str, Any]:
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
