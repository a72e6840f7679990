"""Documents and events of the three interfaces, read into drafts. What is not understood is left alone; what must be there is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from outthink.core.errors import explain
from outthink.engines.openai.drafts import Draft, Reply
from outthink.engines.openai.failing import BrokenReply
from outthink.engines.openai.usage import read_usage

Api = Literal["chat", "completions", "responses"]


def read_whole(api: Api, document: Any, reply: Reply) -> None:
    """A whole reply. Raises `BrokenReply` when it holds no choice."""
    reply.begun = True
    if not isinstance(document, Mapping):
        raise _broken(document, "an object")
    _usage(document, reply)
    reply.usage_final = reply.usage is not None
    if api == "responses":
        _response(document, reply)
    else:
        for choice in _list(document.get("choices")):
            draft = reply.draft(_index(choice))
            body = choice if api == "completions" else _mapping(choice.get("message"))
            _text(draft, body.get("text") if api == "completions" else body.get("content"))
            _thought(draft, body)
            _tool_calls(draft, body)
            _rest(draft, choice)
            draft.finish = draft.finish or "stop"
    if not reply.drafts:
        raise _broken(document, "at least one choice")
    reply.ended = True


def read_event(api: Api, event: Any, reply: Reply) -> None:
    """One piece of a stream."""
    reply.begun = True
    if event == "[DONE]":
        reply.ended = True
        return
    if not isinstance(event, Mapping):
        raise _broken(event, "an object")
    if api == "responses":
        _response_event(event, reply)
        return
    if isinstance(event.get("usage"), Mapping):
        _usage(event, reply)
    for choice in _list(event.get("choices")):
        if "message" in choice:
            # A whole reply where a stream was wanted.
            read_whole(api, event, reply)
            return
        draft = reply.draft(_index(choice))
        body = choice if api == "completions" else _mapping(choice.get("delta"))
        _text(draft, body.get("text") if api == "completions" else body.get("content"))
        _thought(draft, body)
        _tool_calls(draft, body)
        _rest(draft, choice)
    if isinstance(event.get("usage"), Mapping):
        # In an event of its own, or with the end of the last choice; a running count before that is not the whole.
        ended = all(draft.finish is not None for draft in reply.drafts.values())
        reply.usage_final = ended or not _list(event.get("choices"))


def complete(reply: Reply) -> None:
    """Check that a stream that is over has said all it should. Raises `BrokenReply`."""
    if not any(draft.finish is not None or draft.pieces for draft in reply.drafts.values()):
        raise _broken("no choice", "at least one choice")
    if not reply.ended and any(draft.finish is None for draft in reply.drafts.values()):
        raise BrokenReply(
            explain(
                "The stream ended in the middle of the reply.",
                got=f"{sum(draft.pieces for draft in reply.drafts.values())} pieces",
                expected="a reason for its end",
                remedy="Try again; look at the server's log if it happens often.",
            ),
            retryable=True,
        )
    reply.ended = True


# -- parts ----------------------------------------------------------------------------------------------------------


def _rest(draft: Draft, choice: Mapping[str, Any]) -> None:
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish:
        draft.finish = finish
    for name in ("stop_reason", "matched_stop"):
        if isinstance(told := choice.get(name), str):
            draft.told_stop = told
    ids = choice.get("token_ids")
    if isinstance(ids, list) and all(isinstance(i, int) for i in ids):
        draft.tokens.extend(ids)
    _log_probs(draft, choice.get("logprobs"))


def _log_probs(draft: Draft, given: Any) -> None:
    if isinstance(given, list):
        found = [one for one in given if isinstance(one, Mapping)]
        pairs = [(one.get("token"), one.get("logprob"), _alternatives(one.get("top_logprobs"))) for one in found]
    elif isinstance(given, Mapping) and isinstance(given.get("content"), list):
        return _log_probs(draft, given["content"])
    elif isinstance(given, Mapping):
        names, values = _values(given.get("tokens")), _values(given.get("token_logprobs"))
        tops = [_alternatives(top) for top in _values(given.get("top_logprobs"))]
        tops += [[]] * (len(names) - len(tops))
        pairs = list(zip(names, values, tops, strict=False))
    else:
        return None
    for token, value, others in pairs:
        if isinstance(token, str) and isinstance(value, int | float) and not math.isnan(value):
            draft.names.append(token)
            draft.log_probs.append(min(float(value), 0.0))
            draft.others.append(others)
    return None


def _alternatives(given: Any) -> list[tuple[str, float]]:
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [(one.get("token"), one.get("logprob")) for one in _list(given)]
    return [(t, float(p)) for t, p in pairs if isinstance(t, str) and isinstance(p, int | float)]


def _text(draft: Draft, content: Any) -> None:
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    if isinstance(content, str) and content:
        draft.add(draft.parts, content)


def _thought(draft: Draft, body: Mapping[str, Any]) -> None:
    for name in ("reasoning_content", "reasoning"):
        if isinstance(thought := body.get(name), str) and thought:
            draft.add(draft.thoughts, thought)
            return


def _tool_calls(draft: Draft, body: Mapping[str, Any]) -> None:
    """Tool calls, whole or in pieces: names and arguments of one place are put together as they arrive."""
    for place, call in enumerate(_list(body.get("tool_calls"))):
        index = call.get("index", place)
        so_far = draft.calls.setdefault(index if isinstance(index, int) else place, {})
        said = _mapping(call.get("function"))
        for name, part in (("id", call.get("id")), ("name", said.get("name")), ("arguments", said.get("arguments"))):
            if isinstance(part, str) and part:
                so_far[name] = so_far.get(name, "") + part
                draft.pieces += 1
                draft.size += len(part)


def _usage(document: Mapping[str, Any], reply: Reply) -> None:
    reply.usage = read_usage(document.get("usage")) or reply.usage


def _response(document: Mapping[str, Any], reply: Reply) -> None:
    if document.get("status") == "failed":
        raise _broken(document.get("error"), "a response that did not fail")
    items = _list(document.get("output"))
    if not items:
        return
    draft = reply.drafts[0] = Draft()
    for item in items:
        if item.get("type") == "reasoning":
            for part in _list(item.get("content")) or _list(item.get("summary")):
                _thought(draft, {"reasoning": part.get("text")})
        for part in _list(item.get("content")) if item.get("type") == "message" else ():
            _text(draft, part.get("text") or part.get("refusal"))
            _log_probs(draft, part.get("logprobs"))
    why = _mapping(document.get("incomplete_details")).get("reason")
    draft.finish = str(why) if document.get("status") == "incomplete" and why else "stop"


def _response_event(event: Mapping[str, Any], reply: Reply) -> None:
    kind = event.get("type")
    if kind == "response.output_text.delta":
        _text(reply.draft(0), event.get("delta"))
        _log_probs(reply.draft(0), event.get("logprobs"))
    elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
        _thought(reply.draft(0), {"reasoning": event.get("delta")})
    elif kind in ("response.failed", "error"):
        raise _broken(event.get("response") or event.get("message"), "a response that did not fail")
    elif kind in ("response.completed", "response.incomplete"):
        read_whole("responses", event.get("response"), reply)
    elif "output" in event:
        read_whole("responses", event, reply)


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index", 0)
    return index if isinstance(index, int) and index >= 0 else 0


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _broken(got: Any, expected: str) -> BrokenReply:
    return BrokenReply(
        explain(
            "The backend's reply makes no sense.",
            got=str(got)[:200],
            expected=expected,
            remedy="Check base_url and the interface (api); look at the server's log.",
        ),
        retryable=True,
    )
