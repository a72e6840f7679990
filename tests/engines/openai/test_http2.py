"""HTTP/2 where it is asked for and the server offers it: many requests on one connection, and a bill that says what a cut leaves open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outthink.core import Cut, Failure, Message, SettingsError
from outthink.engines import ChatPrompt, Generation, Request, StopReason
from outthink.engines.openai import Openai, OpenAIEngine, connect
from tests.needs import need

need("http2", "certificates")

from tests.engines.openai.http2_server import Seen, http2_server


def asked(said: str, seed: int = 1) -> Request:
    return Request(ChatPrompt((Message("user", said),)), seed=seed, max_tokens=8)


@pytest.fixture(params=["auto", "never"], ids=["streamed", "whole"])
async def both(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Seen, OpenAIEngine]]:
    monkeypatch.setenv("MY_KEY", "sk-over-two")
    async with http2_server(tmp_path) as (seen, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        settings: dict[str, Any] = {"preset": "vllm", "probe": "never", "key_env": "MY_KEY", "stream": request.param}
        engine = await connect(Openai(model="m", base_url=seen.address, http2=True, **settings))
        yield seen, engine
        await engine.close()


async def test_a_header_may_be_any_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with http2_server(tmp_path) as (seen, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        settings: dict[str, Any] = {"preset": "vllm", "probe": "never", "headers": {"X-Team": "käse"}}
        engine = await connect(Openai(model="m", base_url=seen.address, http2=True, **settings))
        await engine.generate([asked("hello")])
        await engine.close()
    assert seen.headers[0]["x-team"] == "käse"


async def test_many_requests_share_one_connection(both: tuple[Seen, OpenAIEngine]) -> None:
    seen, engine = both
    (first,) = await engine.generate([asked("hello")])
    assert isinstance(first, Generation)
    assert (first.text, first.stop, first.cost.output_tokens) == ("you said hello", StopReason.END, 2)
    replies = await engine.generate([asked(f"number {i}", i) for i in range(12)])
    assert [r.text for r in replies if isinstance(r, Generation)] == [f"you said number {i}" for i in range(12)]
    assert len(seen.bodies) == 13
    assert seen.protocols == ["h2"], "HTTP/1.1 would have taken a connection for each request in flight"
    assert {headers[":scheme"] for headers in seen.headers} == {"https"}
    assert {headers["authorization"] for headers in seen.headers} == {"Bearer sk-over-two"}


async def test_a_cut_leaves_the_connection_and_an_interval(both: tuple[Seen, OpenAIEngine]) -> None:
    """The server is not told that nobody listens any more, so all that it may generate is in the interval."""
    seen, engine = both
    cut = Cut()

    async def press() -> None:
        while len(seen.bodies) < 3 or engine.counters().calls < 1:
            await asyncio.sleep(0.01)
        cut.fire("interrupt")

    pressing = asyncio.ensure_future(press())
    replies = await engine.generate([asked(one) for one in ("hello", "wait 1", "wait 2")], cut=cut)
    await pressing
    done, *waiting = [reply for reply in replies if isinstance(reply, Generation)]
    assert done.stop is StopReason.END
    assert not done.estimated
    for reply in waiting:
        assert (reply.stop, reply.estimated) == (StopReason.CANCELLED, True)
        assert reply.cost.output_tokens + reply.uncertain.output_tokens == 8
    (after,) = await engine.generate([asked("still there?")])
    assert isinstance(after, Generation)
    assert after.text == "you said still there?"
    assert seen.protocols == ["h2"]


async def test_without_being_asked_for_it_is_not_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with http2_server(tmp_path) as (seen, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        engine = await connect(Openai(model="m", preset="vllm", base_url=seen.address, probe="never", retries=0))
        (failure,) = await engine.generate([asked("hello")])
        await engine.close()
    assert isinstance(failure, Failure), "the server understands nothing else"
    assert seen.protocols == [None]


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outthink.engines.openai.settings.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"outthink\[http2\]"):
        Openai(model="m", base_url="https://127.0.0.1/v1", http2=True)
