"""Whatever a server sends, the engine answers with a generation or a failure: no exception, no hang, no text that cannot be written."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.core import Failure, Message
from outthink.core.half_pairs import mended
from outthink.engines import ChatPrompt, Generation, Request
from outthink.engines.openai.drafts import Reply, first_stop
from outthink.engines.openai.failing import BackendError, BrokenReply
from outthink.engines.openai.reading import complete, read_event, read_whole
from outthink.engines.openai.transport import decoded, events_of
from outthink.engines.openai.wire import Response
from outthink.testing.openai_server import Fault, Personality, every
from tests.engines.openai.conftest import pair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "choices", "index", "message", "delta", "content", "text", "finish_reason", "usage", "prompt_tokens", "output",
        "completion_tokens", "logprobs", "token", "logprob", "tokens", "token_logprobs", "top_logprobs", "reasoning",
        "stop_reason", "token_ids", "type", "response", "status", "incomplete_details", "output_text", "error",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    ["message", "response.completed", "response.output_text.delta", "reasoning", "failed", "length"]
)
SHAPED = st.recursive(
    st.none() | st.integers(-3, 9) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
APIS = st.sampled_from(["chat", "completions", "responses"])
HELLO = Request(ChatPrompt((Message("user", "hello"),)), seed=1, max_tokens=100)


@given(APIS, st.lists(JSON | SHAPED, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_document_is_read_or_refused(api: Any, documents: list[Any]) -> None:
    for read in (read_whole, read_event):
        reply = Reply()
        with contextlib.suppress(BackendError):
            for document in documents:
                read(api, document, reply)
            complete(reply)
        for draft in reply.drafts.values():
            (draft.text + draft.reasoning).encode()
            assert len(draft.names) == len(draft.log_probs) == len(draft.others)
            assert all(value <= 0 for value in draft.log_probs)


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_json_or_a_broken_reply(body: bytes) -> None:
    with contextlib.suppress(BrokenReply):
        decoded(body)


def test_deep_nesting_and_half_pairs() -> None:
    with pytest.raises(BackendError):
        decoded(b"[" * 100_000)
    halves = [decoded(b'{"text": "\\ud83d"}')["text"], decoded(b'{"text": "\\ude42"}')["text"]]
    assert mended("".join(halves)) == "\N{SLIGHTLY SMILING FACE}"
    assert mended(halves[0]) == "�"


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=3), max_size=3))
@settings(max_examples=150, deadline=None)
def test_the_first_stop_string(text: str, stops: list[str]) -> None:
    at, stop = first_stop(text, stops)
    assert (at >= 0) == any(s in text for s in stops)
    if at >= 0:
        assert text[at:].startswith(stop)
        assert not any(s in text[: at + len(stop) - 1] and text.find(s) < at for s in stops)


ODD = [
    "line\u2028separator\u2029and\x85next\x0bvertical\x0cform\r\nfeed",
    "\N{FAMILY} 🧑‍🚀 ﷽ é e\u0301 \u202eright to left",
    "data: [DONE]\n\ndata: {}",
    "x" * 20_000,
    "\x00\x01\ufeff\uffff",
    "",
]


@pytest.mark.parametrize("stream", ["always", "never"])
@pytest.mark.parametrize("text", ODD, ids=["lines", "signs", "events", "huge", "control", "empty"])
async def test_odd_texts_arrive_as_they_are(text: str, stream: str) -> None:
    async with pair(Personality(faults=every(1, Fault("odd-text", text=text))), stream=stream) as both:
        asked = Request(HELLO.prompt, seed=1, max_tokens=max(1, len(text)))
        if len(text) > 1000 and stream == "always":
            asked = Request(HELLO.prompt, seed=1, max_tokens=500)
        (reply,) = await both.engine.generate([asked])
        if text:
            assert isinstance(reply, Generation)
            assert reply.text == text[: asked.max_tokens]
        else:
            assert isinstance(reply, Generation | Failure)


PIECES = [b"data: ", b"{", b'"choices"', b": [", b'{"delta": {"content": "\xc3', b"\xa9", b'"}}]}', b"\n", b"\n\n"]
PIECES += [b"[DONE]", b"event: x\n", b"\r\n", b": note\n"]


class InPieces(Response):
    """A reply that arrives in these very pieces."""

    status, headers = 200, {"content-type": "text/event-stream"}

    def __init__(self, pieces: list[bytes]) -> None:
        self._left = list(pieces)

    async def piece(self) -> bytes:
        return self._left.pop(0) if self._left else b""

    async def close(self) -> None:
        self._left.clear()


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@settings(max_examples=60, deadline=None)
def test_any_stream_of_bytes(parts: list[bytes]) -> None:
    async def main() -> None:
        reply = Reply()
        with contextlib.suppress(BackendError):
            async for event in events_of(InPieces(parts)):
                read_event("chat", event, reply)
            complete(reply)

    asyncio.run(main())


def test_errors_can_be_written() -> None:
    with pytest.raises(BackendError) as error:
        read_whole("chat", {"choices": "\udc80"}, Reply())
    assert msgspec.json.encode(str(error.value).encode("utf-8", "replace").decode())


def test_usage_that_comes_with_the_end_is_the_whole_and_a_running_count_is_not() -> None:
    """llama.cpp reports the usage of a completion in the event that ends it, vLLM counts along if asked to."""
    usage = {"prompt_tokens": 6, "completion_tokens": 3}
    reply = Reply()
    read_event("completions", {"choices": [{"index": 0, "text": " a", "finish_reason": None}], "usage": usage}, reply)
    assert not reply.usage_final
    read_event("completions", {"choices": [{"index": 0, "text": " b", "finish_reason": "stop"}], "usage": usage}, reply)
    assert reply.usage_final
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output) == (6, 3)
    two = Reply()
    read_event("completions", {"choices": [{"index": 1, "text": " a", "finish_reason": None}]}, two)
    read_event("completions", {"choices": [{"index": 0, "text": " b", "finish_reason": "stop"}], "usage": usage}, two)
    assert not two.usage_final, "another choice goes on"
