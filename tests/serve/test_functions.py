"""Functions that a model may call, through the official client: `/v1/responses` beside `/v1/chat/completions`, streamed and not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import openai
import pytest

from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.engines.engine import Continuation, EngineCapabilities, Generation, Request
from outthink.engines.openai import Openai, connect
from outthink.engines.scripted import Behaviour, ScriptedEngine
from outthink.engines.tools import ToolCall
from outthink.serve import Configuration
from outthink.testing.openai_server import OpenAIServer
from tests.serve.gateways import FULL, Running, running, saying, scripted
from tests.serve.matrix import TOOLS as CHAT_TOOLS
from tests.serve.matrix import script

TOOLS = [
    {"type": "function", "name": name, "description": f"the {name}", "parameters": {"type": "object"}, "strict": False}
    for name in ("weather", "clock")
]
CONFIGURATION = Configuration(models={"m": {}}, recipes={"careful": {"algorithm": {"type": "vote", "n": 8}}})


@pytest.fixture(autouse=True)
def same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses have no seed of their own, so the gateway draws one."""
    monkeypatch.setattr("outthink.serve.searching.secrets.randbits", lambda bits: 1)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Running, OpenAIServer]]:
    """A gateway before a server that has tools."""
    async with OpenAIServer(script) as server:
        engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        async with running({"m": engine}, CONFIGURATION) as on:
            yield on, server
        await engine.close()


class Parallel(ScriptedEngine):
    """A server that says a word and asks for two calls at once; it gives one of them no id."""

    calls = (ToolCall("weather", '{"city": "Rome"}', "call_1"), ToolCall("clock", "{}"))

    def __init__(self) -> None:
        super().__init__(saying("a word"), behaviour=Behaviour(continuations=(Continuation.ASSISTANT_PREFIX,)))

    @property
    def capabilities(self) -> EngineCapabilities:
        return replace(super().capabilities, tools=True)

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        plain = await super().generate([replace(request, tools=None) for request in requests], cut=cut)
        calls = {"tokens": None, "tool_calls": self.calls}
        return [replace(one, **calls) if isinstance(one, Generation) else one for one in plain]


async def test_a_response_calls_a_function_and_goes_on_with_its_output() -> None:
    async with serving() as (on, server):
        create = on.client.responses.create
        reply = await create(
            model="careful", input="tool", instructions="be brief", tools=TOOLS, parallel_tool_calls=False
        )
        (call,) = reply.output
        assert call.type == "function_call"
        assert (call.name, json.loads(call.arguments), call.status) == ("weather", {"city": "Rome"}, "completed")
        assert (reply.status, reply.output_text, reply.instructions) == ("completed", "", "be brief")
        assert [tool.name for tool in reply.tools] == ["weather", "clock"]
        assert (reply.parallel_tool_calls, reply.tool_choice) == (False, "auto")
        assert reply.outthink["candidates"] == 8
        assert reply.outthink["agreement"] > 0.5
        asked = server.bodies[-1]
        assert [tool["function"]["name"] for tool in asked["tools"]] == ["weather", "clock"]
        assert asked["tools"][0]["function"]["description"] == "the weather"
        assert asked["parallel_tool_calls"] is False
        # What a client does with it: the call goes back as it came, with its output.
        turns = [{"role": "user", "content": "tool"}, call, output(call.call_id, "rain")]
        after = await create(model="m", input=turns)
    sent = server.bodies[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"] == [
        {"id": call.call_id, "type": "function", "function": {"name": "weather", "arguments": call.arguments}}
    ]
    assert (sent[2]["tool_call_id"], sent[2]["content"]) == (call.call_id, "rain")
    assert after.output_text == "It is sunny."


async def test_a_stream_of_a_response_tells_of_its_call() -> None:
    async with serving() as (on, _):
        stream = await on.client.responses.create(model="careful", input="tool", tools=TOOLS, stream=True)
        events = [event async for event in stream]
    kinds = [event.type for event in events]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[2].item.arguments, events[2].item.status) == ("", "in_progress")
    whole = events[-1].response.output[0]
    assert events[3].delta == events[4].arguments == events[5].item.arguments == whole.arguments
    assert {events[3].item_id, events[4].item_id, events[5].item.id} == {whole.id}
    assert json.loads(whole.arguments) == {"city": "Rome"}


async def test_text_and_several_calls_are_items_of_their_own() -> None:
    async with running({"m": Parallel()}) as on:
        reply = await on.client.responses.create(model="m", input="x", tools=TOOLS)
        stream = await on.client.responses.create(model="m", input="x", tools=TOOLS, stream=True)
        events = [event async for event in stream]
        chat = await on.chat("m", tools=CHAT_TOOLS)
    assert [item.type for item in reply.output] == ["message", "function_call", "function_call"]
    assert reply.output_text == "a word"
    first, second = reply.output[1:]
    assert (first.call_id, first.name, second.name) == ("call_1", "weather", "clock")
    assert second.call_id.startswith("call_")
    assert len({item.id for item in reply.output}) == 3
    added = [event for event in events if event.type == "response.output_item.added"]
    assert [event.output_index for event in added] == [0, 1, 2]
    # One id from the first event to the last, although the model's server gave none.
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.call_id for item in done[1:]] == [item.call_id for item in events[-1].response.output[1:]]
    assert chat.choices[0].message.tool_calls[0].id == "call_1"


async def test_calls_stand_with_what_the_assistant_said_before_them() -> None:
    async with serving() as (on, server):
        turns = [
            {"role": "user", "content": "tool"},
            {"role": "assistant", "content": "Let me see."},
            call("a", "weather"),
            call("b", "clock"),
            output("a", [{"type": "input_text", "text": "rain"}]),
            output("b", "noon"),
            call("c", "clock"),
            output("c", "one"),
        ]
        await on.client.responses.create(model="m", input=turns, tools=TOOLS, tool_choice="none")
    sent = server.bodies[-1]["messages"]
    said = [
        (m["role"], m["content"] or "", [c["id"] for c in m.get("tool_calls", [])] or m.get("tool_call_id"))
        for m in sent
    ]
    assert said == [
        ("user", "tool", None),
        ("assistant", "Let me see.", ["a", "b"]),
        ("tool", "rain", "a"),
        ("tool", "noon", "b"),
        ("assistant", "", ["c"]),
        ("tool", "one", "c"),
    ]
    assert "tools" not in server.bodies[-1]


async def test_a_choice_of_function_is_passed_on() -> None:
    async with serving() as (on, _):
        choice = {"type": "function", "name": "clock"}
        reply = await on.client.responses.create(model="m", input="tool", tools=TOOLS, tool_choice=choice)
    assert reply.output[0].name == "clock"
    assert reply.tool_choice.name == "clock"


async def test_what_is_not_honoured_is_refused_by_name() -> None:
    search = {"type": "web_search"}
    cases: list[tuple[Mapping[str, Any], str]] = [
        ({"tools": [search]}, "tools[0]"),
        ({"tools": [{"type": "function", "name": ""}]}, "tools[0]"),
        ({"tools": [{**TOOLS[0], "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "nobody"}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "include": ["message.output_text.logprobs"]}, "include"),
        ({"tools": TOOLS, "text": {"format": {"type": "json_object"}}}, "text"),
        ({"tools": TOOLS, "max_tool_calls": 3}, "max_tool_calls"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input[0].summary"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"type": "function_call", "name": "clock", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{**output("a", "x"), "role": "user"}]}, "input[0].role"),
        ({"input": [output("a", [{"type": "input_image", "image_url": "x"}])]}, "input[0].output[0]"),
    ]
    async with serving() as (on, server):
        for fields, named in cases:
            with pytest.raises(openai.BadRequestError) as refused:
                await on.client.responses.create(**{"model": "m", "input": "tool", **fields})
            assert refused.value.param == named, fields
    assert server.bodies == []


async def test_engines_without_functions_refuse_them_by_the_names_of_each_interface() -> None:
    async with running({"m": scripted(saying("x"))}) as on:
        with pytest.raises(openai.BadRequestError) as refused:
            await on.client.responses.create(model="m", input="x", tools=TOOLS)
        assert refused.value.param == "tools"
        with pytest.raises(openai.BadRequestError) as refused:
            await on.client.responses.create(model="m", input=[call("a", "clock"), output("a", "noon")])
        assert refused.value.param == "input"


def call(name: str, function: str) -> dict[str, Any]:
    """A call of an earlier turn."""
    return {"type": "function_call", "call_id": name, "name": function, "arguments": "{}"}


def output(name: str, said: object) -> dict[str, Any]:
    """What came of it."""
    return {"type": "function_call_output", "call_id": name, "output": said}
