"""The dashboard's server. Streams that are open do not hold up its end."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

LAST_SECONDS = 1


def serve(application: ASGIApp, listening: socket.socket) -> None:
    """Serve until a signal."""
    configuration = uvicorn.Config(
        application,
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
        http="h11",
        ws="none",
    )
    asyncio.run(uvicorn.Server(configuration).serve(sockets=[listening]))
