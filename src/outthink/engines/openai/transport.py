"""Requests to one server: one wire for each event loop, documents and event streams out of it, and errors of our own tree.

Streams are split at newlines of the raw bytes: text of a reply may hold any other character that Unicode calls the end of a line.
"""

from __future__ import annotations

import asyncio
import json
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from outthink.core.errors import EngineError, explain
from outthink.core.settings import PositiveFloat, Settings
from outthink.engines.openai.failing import BrokenReply, TimedOut, Unreachable, error_in, refusal
from outthink.engines.openai.secret import Secret
from outthink.engines.openai.surroundings import proxy_for, trusted
from outthink.engines.openai.wire import BrokenConnection, NoConnection, Response, Silence, StaleConnection, Wire

_LONGEST_ERROR_BODY = 1 << 16
_PATIENCE_SECONDS = 2.0
_TURNS = 6


class Timeouts(Settings):
    """Seconds. `connect`: until a connection stands. `idle`: between two pieces of a stream, the first one included. `whole`: one reply."""

    connect: PositiveFloat = 10.0
    idle: PositiveFloat = 120.0
    whole: PositiveFloat = 600.0


class Transport:
    """Talks to one base address. Usable from several event loops; each has a wire of its own."""

    def __init__(
        self,
        base_url: str,
        secret: Secret,
        timeouts: Timeouts,
        *,
        headers: Mapping[str, str],
        http2: bool = False,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._secret = secret
        self._timeouts = timeouts
        # In one case, so that a setting of the same name replaces a header, and ours replace settings.
        self._headers = {"user-agent": "outthink", **{name.lower(): value for name, value in headers.items()}}
        self._wires: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Wire] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        # Once, before the first request, and never for plain addresses.
        self._tls = trusted() if self._base.startswith("https:") else None
        self._open = _wire_class(http2=http2 and self._tls is not None)

    @property
    def host(self) -> str:
        """Host and port, without user or path."""
        split = urlsplit(self._base)
        return f"{split.hostname}:{split.port}" if split.port else str(split.hostname)

    async def get(self, path: str) -> Any:
        """A document."""
        timeouts = self._timeouts
        async with (
            self._guarded(),
            asyncio.timeout(timeouts.whole),
            self._send("GET", path, idle=timeouts.idle) as reply,
        ):
            return await _document(reply)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The reply as a document. Raises `BackendError` or `ContextOverflow`."""
        whole = self._timeouts.whole
        async with self._guarded(), asyncio.timeout(whole), self._send("POST", path, body, idle=whole) as reply:
            return await _document(reply)

    @asynccontextmanager
    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
        """The reply as a stream of documents. Leaving early closes the connection; over HTTP/2 the server goes on, and nobody listens."""
        whole, idle = self._timeouts.whole, self._timeouts.idle
        async with self._guarded(), asyncio.timeout(whole), self._send("POST", path, body, idle=idle) as reply:
            if "text/event-stream" in reply.headers.get("content-type", ""):
                # Closed here and not by the garbage collector, which would leave tasks behind where a stream is left early.
                async with aclosing(events_of(reply)) as events:
                    yield events
            else:
                # The server ignored that a stream was wanted.
                yield _only(await _document(reply))

    async def close(self) -> None:
        """Close the wire of this loop, and hand the others to their loops."""
        here = asyncio.get_running_loop()
        with self._lock:
            wires = list(self._wires.items())
            self._wires.clear()
        for loop, wire in wires:
            if loop is here:
                await wire.close()
            elif loop.is_running():
                # That loop may end before it gets to it; its sockets then go with it.
                closing = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wire.close(), loop))
                await asyncio.wait([closing], timeout=_PATIENCE_SECONDS)
        await _settle()

    async def leave_loop(self) -> None:
        """Close the wire of this loop only."""
        with self._lock:
            wire = self._wires.pop(asyncio.get_running_loop(), None)
        if wire is not None:
            await wire.close()
        await _settle()

    def scrubbed(self, error: EngineError) -> EngineError:
        """The error with the key taken out of its message."""
        error.args = tuple(self._secret.scrub(a) if isinstance(a, str) else a for a in error.args)
        return error

    # -- inside -----------------------------------------------------------------------------------------------------

    def _wire(self) -> Wire:
        loop = asyncio.get_running_loop()
        with self._lock:
            wire = self._wires.get(loop)
            if wire is None:
                # A wire holds its loop: without this, loops that have ended would stay.
                for ended in [one for one in self._wires if one.is_closed()]:
                    del self._wires[ended]
                wire = self._wires[loop] = self._open(
                    tls=self._tls, proxy=proxy_for(self._base), connect=self._timeouts.connect
                )
            return wire

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, idle: float
    ) -> AsyncIterator[Response]:
        """The reply to a request; an error status is raised."""
        # The key is put on each request as it leaves: the wire holds none.
        headers, content = {**self._headers, **self._secret.headers()}, None
        if body is not None:
            headers["content-type"], content = "application/json", msgspec.json.encode(body)
        reply = await self._sent(method, self._base + path, headers, content, idle)
        try:
            if reply.status >= 300:
                raise refusal(reply.status, await _some(reply), reply.headers)
            yield reply
        finally:
            await reply.close()

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, idle: float
    ) -> Response:
        """The head of the reply. A kept connection that the server had closed meanwhile is no failure: the next one is tried."""
        wire = self._wire()
        while True:
            try:
                return await wire.send(method, url, headers=headers, content=content, idle=idle)
            except StaleConnection:
                continue

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Errors of the wire become ours, without the key in them."""
        try:
            yield
        except TimeoutError:
            raise self.scrubbed(TimedOut(self._slow("a whole reply", self._timeouts.whole), retryable=True)) from None
        except NoConnection as error:
            raise self.scrubbed(Unreachable(self._unreachable(error), retryable=True)) from None
        except Silence:
            raise self.scrubbed(TimedOut(self._slow("a sign of life", self._timeouts.idle), retryable=True)) from None
        except BrokenConnection as error:
            told = f"The connection to {self.host} broke before the reply was complete ({error})."
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

    def _unreachable(self, error: NoConnection) -> str:
        return explain(
            f"{self.host} cannot be reached.",
            got=str(error),
            expected="a server that accepts connections",
            remedy="Start it, or correct base_url.",
        )


def _wire_class(*, http2: bool) -> type[Wire]:
    """Imported here: a library of HTTP takes a fifth of a second to import, so it is where a server will be asked and nowhere else."""
    if http2:
        from outthink.engines.openai.http2 import Http2

        return Http2
    from outthink.engines.openai.http1 import Http1

    return Http1


async def events_of(reply: Response) -> AsyncGenerator[Any, None]:
    """The documents of an event stream, and "[DONE]" where it stands. Raises `BrokenReply`."""
    held = b""
    while data := await reply.piece():
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


async def _document(reply: Response) -> Any:
    pieces = []
    while data := await reply.piece():
        pieces.append(data)
    document = decoded(b"".join(pieces))
    if (error := error_in(document)) is not None:
        raise error
    return document


async def _some(reply: Response) -> bytes:
    """The beginning of a body that may be anything."""
    body = b""
    while len(body) < _LONGEST_ERROR_BODY and (data := await reply.piece()):
        body += data
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
