"""The attack list: each is refused by name, or does nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from outthink.engines.openai import Openai, connect
from outthink.serve import Ceilings, Configuration, Gateway, KeyFile, Limits
from outthink.serve.quotas import Quota
from outthink.store import Store
from outthink.testing.openai_server import OpenAIServer, Personality
from tests.serve.gateways import FULL, inside, running, saying, scripted

SQL = "'; DROP TABLE runs; --"
SCRIPT = "<script>fetch('/ui/keys')</script><img src=x onerror=alert(1)>"


def body(**fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}], **fields}


async def test_no_request_chooses_where_it_is_sent() -> None:
    engine = scripted(saying("x"))
    async with inside(Gateway(live={"m": engine})) as client:
        for given in (
            {"base_url": "http://evil.example"},
            {"api_base": "http://evil.example"},
            {"engine": {"type": "openai", "base_url": "http://evil.example"}},
            {"recipe": "[engine]\ntype='openai'"},
            {"outthink": {"engine": {"base_url": "http://evil.example"}}},
            {"outthink": {"model": "openai:x"}},
            {"outthink": {"method": "http://evil.example/recipe.toml"}},
            {"outthink": {"method": "vote@evil"}},
        ):
            reply = await client.post("/v1/chat/completions", json=body(**given))
            assert reply.status_code == 400, given
            assert reply.json()["error"]["param"], given
        for name in ("openai:gpt-5", "vote@http://evil.example/v1", "vote@openai:gpt-5", "@m", "vote@", "m@vote"):
            reply = await client.post("/v1/chat/completions", json=body(model=name))
            assert reply.status_code in (400, 404), name
            assert reply.json()["error"]["param"] == "model", name
    assert engine.requests == []


async def test_no_key_leaves_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the upstream's key nor the caller's stands in a reply, an error, a log, the store or the metrics."""
    monkeypatch.setenv("UPSTREAM_KEY", "sk-very-secret")
    keys = KeyFile(tmp_path / "keys.json")
    own = keys.create("one", admin=True).secret
    caplog.set_level(logging.DEBUG)
    async with OpenAIServer(saying("x"), personality=Personality(key="sk-very-secret")) as server:
        settings = Openai(
            base_url=server.base_url, model="m", key_env="UPSTREAM_KEY", probe="never", assume=FULL, retries=0
        )
        engine = await connect(settings)
        with Store.open(tmp_path / "runs.sqlite") as store:
            async with inside(Gateway(live={"m": engine}, keys=keys, store=store)) as client:
                client.headers["authorization"] = f"Bearer {own}"
                good = await client.post("/v1/chat/completions", json=body())
                await server.__aexit__()
                bad = await client.post("/v1/chat/completions", json=body())
                seen = [good.text, bad.text, (await client.get("/metrics")).text, (await client.get("/ui/keys")).text]
        assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
        await engine.close()
    assert (good.status_code, bad.status_code) == (200, 502)
    seen += [record.getMessage() for record in caplog.records if record.name.startswith("outthink")]
    seen.append((tmp_path / "runs.sqlite").read_bytes().decode("latin-1"))
    for secret in ("sk-very-secret", own):
        assert not any(secret in text for text in seen)
    assert "127.0.0.1" not in bad.text


async def test_sizes_and_budgets_are_held_to_the_servers() -> None:
    configuration = Configuration(
        models={"m": {}},
        ceilings=Ceilings(n=4, answers=2, max_tokens=50, budget={"tokens": 500, "calls": 6}),  # type: ignore[arg-type]
    )
    engine = scripted(saying("x"))
    async with inside(Gateway(configuration, live={"m": engine})) as client:
        for given, param in (
            ({"n": 3}, "n"),
            ({"n": 10**30}, "n"),
            ({"max_tokens": 51}, "max_tokens"),
            ({"max_completion_tokens": 51}, "max_completion_tokens"),
            ({"outthink": {"n": 5}}, "outthink.n"),
            ({"outthink": {"n": -1}}, "outthink.n"),
            ({"outthink": {"budget": {"tokens": 501}}}, "outthink.budget.tokens"),
            ({"outthink": {"budget": {"calls": 7}}}, "outthink.budget.calls"),
            ({"outthink": {"budget": {"tokens": 0}}}, "outthink.budget"),
            ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
            ({"stop": ""}, "stop"),
            ({"logit_bias": {"1": 101}}, "logit_bias"),
            ({"logit_bias": {"-1": 1}}, "logit_bias"),
            ({"metadata": {str(i): "x" for i in range(17)}}, "metadata"),
            ({"user": "x" * 513}, "user"),
        ):
            reply = await client.post("/v1/chat/completions", json=body(**given))
            assert reply.status_code == 400, given
            assert reply.json()["error"]["param"].startswith(param), (given, reply.json())
        assert engine.requests == []
        # A recipe that is larger than what is left of the budget ends by it.
        reply = await client.post("/v1/chat/completions", json=body(model="vote@m", outthink={"n": 4}))
        assert reply.status_code == 200
        assert len(engine.requests) <= 6


async def test_bodies_are_bounded_in_size_depth_and_time() -> None:
    limits = Limits(body_bytes=1000, body_seconds=0.3)
    async with running({"m": scripted(saying("x"))}, Configuration(models={"m": {}}, limits=limits)) as on:
        post = on.http.post
        head = {"content-type": "application/json"}
        for content, status in (
            (json.dumps(body(user="x" * 2000)).encode(), 413),
            (b"{", 400),
            (b"[]", 400),
            (b"nul", 400),
            (b'{"model": "m", "model": ' + b"[" * 900, 400),
            (b'{"model": "\xff"}', 400),
            (b'{"model": "\\ud800", "messages": []}', 400),
        ):
            reply = await post("/v1/chat/completions", content=content, headers=head)
            assert reply.status_code == status, content[:30]
        assert (await post("/v1/chat/completions", content=b"{}")).status_code == 415

        async def drip(size: int):  # type: ignore[no-untyped-def]
            for _ in range(size):
                yield b" " * 100
                await asyncio.sleep(0.05)

        assert (await post("/v1/chat/completions", content=drip(9), headers=head)).status_code == 408
        assert (await post("/v1/chat/completions", content=drip(60), headers=head)).status_code in (408, 413)
        # A client that announces a body and sends none of it holds nothing up for longer than that.
        address = urlsplit(on.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: 500\r\n\r\n{")
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()
        assert (await on.chat("m")).choices[0].message.content == "x"


async def test_headers_and_paths_reach_nothing() -> None:
    async with running({"m": scripted(saying("x"))}) as on:
        address = urlsplit(on.url)

        async def raw(request: bytes) -> bytes:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(request)
            async with asyncio.timeout(5):
                told = await reader.read(4000)
            writer.close()
            return told

        for path in (
            b"/../../etc/passwd",
            b"/ui/../../etc/passwd",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/v1/models/..%2f..%2fetc%2fpasswd",
        ):
            told = await raw(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 404 " in told.partition(b"\r\n")[0]
            assert b"root:" not in told
        told = await raw(
            b"GET /v1/models/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        assert b"set-cookie" not in told.partition(b"\r\n\r\n")[0].lower()
        # A request within a request, and one with two lengths.
        told = await raw(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
        )
        assert b" 400 " in told.partition(b"\r\n")[0]
        told = await raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n")
        assert b" 4" in told.partition(b"\r\n")[0]
        for name in ("a\nb", "a\x00b"):
            reply = await on.http.post("/v1/chat/completions", json=body(model=name))
            assert reply.status_code == 404
            assert "set-cookie" not in reply.headers


async def test_sql_in_every_field_is_text(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    secret = keys.create(SQL, quota=Quota(requests_per_minute=100)).secret
    with Store.open(tmp_path / "runs.sqlite") as store:
        async with inside(Gateway(live={"m": scripted(saying(SQL))}, keys=keys, store=store)) as client:
            client.headers.update({"authorization": f"Bearer {secret}", "idempotency-key": SQL})
            given = body(user=SQL, metadata={SQL: SQL}, stop=[SQL + "!"], messages=[{"role": "user", "content": SQL}])
            first = await client.post("/v1/chat/completions", json=given)
            again = await client.post("/v1/chat/completions", json=given)
            assert first.status_code == 200
            assert first.json()["choices"][0]["message"]["content"] == SQL
            assert again.content == first.content
            for name in (SQL, "x' OR '1'='1", "%", "_", "last"):
                assert (await client.get(f"/v1/outthink/runs/{name}")).status_code == 404
            assert (await client.post("/v1/chat/completions", json=body(model=SQL))).status_code == 404
        assert len(store.runs()) == 1
        run = store.run("last")
        assert run.task.question == SQL
        assert run.task.data["gateway"]["metadata"] == {SQL: SQL}


async def test_a_stored_script_is_shown_as_text(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.sqlite") as store:
        async with inside(Gateway(live={"m": scripted(saying(SCRIPT))}, store=store)) as client:
            reply = await client.post(
                "/v1/chat/completions", json=body(messages=[{"role": "user", "content": SCRIPT}], user=SCRIPT)
            )
            await store.write(lambda connection: None)
            name = reply.json()["outthink"]["run"]
            for page in ("/ui/", f"/ui/runs/{name}"):
                shown = await client.get(page)
                assert shown.status_code == 200
                assert "<script>fetch" not in shown.text
                assert "<img src=x" not in shown.text
                policy = shown.headers["content-security-policy"]
                assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


async def test_a_run_is_seen_by_the_key_that_began_it(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    mine, other = keys.create("mine").secret, keys.create("other", admin=True).secret
    with Store.open(tmp_path / "runs.sqlite") as store:
        async with inside(Gateway(live={"m": scripted(saying("x"))}, keys=keys, store=store)) as client:
            as_mine, as_other = ({"authorization": f"Bearer {secret}"} for secret in (mine, other))
            reply = await client.post("/v1/chat/completions", json=body(), headers=as_mine)
            await store.write(lambda connection: None)
            path = f"/v1/outthink/runs/{reply.json()['outthink']['run']}"
            seen = (await client.get(path, headers=as_mine)).json()
            assert (seen["status"], seen["steps"], seen["events"][0]["event"]) == ("ended", 1, "run-started")
            assert (await client.get(f"{path}?after={seen['next']}", headers=as_mine)).json()["events"] == []
            assert (await client.get(path, headers=as_other)).status_code == 404
            assert (await client.get(f"{path}?after=-1", headers=as_mine)).status_code == 400
            assert (await client.get(path[:-2], headers=as_mine)).status_code == 404


async def test_schemas_cannot_reach_out_or_hang() -> None:
    async with inside(Gateway(live={"m": scripted(saying('"' + "a" * 30 + '!"'))})) as client:
        far = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://evil.example/schema"}}}
        reply = await client.post("/v1/chat/completions", json=body(response_format=far))
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "response_format.json_schema.schema")
        slow = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"pattern": "^(a+)+$"}}}
        async with asyncio.timeout(20):
            reply = await client.post("/v1/chat/completions", json=body(response_format=slow))
        assert reply.status_code == 422


async def test_what_is_nested_too_deeply_is_refused_before_anything_goes_down_it() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    chat = '{"model": "m", "messages": [{"role": "user", "content": "x"}], '
    form = chat + '"response_format": {"type": "json_schema", "json_schema": {"name": "t", "schema": {"properties": '
    bodies = [
        ("/v1/chat/completions", form + deep + "}}}}"),
        ("/v1/chat/completions", chat + '"metadata": ' + deep + "}"),
        ("/v1/chat/completions", chat + '"stop": ' + "[" * 101 + "]" * 101 + "}"),
        ("/v1/responses", '{"model": "m", "input": "x", "tools": [' + deep + "]}"),
    ]
    engine = scripted(saying("x"))
    async with inside(Gateway(live={"m": engine})) as client:
        for path, content in bodies:
            reply = await client.post(path, content=content, headers={"content-type": "application/json"})
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json"), content[:80]
        # Many fields beside each other are not deep.
        wide = body(metadata={f"k{i}": "v" for i in range(16)}, messages=[{"role": "user", "content": "[{" * 200}] * 60)
        assert (await client.post("/v1/chat/completions", json=wide)).status_code == 200
    assert len(engine.requests) == 1
