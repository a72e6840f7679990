"""The door to the network: what the rest of this package knows of HTTP, and how it fails. `Http1` and `Http2` stand behind it.

    reply = await wire.send("POST", url, headers=headers, content=body, idle=60.0)
    try:
        while piece := await reply.piece():
            ...
    finally:
        await reply.close()

A wire belongs to the event loop that it was made on. It follows no redirects, keeps no cookies and no key, and does not wait for a free
connection: how many requests are in flight is the gate's business.

    WireError
    ├── NoConnection        none came about: nothing was sent
    ├── StaleConnection     a kept one had been closed by the server before the reply began: to be sent again
    ├── Silence             nothing arrived for too long
    └── BrokenConnection    it ended, or made no sense, before the reply was whole
"""

from __future__ import annotations

import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def unsendable(headers: Mapping[str, str]) -> str:
    """The first header that HTTP cannot carry, by its name; "" where it can carry them all."""
    return next((repr(k) for k, value in headers.items() if not (_NAME.fullmatch(k) and value.isprintable())), "")


class WireError(Exception):
    """The network failed. Its text says how, in words for the user; it may hold what the other end sent."""


class NoConnection(WireError):
    """No connection."""


class StaleConnection(WireError):
    """A kept connection was already closed."""


class Silence(WireError):
    """Nothing for too long."""


class BrokenConnection(WireError):
    """Not a whole reply."""


class Response(ABC):
    """A reply whose head has arrived. `headers`: their names in any case."""

    status: int
    headers: Mapping[str, str]

    @abstractmethod
    async def piece(self) -> bytes:
        """What has arrived of the body since the last call, decompressed; waits for something, and b"" is the end. Raises `WireError`."""

    @abstractmethod
    async def close(self) -> None:
        """Done with it. A reply that was not read to its end takes its connection with it."""


class Wire(ABC):
    """Connections to servers, kept for the next request.

    Args:
        tls: what checks the certificates of addresses with https; None where there are none.
        proxy: the address of one, "" for none.
        connect: seconds until a connection stands.
    """

    @abstractmethod
    def __init__(self, *, tls: ssl.SSLContext | None, proxy: str, connect: float) -> None: ...

    @abstractmethod
    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, idle: float
    ) -> Response:
        """The head of the reply; to be closed by the caller. Raises `WireError`.

        Args:
            content: the body of the request.
            idle: seconds between two signs of life of the server before it is a `Silence`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close all connections. On the wire's own loop only."""
