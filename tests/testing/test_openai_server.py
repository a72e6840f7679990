"""The scripted server itself: exact distributions, true counters, every fault, spoken to by a plain HTTP client."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from outthink.testing.openai_server import LETTERS, Fault, OpenAIServer, Personality, every, first

HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as one:
        yield one


async def post(
    client: httpx2.AsyncClient, server: OpenAIServer, body: dict[str, Any], path: str = "/chat/completions"
) -> Any:
    reply = await client.post(server.base_url + path, json=body)
    return reply.json()


async def events(
    client: httpx2.AsyncClient, server: OpenAIServer, body: dict[str, Any], path: str = "/chat/completions"
) -> list[Any]:
    async with client.stream("POST", server.base_url + path, json={**body, "stream": True}) as reply:
        lines = [line async for line in reply.aiter_lines()]
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


async def test_whole_and_streamed_replies_are_the_same(client: httpx2.AsyncClient) -> None:
    async with OpenAIServer() as server:
        body = {**HELLO, "seed": 5, "n": 3, "logprobs": True, "top_logprobs": 2}
        whole = (await post(client, server, body))["choices"]
        texts: Counter[int] = Counter()
        streamed = ["", "", ""]
        for chunk in await events(client, server, body):
            for choice in chunk["choices"]:
                streamed[choice["index"]] += choice["delta"].get("content", "")
                texts[choice["index"]] += 1
        assert streamed == [choice["message"]["content"] for choice in whole]
        assert len(set(streamed)) == 3
        tops = whole[0]["logprobs"]["content"][0]["top_logprobs"]
        assert [top["token"] for top in tops] == ["a", "b"]
        assert server.counters.calls == 2
        assert server.counters.output_tokens == 2 * 3 * 4


async def test_the_distribution_is_the_scripts(client: httpx2.AsyncClient) -> None:
    async with OpenAIServer() as server:
        n, counts = 400, Counter[str]()
        for start in range(5):
            body = {"model": "m", "prompt": "x", "max_tokens": 1, "n": n, "seed": 1000 * start}
            counts.update(choice["text"] for choice in (await post(client, server, body, "/completions"))["choices"])
        for letter, p in LETTERS.items():
            assert abs(counts[letter] - 5 * n * p) < 4.5 * (5 * n * p * (1 - p)) ** 0.5
        uniform = 5 * n / len(LETTERS)
        assert any(abs(counts[letter] - uniform) > 4.5 * uniform**0.5 for letter in LETTERS), "not simply uniform"


async def test_usage_is_what_was_counted(client: httpx2.AsyncClient) -> None:
    async with OpenAIServer(personality=Personality(reasoning="well now")) as server:
        used = (await post(client, server, HELLO))["usage"]
        counters = server.counters
        assert used["prompt_tokens"] == counters.input_tokens
        assert used["completion_tokens"] == counters.output_tokens == 4
        assert used["completion_tokens_details"] == {"reasoning_tokens": 2}
        last = (await events(client, server, {**HELLO, "stream_options": {"include_usage": True}}))[-1]
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == 4
        told = await post(client, server, {"input": "hello", "max_output_tokens": 4}, "/responses")
        assert told["usage"]["output_tokens"] == 4
        assert told["output"][0]["type"] == "reasoning"


@pytest.mark.parametrize("stream", [False, True])
async def test_aborts_are_counted_up_to_the_last_token(client: httpx2.AsyncClient, stream: bool) -> None:
    async with OpenAIServer(personality=Personality(token_seconds=0.02)) as server:
        task = asyncio.ensure_future(post(client, server, {**HELLO, "max_tokens": 60, "stream": stream}))
        async with asyncio.timeout(10):
            while server.counters.output_tokens < 3:
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            while server.counters.open_connections:
                await asyncio.sleep(0.005)
        assert server.counters.aborts == 1
        assert server.counters.in_flight == 0
        assert 3 <= server.counters.output_tokens < 60


async def test_slots_and_the_most_in_flight(client: httpx2.AsyncClient) -> None:
    async with OpenAIServer(personality=Personality(first_seconds=0.02, slots=2)) as server:
        await asyncio.gather(*[post(client, server, HELLO) for _ in range(6)])
        assert server.counters.most_in_flight == 6
        assert server.counters.calls == 6
        assert server.counters.connections == 6
        server.reset()
        assert server.counters.calls == 0
        assert server.counters.open_connections == 6


async def test_faults(client: httpx2.AsyncClient) -> None:
    who = Personality(faults=every(2, Fault("status", status=429, retry_after=1.5, text="slow down")))
    async with OpenAIServer(personality=who) as server:
        replies = [await client.post(server.base_url + "/chat/completions", json=HELLO) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 429, 200, 429]
        assert replies[1].headers["retry-after"] == "1.5"
        assert replies[1].json()["error"]["message"] == "slow down"
        assert server.counters.faults == {"status": 2}
        assert server.counters.calls == 2
    for kind in ("drop", "truncated-json"):
        async with OpenAIServer(personality=Personality(faults=first(1, Fault(kind)))) as server:  # type: ignore[arg-type]
            with pytest.raises(httpx2.RemoteProtocolError):
                await post(client, server, HELLO)
            assert (await post(client, server, HELLO))["choices"]
    async with OpenAIServer(personality=Personality(faults=every(1, Fault("cut-stream", after=2)))) as server:
        with pytest.raises(httpx2.RemoteProtocolError):
            await events(client, server, HELLO)
        assert server.counters.output_tokens == 3
    async with OpenAIServer(personality=Personality(faults=every(1, Fault("hang")))) as server:
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(server.base_url + "/chat/completions", json=HELLO, timeout=0.1)


async def test_a_request_that_arrives_before_the_last_reply_has_ended_is_answered() -> None:
    """A client may send its next request while the server is still at the end of a reply; it read such a request and lost it once."""
    async with OpenAIServer(personality=Personality(first_seconds=0.05)) as server:
        host, port = server.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps(HELLO).encode()
        request = (
            b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        writer.write(request)
        async with asyncio.timeout(10):
            while not server.counters.in_flight:
                await asyncio.sleep(0.001)
            writer.write(request)  # whole, while the first is being answered
            writer.write(request[:9])  # and the beginning of a third
            while server.counters.calls < 2 or server.counters.in_flight:
                await asyncio.sleep(0.001)
            writer.write(request[9:])
            said = b""
            while said.count(b"HTTP/1.1 200 OK") < 3:
                said += await reader.read(1 << 16)
        writer.close()
        assert server.counters.calls == 3


async def test_what_is_not_there(client: httpx2.AsyncClient) -> None:
    async with OpenAIServer(personality=Personality(key="k")) as server:
        assert (await client.get(server.base_url + "/models")).status_code == 401
        known = await client.get(server.base_url + "/models", headers={"authorization": "Bearer k"})
        assert known.json()["data"][0]["id"] == "scripted"
    async with OpenAIServer() as server:
        assert (await client.post(server.base_url + "/embeddings", json={})).status_code == 404
        assert (await client.post(server.base_url + "/chat/completions", content=b"{")).status_code == 400
        assert (await client.post(server.base_url + "/chat/completions", json={})).status_code == 400
        assert (await client.post(server.base_url + "/completions", json={})).status_code == 400


def test_the_address_needs_a_server() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        _ = OpenAIServer().base_url
