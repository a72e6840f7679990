"""A server that speaks HTTP/2 over TLS and nothing else, with a certificate of its own making: an OpenAI-compatible chat in few lines.

A prompt that says "wait" is never answered, so that its caller can be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that is its own authority; paths of the certificate and of the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outthink tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return paths


@dataclass
class Seen:
    """What the server has seen. `protocols`: what each connection agreed on, `headers`: of each request."""

    address: str = ""
    protocols: list[str | None] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


class Connection:
    """One client, many streams."""

    def __init__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        self.seen, self.writer = seen, writer
        self.state = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.bodies: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader) -> None:
        self.state.initiate_connection()
        self.writer.write(self.state.data_to_send())
        while data := await reader.read(1 << 16):
            for event in self.state.receive_data(data):
                match event:
                    case RequestReceived():
                        self.seen.headers.append(dict(event.headers))
                        self.bodies[event.stream_id] = b""
                    case DataReceived():
                        self.bodies[event.stream_id] += event.data
                        self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case StreamEnded():
                        self.answer(event.stream_id, json.loads(self.bodies.pop(event.stream_id)))
            self.writer.write(self.state.data_to_send())
            await self.writer.drain()

    def answer(self, stream: int, body: dict[str, Any]) -> None:
        self.seen.bodies.append(body)
        said = str(body["messages"][-1]["content"])
        if "wait" in said:
            return
        message = {"role": "assistant", "content": f"you said {said}"}
        whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
        data, kind = json.dumps(whole).encode(), "application/json"
        if body.get("stream"):
            piece = {"choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}
            events = [json.dumps(piece), json.dumps({"choices": [], "usage": USAGE}), "[DONE]"]
            data, kind = "".join(f"data: {event}\n\n" for event in events).encode(), "text/event-stream"
        self.state.send_headers(stream, [(":status", "200"), ("content-type", kind)])
        self.state.send_data(stream, data, end_stream=True)


@asynccontextmanager
async def http2_server(folder: Path) -> AsyncIterator[tuple[Seen, Path]]:
    """The server, and the certificate to trust."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    seen = Seen()
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writers.append(writer)
        with contextlib.suppress(ConnectionError, ssl.SSLError, ProtocolError):
            await Connection(seen, writer).serve(reader)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    seen.address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield seen, certificate
    finally:
        server.close()
        for writer in writers:
            writer.close()
