"""The wire: one connection pool per event loop, documents and event streams out of it, and errors of our own tree.

Streams are split at newlines of the raw bytes: text of a reply may hold any other character that Unicode calls the end of a line.
"""

from __future__ import annotations

import asyncio
import json
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import msgspec

from outthink.core.errors import EngineError, explain
from outthink.core.settings import PositiveFloat, Settings
from outthink.engines.openai.connections import POOL_SIZE, Connections
from outthink.engines.openai.failing import BrokenReply, TimedOut, Unreachable, error_in, refusal
from outthink.engines.openai.secret import KeyAuth, Secret

_LONGEST_ERROR_BODY = 1 << 16
_PATIENCE_SECONDS = 2.0
_TURNS = 6
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


class Timeouts(Settings):
    """Seconds. `connect`: until a connection stands. `idle`: between two pieces of a stream, the first one included. `whole`: one reply."""

    connect: PositiveFloat = 10.0
    idle: PositiveFloat = 120.0
    whole: PositiveFloat = 600.0


class Transport:
    """Talks to one base address. Usable from several event loops; each has its own pool."""

    def __init__(
        self,
        base_url: str,
        secret: Secret,
        timeouts: Timeouts,
        *,
        in_flight: int,
        headers: Mapping[str, str],
        http2: bool = False,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._secret = secret
        self._timeouts = timeouts
        # How many are open at once is the gate's business: a pool that waits by itself would hide it.
        self._limits = httpx.Limits(max_connections=None, max_keepalive_connections=in_flight)
        self._headers = {"user-agent": "outthink", **headers}
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Connections] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        # Reading certificates takes a tenth of a second: once, before the first request, and never for plain addresses.
        secure = self._base.startswith("https:")
        self._http2 = http2 and secure
        self._tls = httpx.create_ssl_context(verify=secure)

    @property
    def host(self) -> str:
        """Host and port, without user or path."""
        split = urlsplit(self._base)
        return f"{split.hostname}:{split.port}" if split.port else str(split.hostname)

    async def get(self, path: str) -> Any:
        """A document."""
        timeout = self._timeout(self._timeouts.idle)
        async with self._guarded():
            with self._pool().lent() as client:
                async with client.stream("GET", self._base + path, timeout=timeout) as reply:
                    return await self._document(reply)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The reply as a document. Raises `BackendError` or `ContextOverflow`."""
        whole = self._timeouts.whole
        async with self._guarded(), asyncio.timeout(whole), self._send(path, body, idle=whole) as reply:
            return await self._document(reply)

    @asynccontextmanager
    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
        """The reply as a stream of documents. Leaving early closes the connection; over HTTP/2 the server goes on, and nobody listens."""
        whole, idle = self._timeouts.whole, self._timeouts.idle
        async with self._guarded(), asyncio.timeout(whole), self._send(path, body, idle=idle) as reply:
            if "text/event-stream" in reply.headers.get("content-type", ""):
                # Closed here and not by the garbage collector, which would leave tasks behind where a stream is left early.
                async with aclosing(events_of(reply)) as events:
                    yield events
            else:
                # The server ignored that a stream was wanted.
                yield _only(await self._document(reply))

    async def close(self) -> None:
        """Close the pool of this loop, and hand the others to their loops."""
        here = asyncio.get_running_loop()
        with self._lock:
            pools = list(self._pools.items())
            self._pools.clear()
        for loop, pool in pools:
            if loop is here:
                await pool.aclose()
            elif loop.is_running():
                # That loop may end before it gets to it; its sockets then go with it.
                closing = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pool.aclose(), loop))
                await asyncio.wait([closing], timeout=_PATIENCE_SECONDS)
        await _settle()

    async def leave_loop(self) -> None:
        """Close the pool of this loop only."""
        with self._lock:
            pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
        await _settle()

    def scrubbed(self, error: EngineError) -> EngineError:
        """The error with the key taken out of its message."""
        error.args = tuple(self._secret.scrub(a) if isinstance(a, str) else a for a in error.args)
        return error

    # -- inside -----------------------------------------------------------------------------------------------------

    def _pool(self) -> Connections:
        loop = asyncio.get_running_loop()
        with self._lock:
            pool = self._pools.get(loop)
            if pool is None:
                size = None if self._http2 else POOL_SIZE
                pool = self._pools[loop] = Connections(self._client, size=size)
            return pool

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            auth=KeyAuth(self._secret),
            headers=self._headers,
            limits=self._limits,
            verify=self._tls,
            http2=self._http2,
            # Proxies of the environment are for the world outside, never for this machine.
            trust_env=urlsplit(self._base).hostname not in _HERE,
        )

    def _timeout(self, idle: float) -> httpx.Timeout:
        return httpx.Timeout(idle, connect=self._timeouts.connect, pool=None)

    @asynccontextmanager
    async def _send(self, path: str, body: Mapping[str, Any], *, idle: float) -> AsyncIterator[httpx.Response]:
        with self._pool().lent() as client:
            reply = await self._sent(client, self._base + path, msgspec.json.encode(body), self._timeout(idle))
            try:
                if reply.status_code >= 300:
                    raise refusal(reply.status_code, await _some(reply), reply.headers)
                yield reply
            finally:
                await reply.aclose()

    async def _sent(self, client: httpx.AsyncClient, url: str, content: bytes, limits: httpx.Timeout) -> httpx.Response:
        """The head of the reply. A kept connection that the server had closed meanwhile is no failure: the next one is tried."""
        while True:
            opened: list[str] = []

            async def note(event: str, info: Mapping[str, Any], opened: list[str] = opened) -> None:
                if event.startswith("connection.connect_"):
                    opened.append(event)

            headers = {"content-type": "application/json"}
            request = client.build_request(
                "POST", url, content=content, headers=headers, timeout=limits, extensions={"trace": note}
            )
            try:
                return await client.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if opened:
                    raise

    async def _document(self, reply: httpx.Response) -> Any:
        body = await reply.aread() if reply.status_code < 300 else await _some(reply)
        if reply.status_code >= 300:
            raise refusal(reply.status_code, body, reply.headers)
        document = decoded(body)
        if (error := error_in(document)) is not None:
            raise error
        return document

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Errors of the wire become ours, without the key in them."""
        try:
            yield
        except TimeoutError:
            raise self.scrubbed(TimedOut(self._slow("a whole reply", self._timeouts.whole), retryable=True)) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self.scrubbed(Unreachable(self._unreachable(error), retryable=True)) from None
        except httpx.TimeoutException:
            raise self.scrubbed(TimedOut(self._slow("a sign of life", self._timeouts.idle), retryable=True)) from None
        except httpx.TransportError as error:
            told = (
                f"The connection to {self.host} broke before the reply was complete ({type(error).__name__}: {error})."
            )
            raise self.scrubbed(BrokenReply(told, retryable=True)) from None
        except EngineError as error:
            self.scrubbed(error)
            raise

    def _slow(self, what: str, seconds: float) -> str:
        return explain(
            f"{self.host} took too long.",
            got=f"nothing for {seconds:g} s",
            expected=what,
            remedy="Raise the engine's timeouts, or look at the server.",
        )

    def _unreachable(self, error: Exception) -> str:
        return explain(
            f"{self.host} cannot be reached.",
            got=str(error) or type(error).__name__,
            expected="a server that accepts connections",
            remedy="Start it, or correct base_url.",
        )


async def events_of(reply: httpx.Response) -> AsyncGenerator[Any, None]:
    """The documents of an event stream, and "[DONE]" where it stands. Raises `BrokenReply`."""
    held = b""
    # httpx types its generator as a mere iterator, and only a generator can be closed.
    async with aclosing(cast("AsyncGenerator[bytes, None]", reply.aiter_bytes())) as pieces:
        async for data in pieces:
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                if (found := _data(line)) is not None:
                    yield found
    if (found := _data(held)) is not None:
        yield found


async def _settle() -> None:
    """Turns of the loop for the wire library's generators: those of streams that were left early end in tasks of their own."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _only(document: Any) -> AsyncIterator[Any]:
    yield document


async def _some(reply: httpx.Response) -> bytes:
    """The beginning of a body that may be anything."""
    body = b""
    async for data in reply.aiter_bytes():
        body += data
        if len(body) >= _LONGEST_ERROR_BODY:
            break
    return body[:_LONGEST_ERROR_BODY]


def _data(line: bytes) -> Any:
    """The document in one line of a stream; None for other lines. The closing mark is the text "[DONE]"."""
    line = line.strip()
    if not line.startswith(b"data:"):
        return None
    data = line[5:].strip()
    if data == b"[DONE]":
        return "[DONE]"
    document = decoded(data)
    if (error := error_in(document)) is not None:
        # The reply had begun: what was generated until here is billed.
        raise BrokenReply(str(error), status=error.status, retryable=error.retryable)
    return document


def decoded(body: bytes) -> Any:
    """A JSON document. Half a surrogate pair, which some servers send, is accepted and mended later. Raises `BrokenReply`."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return json.loads(body, strict=False)
        except (ValueError, RecursionError) as error:
            shown = body[:80].decode("utf-8", "replace")
            told = explain(
                f"The backend's reply is not JSON ({error}).",
                got=shown,
                expected="a JSON document",
                remedy="Check that base_url is the address of the interface, such as http://127.0.0.1:8000/v1.",
            )
            raise BrokenReply(told, retryable=True) from None
