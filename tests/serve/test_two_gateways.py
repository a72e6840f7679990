"""Two gateways on one store, on both databases: quotas are shared, runs are watched from the other one, and a kill costs nothing twice."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from outthink.engines.openai import Openai, connect
from outthink.serve import Configuration, Gateway, KeyFile
from outthink.serve.quotas import Quota
from outthink.store import Store
from outthink.testing.openai_server import OpenAIServer, Personality
from tests.serve.gateways import FULL, STEPS, Gated, inside, saying, scripted, until_refused

ROOT = Path(__file__).parents[2]
NOTHING = {"input_tokens": 0, "output_tokens": 0, "cached_input_tokens": 0}
STEPPED = "one\n\ntwo\n\nthree\n\nfour"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def stores(url: str) -> Iterator[tuple[Store, Store]]:
    with Store.open(url) as one, Store.open(url) as other:
        yield one, other


def body(**fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}], **fields}


async def test_quotas_hold_over_both(stores: tuple[Store, Store], keys: KeyFile) -> None:
    secret = keys.create("one", quota=Quota(requests_per_minute=6, searches=3)).secret
    engine = Gated(saying("x"))
    head = {"authorization": f"Bearer {secret}"}
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(inside(Gateway(live={"m": engine}, store=store, keys=keys)))
            for store in stores
        ]
        for _ in range(2):
            engine.gate.clear()
            sent = [
                asyncio.ensure_future(clients[i % 2].post("/v1/chat/completions", json=body(), headers=head))
                for i in range(10)
            ]
            await until_refused(sent, 7)
            engine.gate.set()
            replies = await asyncio.gather(*sent)
            assert sorted(reply.status_code for reply in replies) == [200] * 3 + [429] * 7
        last = await clients[0].post("/v1/chat/completions", json=body(), headers=head)
    assert last.status_code == 429
    assert "6 requests a minute" in last.json()["error"]["message"]
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert len(engine.requests) == 6


async def test_tokens_a_minute_are_never_passed(stores: tuple[Store, Store], keys: KeyFile) -> None:
    secret = keys.create("one", quota=Quota(tokens_per_minute=100)).secret
    engine = scripted(lambda text: {"a": 1.0}, cached=False)
    head = {"authorization": f"Bearer {secret}"}
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(inside(Gateway(live={"m": engine}, store=store, keys=keys)))
            for store in stores
        ]
        sent = [clients[i % 2].post("/v1/chat/completions", json=body(max_tokens=30), headers=head) for i in range(8)]
        statuses = sorted(reply.status_code for reply in await asyncio.gather(*sent))
    assert statuses.count(200) >= 1
    assert set(statuses) == {200, 429}
    assert engine.counters().tokens <= 100


async def test_a_run_is_watched_from_the_other(stores: tuple[Store, Store], keys: KeyFile) -> None:
    secret = keys.create("one").secret
    engine = scripted(saying(STEPPED), call_seconds=0.15)
    configuration = Configuration(models={"m": {}}, recipes=STEPS)
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(inside(Gateway(configuration, live={"m": engine}, store=store, keys=keys)))
            for store in stores
        ]
        head = {"authorization": f"Bearer {secret}"}
        task = asyncio.ensure_future(one.post("/v1/chat/completions", json=body(model="steps"), headers=head))
        seen: list[tuple[str, int]] = []
        while not task.done():
            lines = await asyncio.to_thread(stores[1].runs)
            if lines:
                told = (await other.get(f"/v1/outthink/runs/{lines[0].id}", headers=head)).json()
                seen.append((told["status"], told["steps"]))
            await asyncio.sleep(0.02)
        final = (await other.get(f"/v1/outthink/runs/{task.result().json()['outthink']['run']}", headers=head)).json()
    assert {status for status, _ in seen} >= {"running"}
    assert len({steps for _, steps in seen}) >= 2
    assert (final["status"], final["steps"]) == ("ended", 4)


@asynccontextmanager
async def process(url: str, backend: str, keys: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A gateway in a process of its own, and its address."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.serve.serve_program",
        url,
        backend,
        str(keys),
        "1.0",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        port = int(await program.stdout.readline())
        yield program, f"http://127.0.0.1:{port}"
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


async def test_one_is_killed_and_its_client_retries_at_the_other(
    url: str, stores: tuple[Store, Store], keys: KeyFile
) -> None:
    secret = keys.create("one").secret
    personality = Personality(first_seconds=0.25)
    head = {"Idempotency-Key": "order-66"}
    messages = [{"role": "user", "content": "hello"}]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(OpenAIServer(saying(STEPPED), personality=personality))
        killed, address = await stack.enter_async_context(process(url, server.base_url, keys.path))
        client = await stack.enter_async_context(
            openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=secret, max_retries=0, timeout=30)
        )
        first = asyncio.ensure_future(
            client.chat.completions.create(model="steps", messages=messages, seed=3, extra_headers=head)  # type: ignore[arg-type]
        )
        while not ((lines := stores[0].runs()) and lines[0].steps >= 2):
            assert not first.done(), first
            await asyncio.sleep(0.02)
        killed.kill()
        with pytest.raises(openai.APIConnectionError):
            await first
        before = server.counters.calls
        engine = await connect(Openai(base_url=server.base_url, model="scripted", probe="never", assume=FULL))
        stack.push_async_callback(engine.close)
        configuration = Configuration(models={"m": {}}, recipes=STEPS)
        gateway = Gateway(configuration, live={"m": engine}, store=stores[0], keys=keys)
        other = await stack.enter_async_context(inside(gateway))
        given = {"model": "steps", "messages": messages, "seed": 3}
        named = {"authorization": f"Bearer {secret}", **head}
        replies = await asyncio.gather(
            *(other.post("/v1/chat/completions", json=given, headers=named) for _ in range(3))
        )
        after = server.counters.calls
        again = await other.post("/v1/chat/completions", json=given, headers=named)
        assert server.counters.calls == after
    assert [reply.status_code for reply in replies] == [200] * 3
    assert len({reply.content for reply in [*replies, again]}) == 1
    document = json.loads(again.content)
    assert document["choices"][0]["message"]["content"] == STEPPED
    # Two members of four steps each: what was answered before the kill is not asked for again, only what was on its way then.
    assert after - before <= 2 * (4 - 2)
    assert after <= 2 * 4 + 2
    assert [(line.status, line.id) for line in stores[0].runs()] == [("ended", document["outthink"]["run"])]
    assert gateway.book is not None
    spent = stores[1].read(
        lambda connection: connection.exec_driver_sql("SELECT requests, tokens FROM spent_days").all()
    )
    usage = document["usage"]
    # The account holds the bill once, and what the replies on their way at the kill may have cost.
    assert [(row.requests, row.tokens) for row in spent] == [
        (1, tokens(usage) + tokens(usage.get("uncertain", NOTHING)))
    ]


async def test_a_stream_is_repeated_as_it_was(stores: tuple[Store, Store]) -> None:
    engine = scripted(saying("one", "two"))
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(inside(Gateway(live={"m": engine}, store=store))) for store in stores
        ]
        head = {"idempotency-key": "again"}
        texts = [
            (await client.post("/v1/chat/completions", json=body(stream=True), headers=head)).text
            for client in (one, other)
        ]
        assert texts[0] == texts[1]
        assert texts[0].endswith("data: [DONE]\n\n")
        other_body: httpx2.Response = await other.post("/v1/chat/completions", json=body(n=2), headers=head)
        assert other_body.json()["error"]["code"] == "idempotency_key_reused"
        for name in ("", "x" * 256, "tab\there"):
            bad = await one.post("/v1/chat/completions", json=body(), headers={"idempotency-key": name})
            assert bad.json()["error"]["param"] == "Idempotency-Key"
    assert len(engine.requests) == 1


def tokens(usage: Mapping[str, Any]) -> int:
    """Tokens as budgets count them: output and uncached input."""
    read, told = usage.get("prompt_tokens", usage.get("input_tokens")), usage.get("completion_tokens")
    cached = usage.get("prompt_tokens_details", usage).get("cached_tokens", usage.get("cached_input_tokens", 0))
    return int(read + (usage["output_tokens"] if told is None else told) - cached)
