"""Gateways on real sockets, and the scripts that their models speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import openai

from outthink.engines.engine import Engine
from outthink.engines.scripted import END, Behaviour, ScriptedEngine
from outthink.engines.scripted_tokens import reply_of
from outthink.serve import Configuration, Gateway, bound, server_of
from outthink.serve.keys import KeyFile

Script = Callable[[str], Mapping[str, float]]


@dataclass
class Running:
    """A gateway that listens, and clients of it."""

    gateway: Gateway
    url: str
    client: openai.AsyncOpenAI
    http: httpx.AsyncClient

    async def chat(self, model: str, text: str = "hello", **fields: Any) -> Any:
        """One chat completion through the official client."""
        messages = fields.pop("messages", [{"role": "user", "content": text}])
        return await self.client.chat.completions.create(model=model, messages=messages, **fields)


@asynccontextmanager
async def running(
    live: Mapping[str, Engine] | None = None,
    configuration: Configuration | None = None,
    *,
    keys: KeyFile | None = None,
    api_key: str = "none",
) -> AsyncIterator[Running]:
    gateway = Gateway(configuration, live=live, keys=keys)
    listening = bound("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = server_of(gateway)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.002)
        async with (
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0, timeout=20) as client,
            httpx.AsyncClient(base_url=url, timeout=20) as http,
        ):
            yield Running(gateway, url, client, http)
    finally:
        server.should_exit = True
        await task


def scripted(script: Script, **behaviour: Any) -> ScriptedEngine:
    """A scripted engine in this process."""
    return ScriptedEngine(script, behaviour=Behaviour(**behaviour))


def saying(*replies: str) -> Script:
    """A script of whole replies, equally likely, character by character."""

    def script(text: str) -> Mapping[str, float]:
        said = reply_of(text)
        nexts = [r[len(said)] if len(r) > len(said) else END for r in replies if r.startswith(said)]
        return {c: nexts.count(c) / len(nexts) for c in nexts} if nexts else {END: 1.0}

    return script
