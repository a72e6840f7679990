"""Gateways on real sockets and in this process, and the scripts that their models speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.engines.engine import Engine, Generation, Request
from outthink.engines.openai.abilities import Abilities
from outthink.engines.scripted import END, Behaviour, ScriptedEngine
from outthink.engines.scripted_tokens import reply_of
from outthink.serve import Configuration, Gateway, bound, server_of

FULL = Abilities(
    system="yes",
    seeds="yes",
    log_probs="yes",
    log_prob_law="raw",
    most_log_probs=20,
    stop="yes",
    tells_stop="yes",
    usage="yes",
    stream="yes",
    stream_usage="yes",
    limits="yes",
    completion="yes",
    prefix="trailing",
    prefix_echo=False,
)
"""What the scripted server can do, stated so that no test has to find out."""
STEPS: dict[str, dict[str, Any]] = {
    "steps": {"algorithm": {"type": "particle-filter", "n": 2}, "verifier": {"type": "confidence"}}
}
"""A recipe that goes step by step."""
Script = Callable[[str], Mapping[str, float]]


@dataclass
class Running:
    """A gateway that listens, and clients of it."""

    gateway: Gateway
    url: str
    client: openai.AsyncOpenAI
    http: httpx2.AsyncClient

    async def chat(self, model: str, text: str = "hello", **fields: Any) -> Any:
        """One chat completion through the official client."""
        messages = fields.pop("messages", [{"role": "user", "content": text}])
        return await self.client.chat.completions.create(model=model, messages=messages, **fields)


@asynccontextmanager
async def running(
    live: Mapping[str, Engine] | None = None,
    configuration: Configuration | None = None,
    *,
    api_key: str = "none",
    **parts: Any,
) -> AsyncIterator[Running]:
    """A gateway on a port that the system chooses; `parts` are those of `Gateway`."""
    gateway = Gateway(configuration, live=live, **parts)
    listening = bound("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = server_of(gateway)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.002)
        async with (
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0, timeout=20) as client,
            httpx2.AsyncClient(base_url=url, timeout=20) as http,
        ):
            yield Running(gateway, url, client, http)
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def inside(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that speaks to the gateway's application without a socket; engines are live, so nothing has to open."""
    transport = httpx2.ASGITransport(app=gateway.application())
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def scripted(script: Script, **behaviour: Any) -> ScriptedEngine:
    """A scripted engine in this process."""
    return ScriptedEngine(script, behaviour=Behaviour(**behaviour))


class Gated(ScriptedEngine):
    """A scripted engine that answers nobody before its gate is open."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.gate = asyncio.Event()

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        await self.gate.wait()
        return await super().generate(requests, cut=cut)


async def until_refused(tasks: Sequence[asyncio.Task[httpx2.Response]], count: int) -> None:
    """Wait until so many of them have their reply."""
    async with asyncio.timeout(20):
        while sum(task.done() for task in tasks) < count:
            await asyncio.sleep(0.005)


def saying(*replies: str) -> Script:
    """A script of whole replies, equally likely, character by character."""
    return lambda text: spelling(reply_of(text), *replies)


def spelling(said: str, *replies: str) -> Mapping[str, float]:
    """The next character of the replies that begin with what was said, equally likely; the end when there is none left."""
    nexts = [reply[len(said)] if len(reply) > len(said) else END for reply in replies if reply.startswith(said)]
    return {c: nexts.count(c) / len(nexts) for c in nexts} if nexts else {END: 1.0}
