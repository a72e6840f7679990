"""HTTP/2 over httpx2 (extra `http2`), where it is asked for: all requests share one connection, and leaving a reply ends nothing there."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from outthink.engines.openai.wire import BrokenConnection, NoConnection, Response, Silence, StaleConnection, Wire


class Http2(Wire):
    """One httpx2 client; a server that does not offer HTTP/2 is spoken to in HTTP/1.1."""

    def __init__(self, *, tls: ssl.SSLContext | None, proxy: str, connect: float) -> None:
        self._connect = connect
        self._client = httpx2.AsyncClient(
            http2=True,
            verify=tls or True,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            proxy=proxy or None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            trust_env=False,
        )

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, idle: float
    ) -> Response:
        opened: list[str] = []

        async def note(event: str, info: Mapping[str, Any]) -> None:
            if event.startswith("connection.connect_"):
                opened.append(event)

        request = self._client.build_request(
            method,
            url,
            content=content,
            # In bytes: as text httpx2 takes ASCII alone.
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            timeout=httpx2.Timeout(idle, connect=self._connect, pool=None),
            extensions={"trace": note},
        )
        with _told():
            try:
                reply = await self._client.send(request, stream=True)
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
                if opened:
                    raise
                raise StaleConnection(str(error)) from None
        return _Http2Response(reply)

    async def close(self) -> None:
        await self._client.aclose()


class _Http2Response(Response):
    def __init__(self, reply: httpx2.Response) -> None:
        self._reply = reply
        self.status, self.headers = reply.status_code, reply.headers
        self._pieces = reply.aiter_bytes()

    async def piece(self) -> bytes:
        with _told():
            async for data in self._pieces:
                if data:
                    return data
        return b""

    async def close(self) -> None:
        # In this order, and not by the garbage collector, which would leave tasks behind where a stream is left early.
        await self._pieces.aclose()
        await self._reply.aclose()


@contextmanager
def _told() -> Iterator[None]:
    """httpx2's errors as the door's."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise NoConnection(str(error) or type(error).__name__) from None
    except httpx2.TimeoutException as error:
        raise Silence(type(error).__name__) from None
    except httpx2.TransportError as error:
        raise BrokenConnection(f"{type(error).__name__}: {error}") from None
