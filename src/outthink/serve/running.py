"""A gateway on a socket: loopback without a key, anywhere else with keys or not at all."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec

import uvicorn

from outthink.core.errors import SettingsError, explain
from outthink.serve.gateway import Gateway
from outthink.serve.names import is_loopback

DRAIN_SECONDS = 30


def check_exposure(host: str, gateway: Gateway) -> None:
    """Raises `SettingsError` for a gateway that strangers could use."""
    if is_loopback(host) and gateway.keys is None:
        return
    if gateway.keys is None or not gateway.keys.list():
        raise SettingsError(
            explain(
                "This gateway would ask for API keys, and there are none.",
                got=host,
                expected="a key at least",
                remedy="Make one with `outthink keys create NAME`, or listen on 127.0.0.1 without --require-key and --keys.",
            )
        )


BACKLOG = 2048
"""Connections that may wait to be taken, as uvicorn has it."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose. Raises `SettingsError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # At once: whoever is told the address may ask before the server takes its first request, and then waits instead of being refused.
        listening.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(
            explain(
                f"The server cannot listen there: {error.strerror or error}.",
                got=f"{host}:{port}",
                expected="an address of this machine and a free port",
                remedy="Choose another with --host and --port; --port 0 takes any.",
            )
        ) from None
    return listening


def server_of(gateway: Gateway) -> uvicorn.Server:
    """A server for the gateway. Its own access log is off: the gateway writes one without keys."""
    configuration = uvicorn.Config(
        gateway.application(),
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
        http="h11",
        ws="none",
    )
    return uvicorn.Server(configuration)


def serve(gateway: Gateway, listening: socket.socket) -> None:
    """Serve until a signal; requests at work are finished first, for 30 seconds at most."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # The wire library's own lines name the addresses of model servers.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # The server ends in order by itself; the signal, which it hands on afterwards, must not end the process before the store is closed.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    # The loop must not wait 5 ms for its turn each time the store's thread is at work.
    sys.setswitchinterval(0.0005)
    # What is loaded by now stays: a full collection need not walk it while requests wait, nor come every few of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with asyncio.Runner(loop_factory=_new_loop()) as runner:
        runner.run(server_of(gateway).serve(sockets=[listening]))


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop: uvloop, whose sockets cost less, or (None) Python's own, where there is no uvloop."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop
