"""Streams: they begin at once, tell of progress beside the content, say that they live, and end the work when their client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import openai
import pytest

from outthink.core.events import Charged, RunStarted, StepEnded
from outthink.engines.openai import Openai, connect
from outthink.serve import Configuration, Limits
from outthink.serve.sending import Progress
from outthink.testing.openai_server import OpenAIServer, Personality
from tests.serve.gateways import FULL, STEPS, Running, running, saying, scripted

SLOW = Personality(first_seconds=30.0)
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


async def until(condition: object, *, seconds: float = 5.0) -> None:
    """Wait until it holds."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def lines_of(reply: httpx2.Response) -> AsyncIterator[str]:
    async for line in reply.aiter_lines():
        yield line


async def test_the_first_byte_does_not_wait_for_the_model() -> None:
    async with OpenAIServer(personality=SLOW) as server:
        engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        async with (
            running({"m": engine}) as on,
            asyncio.timeout(10),
            on.http.stream("POST", "/v1/chat/completions", json=BODY) as reply,
        ):
            assert reply.status_code == 200
            assert await anext(lines_of(reply)) == ": accepted"
            assert server.counters.output_tokens == 0
        await engine.close()


async def test_a_client_that_leaves_ends_the_work() -> None:
    async with OpenAIServer(personality=SLOW) as server:
        engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        async with running({"m": engine}, Configuration(models={"m": {}})) as on:
            await left_alone(on, server, stream=True)
            await left_alone(on, server, stream=False)
            assert on.gateway.admission.at_work == 0
            text = (await on.http.get("/metrics")).text
            assert 'outthink_requests_total{model="vote@m",path="/v1/chat/completions",status="499"} 2.0' in text
        await engine.close()


async def left_alone(on: Running, server: OpenAIServer, *, stream: bool) -> None:
    """Leave a search of eight members while all of them are at work."""
    body = {**BODY, "model": "vote@m", "stream": stream, "outthink": {"n": 8}}
    async with httpx2.AsyncClient(base_url=on.url) as client:
        task = asyncio.ensure_future(client.post("/v1/chat/completions", json=body))
        await until(lambda: server.counters.in_flight == 8)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: server.counters.in_flight == 0 and server.counters.open_connections == 0)
    await until(lambda: on.gateway.admission.at_work == 0)


async def test_progress_is_comments_or_events_and_never_content() -> None:
    configuration = Configuration(models={"m": {}}, recipes=STEPS)
    async with running({"m": scripted(saying("one\n\ntwo\n\nthree"))}, configuration) as on:
        texts = {}
        for how in ("none", "comments", "events"):
            reply = await on.http.post(
                "/v1/chat/completions", json={**BODY, "model": "steps", "outthink": {"progress": how}}
            )
            blocks = reply.text.split("\n\n")
            comments = [block for block in blocks if block.startswith(": outthink ")]
            events = [block for block in blocks if block.startswith("event: outthink.progress\n")]
            texts[how] = "".join(
                choice["delta"].get("content", "")
                for block in blocks
                if block.startswith("data: {")
                for choice in json.loads(block.removeprefix("data: "))["choices"]
            )
            assert bool(comments) == (how == "comments")
            assert bool(events) == (how == "events")
            if how == "comments":
                told = [json.loads(block.removeprefix(": outthink ")) for block in comments]
                assert told[0]["type"] == "started"
                assert [one["step"] for one in told[1:]] == [1, 2, 3]
                assert told[-1]["tokens"] > told[1]["tokens"] > 0
        assert set(texts.values()) == {"one\n\ntwo\n\nthree"}
        stream = await on.chat("steps", stream=True, extra_body={"outthink": {"progress": "comments"}})
        assert "".join([c.choices[0].delta.content or "" async for c in stream if c.choices]) == texts["none"]


def test_progress_is_silent_unless_it_is_asked_for() -> None:
    silent, told = Progress("none"), Progress("events")
    charged = Charged(role="generate", tokens=9, calls=1, verifier_calls=0, denoiser_evals=0)
    for sink in (silent, told):
        for happened in (RunStarted(task="", method="vote", seed=0, budget={}), charged, StepEnded(step=1)):
            sink(happened)
    assert (silent.queue.qsize(), told.queue.qsize()) == (0, 2)


async def test_a_silent_search_keeps_its_stream_alive() -> None:
    configuration = Configuration(models={"m": {}}, limits=Limits(keep_alive_seconds=0.05))
    async with running({"m": scripted(saying("x"), call_seconds=0.4)}, configuration) as on:
        reply = await on.http.post("/v1/chat/completions", json=BODY)
    assert reply.text.count(": still at work\n\n") >= 2
    assert reply.text.endswith("data: [DONE]\n\n")


async def test_a_stream_that_fails_says_so_and_has_no_answer() -> None:
    async with running({"m": scripted(saying("prose"), call_seconds=0.1)}) as on:
        given = {**BODY, "response_format": {"type": "json_object"}}
        reply = await on.http.post("/v1/chat/completions", json=given)
        assert reply.status_code == 200
        last = json.loads(reply.text.strip().split("\n\n")[-1].removeprefix("data: "))
        assert last["error"]["code"] == "no_valid_candidate"
        stream = await on.chat("m", stream=True, response_format={"type": "json_object"})
        with pytest.raises(openai.APIError) as refused:
            assert [chunk async for chunk in stream] == []
    assert refused.value.code == "no_valid_candidate"


async def test_an_early_refusal_of_a_stream_is_a_status() -> None:
    async with running({"m": scripted(saying("x"))}) as on:
        reply = await on.http.post("/v1/chat/completions", json={**BODY, "n": 99})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "n")
