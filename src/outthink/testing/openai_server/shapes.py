"""The documents of the three interfaces: whole replies, pieces of a stream, usage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outthink.testing.openai_server.asking import Ask
from outthink.testing.openai_server.personality import Personality
from outthink.testing.openai_server.speaking import Piece, Spoken

CREATED = 1_700_000_000
CALL = "call "


def usage(
    ask: Ask, input_tokens: int, cached: int, output_tokens: int, reasoning: int, who: Personality
) -> dict[str, Any]:
    """The usage block, as truthful as the personality."""
    if who.usage == "wrong":
        input_tokens, cached, output_tokens = input_tokens // 2, 0, output_tokens // 2
    first, second = ("input", "output") if ask.api == "responses" else ("prompt", "completion")
    return {
        f"{first}_tokens": input_tokens,
        f"{second}_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        f"{first}_tokens_details": {"cached_tokens": cached},
        f"{second}_tokens_details": {"reasoning_tokens": reasoning},
    }


def log_probs(ask: Ask, pieces: Sequence[Piece]) -> dict[str, Any] | None:
    """Log-probabilities in the form of the interface; None when they were not asked for. End tokens are left out."""
    if ask.alternatives is None:
        return None
    shown = [piece for piece in pieces if piece.text]
    if ask.api == "completions":
        return {
            "tokens": [piece.token for piece in shown],
            "token_logprobs": [piece.log_prob for piece in shown],
            "top_logprobs": [dict(piece.others) for piece in shown],
        }
    return {"content": [_content(piece) for piece in shown]}


def _content(piece: Piece) -> dict[str, Any]:
    others = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in piece.others]
    return {
        "token": piece.token,
        "logprob": piece.log_prob,
        "bytes": list(piece.token.encode()),
        "top_logprobs": others,
    }


def choice(ask: Ask, index: int, spoken: Spoken, shown: str, who: Personality) -> dict[str, Any]:
    """One choice of a whole reply."""
    body: dict[str, Any] = {"index": index, "finish_reason": spoken.finish, "logprobs": log_probs(ask, spoken.pieces)}
    if who.tells_stop:
        body["stop_reason"] = spoken.stop_text or None
    if ask.token_ids:
        body["token_ids"] = [piece.id for piece in spoken.pieces]
    if ask.api == "completions":
        return {**body, "text": shown}
    message: dict[str, Any] = {"role": "assistant", "content": shown}
    if calls(ask, shown):
        name, _, arguments = shown.removeprefix(CALL).partition(" ")
        message |= {"content": None, "tool_calls": [_called(name, arguments)]}
        body["finish_reason"] = "tool_calls"
    if who.reasoning:
        message[who.reasoning_field] = who.reasoning
    return {**body, "message": message}


def calls(ask: Ask, text: str) -> bool:
    """Whether a reply is a call of a function: `call NAME {...}`, where the request has tools."""
    return ask.tools and text.startswith(CALL)


def _called(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}}


def call_deltas(text: str) -> list[dict[str, Any]]:
    """What a stream carries of a call, one delta for each of its characters."""
    name, _, arguments = text.removeprefix(CALL).partition(" ")
    before = len(text) - len(arguments)
    begun = {"tool_calls": [{"index": 0, **_called(name, "")}]}
    deltas: list[dict[str, Any]] = [{} for _ in range(before - 1)]
    return [*deltas, begun, *({"tool_calls": [{"index": 0, "function": {"arguments": c}}]} for c in arguments)]


def whole(ask: Ask, choices: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A whole chat or completions reply, without its usage."""
    kind = "chat.completion" if ask.api == "chat" else "text_completion"
    return {"id": "reply-1", "object": kind, "created": CREATED, "model": ask.model, "choices": list(choices)}


def chunk(ask: Ask, index: int, text: str, pieces: Sequence[Piece], **extra: Any) -> dict[str, Any]:
    """One piece of a chat or completions stream; `extra` goes into the choice."""
    one: dict[str, Any] = {"index": index, "finish_reason": None, "logprobs": log_probs(ask, pieces), **extra}
    if ask.api == "completions":
        one["text"] = text
    else:
        one.setdefault("delta", {"content": text})
    return {**whole(ask, [one]), "object": "chat.completion.chunk" if ask.api == "chat" else "text_completion"}


def response(ask: Ask, spoken: Spoken, shown: str, who: Personality) -> dict[str, Any]:
    """A whole reply of the responses interface, without its usage."""
    content: dict[str, Any] = {"type": "output_text", "text": shown, "annotations": []}
    if (given := log_probs(ask, spoken.pieces)) is not None:
        content["logprobs"] = given["content"]
    output: list[dict[str, Any]] = [{"type": "message", "role": "assistant", "content": [content]}]
    if who.reasoning:
        output.insert(0, {"type": "reasoning", "summary": [{"type": "summary_text", "text": who.reasoning}]})
    cut = spoken.finish == "length"
    return {
        "id": "response-1",
        "object": "response",
        "created_at": CREATED,
        "model": ask.model,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
    }


def error(message: str, status: int, code: str) -> dict[str, Any]:
    """An error document."""
    return {"error": {"message": message, "type": code, "code": status}}
