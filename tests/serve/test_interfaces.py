"""The three interfaces, as the official client sees them."""

from __future__ import annotations

from tests.serve.gateways import running, saying, scripted


async def test_a_direct_chat_costs_one_call_and_says_so() -> None:
    engine = scripted(saying("four"))
    async with running({"m": engine}) as on:
        reply = await on.chat("m", "2 + 2?", seed=3)
    assert reply.choices[0].message.content == "four"
    assert reply.choices[0].finish_reason == "stop"
    assert len(engine.requests) == 1
    counted = engine.counters()
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (counted.input_tokens, counted.output_tokens)
    assert reply.usage.by_role["generate"]["calls"] == 1
    assert reply.outthink["seed"] == 3
    assert reply.id.startswith("chatcmpl-")
    assert reply._request_id.startswith("req_")
