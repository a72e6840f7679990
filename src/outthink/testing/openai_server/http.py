"""Just enough of HTTP/1.1 for a test server: requests with a length, replies whole or in chunks, keep-alive, clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

_BLANK_LINE = b"\r\n\r\n"
_PIECE = 1 << 16


@dataclass(frozen=True)
class HttpRequest:
    """One request. Header names are in lower case. `at`: when it had arrived, on the loop's clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class Connection:
    """One client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ahead = b""

    async def next_request(self) -> HttpRequest | None:
        """The next request; None when the client has closed the connection. Raises `ValueError` for what is not HTTP."""
        while (end := self._ahead.find(_BLANK_LINE)) < 0:
            if not await self._more():
                return None
        first, *lines = self._ahead[:end].decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start = end + len(_BLANK_LINE)
        stop = start + int(headers.get("content-length", "0"))
        while len(self._ahead) < stop:
            if not await self._more():
                return None
        body, self._ahead = self._ahead[start:stop], self._ahead[stop:]
        return HttpRequest(method, path.partition("?")[0], headers, body, asyncio.get_running_loop().time())

    async def gone(self) -> None:
        """Returns when the client closes the connection."""
        while await self._more():
            # The client already sends its next request, which is kept: it is still there.
            continue

    async def _more(self) -> bool:
        """Wait for further bytes of the client; whether there were any before it closed."""
        try:
            data = await self._reader.read(_PIECE)
        except ConnectionError:
            return False
        self._ahead += data
        return bool(data)

    async def reply(self, status: int, document: object, headers: Mapping[str, str] | None = None) -> None:
        """A whole JSON document."""
        await self.reply_bytes(status, msgspec.json.encode(document), "application/json", headers)

    async def reply_bytes(
        self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None, *, missing: int = 0
    ) -> None:
        """Bytes; the last `missing` of those announced are never sent, and the connection is closed."""
        shown = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        self._writer.write(self._head(status, shown) + (body[:-missing] if missing else body))
        await self._writer.drain()
        if missing:
            self.close()

    async def start_stream(self) -> None:
        """The head of a stream of events."""
        shown = {"content-type": "text/event-stream", "transfer-encoding": "chunked", "cache-control": "no-cache"}
        self._writer.write(self._head(200, shown))
        await self._writer.drain()

    async def event(self, document: object, name: str = "") -> None:
        """One event; text is sent as it is."""
        data = document.encode() if isinstance(document, str) else msgspec.json.encode(document)
        head = b"event: " + name.encode() + b"\n" if name else b""
        self._chunk(head + b"data: " + data + b"\n\n")
        await self._writer.drain()

    async def end_stream(self) -> None:
        """The end of a stream, as it should be."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def close(self) -> None:
        """Close at once, whatever was promised."""
        self._writer.close()

    @property
    def closing(self) -> bool:
        """Whether this side has closed."""
        return self._writer.is_closing()

    def _chunk(self, data: bytes) -> None:
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
