"""The door to the network, against a server that writes raw bytes: what arrives, what breaks and how, what is closed, which way it goes."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from outthink.core import EngineError, SettingsError
from outthink.engines.openai import Openai
from outthink.engines.openai.http1 import Http1
from outthink.engines.openai.secret import Secret
from outthink.engines.openai.surroundings import proxy_for, trusted
from outthink.engines.openai.transport import Timeouts, Transport
from outthink.engines.openai.wire import BrokenConnection, NoConnection, Response, Silence, StaleConnection, Wire
from outthink.testing import run_virtual
from outthink.verify.scoring_server import ScoringServer
from tests.engines.openai.conftest import until
from tests.needs import need

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
WHOLE = OK + b"content-length: 5\r\n\r\nhello"
Answer = Callable[[int], list[bytes | float]]
"""What is written to the request of that number: bytes, pauses in seconds, and the connection is closed after an empty piece."""


@dataclass
class Raw:
    """The server. `requests`: head and body of each; `on`: the connection that each came over."""

    port: int = 0
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    on: list[int] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/x"


@asynccontextmanager
async def raw(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    seen, connections = Raw(), iter(range(1000))

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            size = [int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")]
            body = await reader.readexactly(size[0]) if size else b""
            seen.requests.append((head, body))
            seen.on.append(connection)
            for piece in answer(len(seen.requests) - 1):
                if piece == b"":
                    return
                if isinstance(piece, bytes):
                    writer.write(piece)
                    await writer.drain()
                else:
                    await asyncio.sleep(piece)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.open.add(writer)
        try:
            await speak(reader, writer, next(connections))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            seen.open.discard(writer)
            writer.close()

    async with listening(converse, tls) as seen.port:
        yield seen


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def listening(converse: Conversation, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of conversations, which end with it; its port."""
    tasks = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that asyncio would make reports its cancellation as an error.
        tasks.add(asyncio.ensure_future(converse(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http2(*, tls: ssl.SSLContext | None, proxy: str, connect: float) -> Wire:
    need("http2")
    from outthink.engines.openai.http2 import Http2

    return Http2(tls=tls, proxy=proxy, connect=connect)


@pytest.fixture(params=[Http1, http2], ids=["http1", "http2"])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    """Both, over plain connections."""
    made: Wire = request.param(tls=None, proxy="", connect=5.0)
    yield made
    await made.close()


async def asked(wire: Wire, url: str, body: bytes = b"{}", idle: float = 5.0) -> Response:
    return await wire.send("POST", url, headers={"content-type": "application/json"}, content=body, idle=idle)


async def whole(wire: Wire, url: str, body: bytes = b"{}", idle: float = 5.0) -> bytes:
    reply = await asked(wire, url, body, idle)
    try:
        pieces = []
        while piece := await reply.piece():
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        await reply.close()


async def test_pieces_arrive_when_they_are_sent_and_the_connection_is_kept(wire: Wire) -> None:
    gate = [b"5\r\nhello\r\n", 0.05, b"6\r\n there\r\n", b"0\r\n\r\n"]
    async with raw(lambda i: [CHUNKED, *gate]) as server:
        reply = await asked(wire, server.url)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == reply.headers.get("content-type") == "text/event-stream"
        assert await reply.piece() == b"hello"
        assert await reply.piece() == b" there"
        assert await reply.piece() == b""
        await reply.close()
        assert await whole(wire, server.url) == b"hello there"
        assert server.on == [0, 0]
        head, body = server.requests[0]
        assert head.startswith("POST /v1/x HTTP/1.1\r\n")
        assert body == b"{}"
    assert "cookie" not in head.lower()


async def test_leaving_a_reply_closes_its_connection(wire: Wire) -> None:
    async with raw(lambda i: [CHUNKED, b"5\r\nhello\r\n", 60.0]) as server:
        reply = await asked(wire, server.url)
        await reply.piece()
        await reply.close()
        closed = [writer.get_extra_info("socket") for writer in server.open]
        await until(lambda: all(peer_left(one) for one in closed))
    assert len(closed) == 1


def peer_left(connection: object) -> bool:
    """Whether the other end of a server's socket has closed."""
    with socket.socket(fileno=socket.dup(connection.fileno())) as own:  # type: ignore[attr-defined]
        own.setblocking(False)
        try:
            return own.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True
        except BlockingIOError:
            return False


@pytest.mark.parametrize(
    "said",
    [
        [CHUNKED, b"5\r\nhel", b""],
        [CHUNKED, b"5\r\nhello\r\n", b""],
        [OK + b"content-length: 9\r\n\r\nhello", b""],
        [b"nonsense\r\n\r\n", b""],
        [b"", b""],
    ],
    ids=["within a chunk", "between chunks", "too short", "no HTTP", "nothing"],
)
async def test_what_ends_too_early_is_broken(wire: Wire, said: list[bytes | float]) -> None:
    async with raw(lambda i: said) as server:
        with pytest.raises(BrokenConnection):
            await whole(wire, server.url)
        assert len(server.requests) == 1, "over a new connection it is not sent again"


async def test_a_kept_connection_that_was_closed_is_stale_and_tried_anew(wire: Wire) -> None:
    """The server closes it in the moment of the second request, whose answer it never begins."""
    async with raw(lambda i: [b""] if i == 1 else [WHOLE]) as server:
        assert await whole(wire, server.url) == b"hello"
        with pytest.raises(StaleConnection):
            await whole(wire, server.url)
        assert await whole(wire, server.url) == b"hello"
        assert server.on == [0, 0, 1]


async def test_a_transport_sends_again_what_met_a_stale_connection() -> None:
    async with raw(lambda i: [b""] if i == 1 else [OK + b"content-length: 2\r\n\r\n{}"]) as server:
        transport = Transport(server.url, Secret(""), Timeouts(), headers={})
        assert await transport.post("/a", {"x": 1}) == {}
        assert await transport.post("/b", {"x": 2}) == {}
        assert [body for _, body in server.requests] == [b'{"x":1}', b'{"x":2}', b'{"x":2}']
        await transport.close()
        await until(lambda: not server.open)


async def test_nobody_there() -> None:
    wire = Http1(tls=None, proxy="", connect=5.0)
    with pytest.raises(NoConnection, match="Connect call failed"):
        await asked(wire, "http://127.0.0.1:1/v1")
    with pytest.raises(NoConnection, match=r"No address|not known|name resolution"):
        await asked(wire, "http://no-such-host.invalid/v1")
    await wire.close()


async def test_silence_before_and_within_a_reply(wire: Wire) -> None:
    async with raw(lambda i: [60.0] if i == 0 else [CHUNKED, b"5\r\nhello\r\n", 60.0]) as server:
        with pytest.raises(Silence):
            await asked(wire, server.url, idle=0.05)
        reply = await asked(wire, server.url, idle=0.05)
        assert await reply.piece() == b"hello"
        with pytest.raises(Silence):
            await reply.piece()
        await reply.close()


def test_waits_are_not_rounded() -> None:
    """aiohttp would round those of more than five seconds up to whole ones."""

    async def main() -> float:
        wire = Http1(tls=None, proxy="", connect=5.0)
        async with raw(lambda i: [600.0]) as server:
            began = asyncio.get_running_loop().time()
            with pytest.raises(Silence):
                await asked(wire, server.url, idle=7.25)
            took = asyncio.get_running_loop().time() - began
            await wire.close()
        return took

    assert run_virtual(main(), wire=0.005) == pytest.approx(7.25, abs=1e-6)


async def test_redirects_are_not_followed_and_cookies_not_kept(wire: Wire) -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    async with raw(lambda i: [moved]) as server:
        for _ in range(2):
            reply = await asked(wire, server.url)
            assert reply.status == 302
            assert await reply.piece() == b""
            await reply.close()
        assert not [head for head, _ in server.requests if "cookie" in head.lower()]


async def test_headers_are_sent_once_and_ours_replace_those_of_settings() -> None:
    async with raw(lambda i: [OK + b"content-length: 2\r\n\r\n{}"]) as server:
        given = {"User-Agent": "mine", "Content-Type": "text/plain", "X-Team": "käse"}
        transport = Transport(server.url, Secret("sk-1"), Timeouts(), headers=given)
        await transport.post("", {})
        await transport.close()
        lines = [line.lower() for line in server.requests[0][0].split("\r\n")]
        assert [line for line in lines if line.startswith(("user-agent", "content-type", "x-team"))] == [
            "user-agent: mine",
            "content-type: application/json",
            "x-team: käse",
        ]


@pytest.mark.parametrize("headers", [{"x": "a\nb: c"}, {"a b": "c"}, {"": "c"}, {"x:": "c"}, {"x": "\x00"}], ids=ascii)
def test_headers_that_cannot_be_sent_are_refused_by_name(headers: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="cannot be sent"):
        Openai(model="m", base_url="http://127.0.0.1:1/v1", headers=headers)
    with pytest.raises(SettingsError, match="cannot be sent"):
        ScoringServer(model="m", headers=headers)


async def test_a_large_body_goes_with_its_length_and_again_after_a_stale_connection() -> None:
    body = bytes(range(256)) * 8192
    wire = Http1(tls=None, proxy="", connect=5.0)
    async with raw(lambda i: [WHOLE]) as server:
        assert await whole(wire, server.url, body) == b"hello"
        head, arrived = server.requests[0]
        assert arrived == body
        assert f"content-length: {len(body)}" in head.lower()
        assert "chunked" not in head.lower()
    await wire.close()


async def test_a_cancelled_request_leaves_no_connection(wire: Wire) -> None:
    async with raw(lambda i: [60.0]) as server:
        asking = [asyncio.ensure_future(asked(wire, server.url)) for _ in range(3)]
        await until(lambda: len(server.requests) == 3)
        sockets = [writer.get_extra_info("socket") for writer in server.open]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await until(lambda: all(peer_left(one) for one in sockets))
        assert len(sockets) == 3


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_nor_does_one_whose_body_the_server_does_not_take(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        files = open_files()
        asking = asyncio.ensure_future(asked(wire, f"http://127.0.0.1:{deaf.getsockname()[1]}/", bytes(1 << 25)))
        await until(lambda: open_files() > files)
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: open_files() == files)


async def test_over_tls_with_certificates_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("http2")
    from tests.engines.openai.http2_server import make_certificate

    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with raw(lambda i: [WHOLE], tls=context) as server:
        address = server.url.replace("http:", "https:")
        stranger = Http1(tls=trusted(), proxy="", connect=5.0)
        with pytest.raises(NoConnection, match="CERTIFICATE_VERIFY_FAILED"):
            await asked(stranger, address)
        await stranger.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        friend = Http1(tls=trusted(), proxy="", connect=5.0)
        assert await whole(friend, address) == b"hello"
        await friend.close()
        # Through a proxy, which sees the host's name and nothing more.
        async with tunnel(server.port) as proxy:
            through = Http1(tls=trusted(), proxy=f"http://me:word@127.0.0.1:{proxy.port}", connect=5.0)
            assert await whole(through, f"https://127.0.0.1:{server.port}/v1/x") == b"hello"
            await through.close()
        assert proxy.requests[0][0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1")
        assert "proxy-authorization: basic bWU6d29yZA==".lower() in proxy.requests[0][0].lower()
        assert "/v1/x" not in proxy.requests[0][0]


@asynccontextmanager
async def tunnel(port: int) -> AsyncIterator[Raw]:
    """A proxy that connects to that port, whatever is asked for."""
    seen = Raw()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.requests.append(((await reader.readuntil(b"\r\n\r\n")).decode(), b""))
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        pumps = [asyncio.ensure_future(one) for one in (pump(reader, outer), pump(inner, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in pumps:
                one.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            outer.close()
            writer.close()

    async with listening(converse) as seen.port:
        yield seen


async def test_the_environments_proxy_is_taken_for_the_world_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    async with raw(lambda i: [OK + b"content-length: 2\r\n\r\n{}"]) as server:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{server.port}")
        outside = Transport("http://models.invalid/v1", Secret("sk-1"), Timeouts(), headers={"x-team": "a"})
        assert await outside.post("/chat", {}) == {}
        head = server.requests[0][0].lower()
        assert head.startswith("post http://models.invalid/v1/chat http/1.1\r\n")
        assert "host: models.invalid\r\n" in head
        assert "authorization: bearer sk-1\r\n" in head
        assert "x-team: a\r\n" in head
        await outside.close()
    here = f"http://127.0.0.1:{server.port}/v1"
    assert proxy_for("http://models.invalid/v1") == f"http://127.0.0.1:{server.port}"
    assert proxy_for(here) == proxy_for("http://localhost/v1") == proxy_for("https://models.invalid") == ""
    monkeypatch.setenv("NO_PROXY", "invalid")
    assert proxy_for("http://models.invalid/v1") == ""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("ALL_PROXY", "socks5://me:word@127.0.0.1:9")
    with pytest.raises(EngineError, match="NO_PROXY") as refused:
        proxy_for("https://models.invalid")
    assert "word" not in str(refused.value)


def test_what_nobody_closed_goes_without_a_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """An engine stays open for the next call: its loop, or the process, may end before it."""
    caplog.set_level(logging.DEBUG)

    async def ask() -> Transport:
        async with raw(lambda i: [OK + b"content-length: 2\r\n\r\n{}"]) as server:
            transport = Transport(server.url, Secret(""), Timeouts(), headers={})
            assert await transport.post("", {}) == {}
        return transport

    transport = asyncio.run(ask())
    asyncio.run(transport.close())
    del transport
    gc.collect()
    assert "Unclosed" not in caplog.text
