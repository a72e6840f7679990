"""A real server for tests: llama.cpp's own HTTP server out of the pinned wheel, with the embedded model, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from outthink.engines.local.models import path
from tests.needs import need

SERVE = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx, parameters.n_parallel, parameters.warmup = 2 * int(sys.argv[2]), 2, False
parameters.hostnames, parameters.port = ["127.0.0.1"], 0
parameters.cpuparams.n_threads = 2
server = xllamacpp.Server(parameters)
print("at", server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_cpp_server(context: int = 512) -> Iterator[str]:
    """The address of its interface; two requests at once, each with a window of `context` tokens. Skips where it is not installed."""
    need("local-model")
    command = [sys.executable, "-c", SERVE, str(path()), str(context)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if line.startswith("at ")), "")
            assert line, "the server did not start"
            yield line.removeprefix("at ").strip() + "/v1"
        finally:
            process.kill()
