"""`/v1/completions`: raw text that is continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outthink.serve.accounts import account, usage
from outthink.serve.asking import Ask
from outthink.serve.bodies import decoded
from outthink.serve.fields import AtLeastOne, SharedFields, ask_of
from outthink.serve.interface import Interface, Reply, event, pieces
from outthink.serve.process import ServedToken
from outthink.serve.refusal import refused

DEFAULT_TOKENS = 16
"""OpenAI's own default of `max_tokens` at this address."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {"echo": (False,), "suffix": (), "best_of": (1,)}


class CompletionBody(SharedFields, kw_only=True, forbid_unknown_fields=True):
    """The fields that are honoured."""

    prompt: str | list[str]
    max_tokens: AtLeastOne = DEFAULT_TOKENS
    logprobs: int | None = None


class Completions(Interface):
    """Raw text."""

    @property
    def prefix(self) -> str:
        return "cmpl-"

    def read(self, body: Mapping[str, Any]) -> Ask:
        given = decoded(body, CompletionBody, NEUTRAL)
        prompts = [given.prompt] if isinstance(given.prompt, str) else given.prompt
        if len(prompts) != 1 or not prompts[0].strip():
            raise refused("prompt", "One text that is not empty. Send several requests for several prompts.")
        if given.logprobs:
            raise refused("logprobs", "0 gives those of the tokens in the answer; alternatives are not known here.")
        return ask_of(
            given, prompt=prompts[0], prompt_field="prompt", max_tokens=given.max_tokens, log_probs=given.logprobs == 0
        )

    def document(self, reply: Reply) -> dict[str, Any]:
        choices = [
            {
                "index": i,
                "text": answer.text,
                "finish_reason": answer.finish,
                "logprobs": _log_probs(answer.tokens or ()) if reply.ask.log_probs else None,
            }
            for i, answer in enumerate(reply.outcome.answers)
        ]
        return {
            **_head(reply),
            "choices": choices,
            "usage": usage(reply.outcome.result),
            "outthink": account(reply.outcome, reply.ask.model),
        }

    def events(self, reply: Reply) -> Iterator[bytes]:
        head, ask = _head(reply), reply.ask
        running: dict[str, Any] = {"usage": None} if ask.include_usage else {}
        last = len(reply.outcome.answers) - 1
        for index, answer in enumerate(reply.outcome.answers):
            at = 0
            for text, start, end in pieces(answer):
                shown = _log_probs((answer.tokens or ())[start:end], at) if ask.log_probs else None
                choice = {"index": index, "text": text, "finish_reason": None, "logprobs": shown}
                yield event({**head, "choices": [choice], **running})
                at += len(text)
            ended = {"index": index, "text": "", "finish_reason": answer.finish, "logprobs": None}
            found = {"outthink": account(reply.outcome, ask.model)} if index == last else {}
            yield event({**head, "choices": [ended], **running, **found})
        if ask.include_usage:
            yield event({**head, "choices": [], "usage": usage(reply.outcome.result)})
        yield b"data: [DONE]\n\n"


def _head(reply: Reply) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": reply.id,
        "object": "text_completion",
        "created": reply.created,
        "model": reply.ask.model,
    }
    return {**head, "metadata": reply.ask.metadata} if reply.ask.metadata else head


def _log_probs(tokens: Sequence[ServedToken], at: int = 0) -> dict[str, Any]:
    offsets: list[int] = []
    for token in tokens:
        offsets.append(at)
        at += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.log_prob for token in tokens],
        "top_logprobs": None,
        "text_offset": offsets,
    }
