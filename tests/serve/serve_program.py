"""A gateway in a process of its own, for tests that kill it: serve_program.py STORE BACKEND KEYS LEASE; prints its port."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from outthink.engines.openai import Openai, connect
from outthink.serve import Configuration, Gateway, KeyFile, bound, server_of
from outthink.store import Store
from tests.serve.gateways import FULL, STEPS


async def main(where: str, backend: str, keys: str, lease: float) -> None:
    """Serve until killed."""
    engine = await connect(Openai(base_url=backend, model="scripted", probe="never", assume=FULL))
    with Store.open(where) as store:
        gateway = Gateway(
            Configuration(models={"m": {}}, recipes=STEPS), live={"m": engine}, store=store, keys=KeyFile(Path(keys))
        )
        if gateway.book is not None:
            gateway.book.lease_seconds = lease
        listening = bound("127.0.0.1", 0)
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        await server_of(gateway).serve(sockets=[listening])


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
