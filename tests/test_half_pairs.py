"""A model that writes half characters, from its server to the store and out again: the run is kept, resumed, shown and served."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from click.testing import CliRunner

import outthink
from outthink.cli.main import outthink as command_line
from outthink.engines.openai import Openai
from outthink.store import Store
from tests.serve.gateways import running, saying, scripted

PIECES = ("4\ud83d", "\ude002 and \ud83d so")
TEXT = "4\N{GRINNING FACE}2 and \ufffd so"
USAGE = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}


class Halving(BaseHTTPRequestHandler):
    """A chat server that cuts its pieces inside a character, and leaves half of another."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in PIECES]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE})
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@contextmanager
def halving() -> Iterator[Openai]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Halving)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Openai(base_url=f"http://127.0.0.1:{server.server_port}/v1", model="m", preset="vllm", probe="never")
    finally:
        server.shutdown()
        server.server_close()


def test_a_run_is_stored_resumed_shown_and_exported(tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    with halving() as model:
        how = {"model": model, "method": outthink.Vote(n=3), "answer": "plain", "store": where}
        short = outthink.solve("How much?", budget=outthink.Budget(calls=1), **how)
        assert short.answer == TEXT
        whole = outthink.solve(resume=short.run, budget=outthink.Budget(calls=9), store=where)
    assert whole.answer == TEXT
    assert whole.cost.calls == 3
    assert outthink.Result.from_json(whole.to_json()).answer == TEXT
    with Store.open(where) as store:
        assert [c.content for c in store.run(short.run).candidates.values() if c.final] == [TEXT] * 3
    for command in (["inspect", whole.run, "--json"], ["inspect", whole.run], ["runs", "export", whole.run]):
        shown = CliRunner().invoke(command_line, [*command, "--store", str(where)], catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        assert TEXT in shown.output


def test_what_a_function_returns_raises_and_notes_is_stored(tmp_path: Path) -> None:
    calls = iter(range(9))

    def generate(prompt: str) -> str:
        if next(calls) % 2:
            raise ValueError("no \ud83d")
        return "a\ud83db"

    process = outthink.Function(generate=generate, workers=1)
    where = tmp_path / "runs.sqlite"
    found = outthink.solve("q", process=process, method=outthink.BestOfN(n=4), verifier=lambda text: 1.0, store=where)
    assert found.answer == "a\ufffdb"
    assert {failure.message for failure in found.failures} == {"no \ufffd"}
    with Store.open(where) as store:
        assert store.run(found.run).result == found


async def test_the_gateway_serves_it() -> None:
    async with running({"m": scripted(saying("a\ud83db"))}) as gateway:
        whole = await gateway.chat("m")
        assert whole.choices[0].message.content == "a\ufffdb"
        stream = await gateway.chat("m", stream=True)
        assert "".join([e.choices[0].delta.content or "" async for e in stream if e.choices]) == "a\ufffdb"
