"""Data sets of Hugging Face, against a server on this machine that speaks the same endpoints."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from outthink.bench.tasks import Gsm8k
from outthink.bench.tasks.hub import files_of
from outthink.core.errors import InputError
from tests.needs import need

need("parquet")
import pyarrow

OLD, NEW = "a" * 40, "b" * 40


def parquet(*answers: int) -> bytes:
    from pyarrow.parquet import write_table

    sink = BytesIO()
    rows = [{"question": f"{answer}?", "answer": f"#### {answer}"} for answer in answers]
    write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue()


class Hub:
    """Two commits of one data set, files behind a redirect, and what was asked."""

    def __init__(self) -> None:
        self.files = {
            (OLD, "main/test/0000.parquet"): parquet(1, 2),
            (NEW, "main/test/0000.parquet"): parquet(1, 2, 3),
            (NEW, "main/test/0001.parquet"): parquet(4),
            (NEW, "main/train/0000.parquet"): parquet(9),
        }
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.tokens: set[str | None] = set()
        self.elsewhere = ""
        self.listing: dict[str, Any] | None = None
        self.cut = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                hub.tokens.add(self.headers.get("authorization"))
                hub.shown += [self.path] * ("authorization" in self.headers)
                hub.reply(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def reply(self, to: BaseHTTPRequestHandler) -> None:
        pieces = to.path.strip("/").split("/")
        if pieces[:2] == ["api", "datasets"] and pieces[2:4] == ["openai", "gsm8k"]:
            commit = {"refs%2Fconvert%2Fparquet": NEW, OLD: OLD, NEW: NEW}.get(pieces[-1])
            if commit is None:
                self.send(to, 404, b"{}")
                return
            names = [{"rfilename": name} for at, name in self.files if at == commit]
            self.send(to, 200, msgspec.json.encode(self.listing or {"sha": commit, "siblings": names}))
        elif pieces[0] == "datasets":
            to.send_response(302)
            to.send_header("location", f"{self.elsewhere}/cdn/{pieces[4]}/{'/'.join(pieces[5:])}")
            to.send_header("content-length", "0")
            to.end_headers()
        elif pieces[0] == "cdn":
            self.send(to, 200, self.files[pieces[1], "/".join(pieces[2:])])
        else:
            self.send(to, 404, b"{}")

    def send(self, to: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        to.send_response(status)
        to.send_header("content-length", str(len(body)))
        to.end_headers()
        to.wfile.write(body[: len(body) // 2] if self.cut else body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    found = Hub()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_the_newest_commit_is_fetched_named_and_kept(hub: Hub) -> None:
    found = Gsm8k().load()
    assert [q.task.reference for q in found.questions] == ["1", "2", "3", "4"]
    assert found.questions[3].task.id == "gsm8k/0001.parquet:1"
    assert found.origin == {"dataset": "openai/gsm8k", "config": "main", "split": "test", "revision": NEW}
    assert sum(path.startswith("/cdn/") for path in hub.asked) == 2
    again = Gsm8k(path="hf:openai/gsm8k").load()
    assert len(again.questions) == 4
    assert sum(path.startswith("/cdn/") for path in hub.asked) == 2


def test_a_pinned_commit_asks_nobody_once_it_is_here(hub: Hub) -> None:
    first = Gsm8k(path="openai/gsm8k", revision=OLD).load()
    assert len(first.questions) == 2
    hub.asked.clear()
    again = Gsm8k(path="openai/gsm8k", revision=OLD).load()
    assert [q.task for q in again.questions] == [q.task for q in first.questions]
    assert hub.asked == []


def test_another_split(hub: Hub) -> None:
    assert [q.task.reference for q in Gsm8k(split="train").load().questions] == ["9"]
    with pytest.raises(InputError, match="main/test, main/train"):
        Gsm8k(split="validation").load()


def test_out_of_reach_says_so_and_names_what_is_here(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    Gsm8k(revision=OLD).load()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert len(Gsm8k(revision=OLD).load().questions) == 2
    # An older commit is never taken in silence.
    with pytest.raises(InputError, match=f"could not be fetched from 127.0.0.1.*revision = '{OLD}'"):
        Gsm8k().load()


def test_no_such_data_set(hub: Hub) -> None:
    with pytest.raises(InputError, match="status 404"):
        Gsm8k(path="openai/gsm9k").load()
    with pytest.raises(InputError, match="status 404"):
        Gsm8k(revision="v7").load()


def test_a_cut_download_leaves_nothing_behind(hub: Hub, tmp_path: Path) -> None:
    Gsm8k(revision=OLD).load()
    hub.cut = True
    with pytest.raises(InputError, match="could not be fetched"):
        Gsm8k().load()
    hub.cut = False
    assert not list((tmp_path / "cache").rglob("*.part"))
    assert len(Gsm8k().load().questions) == 4


def test_names_from_the_hub_stay_in_their_folder(hub: Hub) -> None:
    hub.listing = {"sha": NEW, "siblings": [{"rfilename": "main/test/../../../evil.parquet"}]}
    with pytest.raises(InputError, match="no such part"):
        Gsm8k().load()
    hub.listing = {"sha": "../../x", "siblings": []}
    with pytest.raises(InputError, match="cannot be read"):
        Gsm8k().load()


def test_a_token_opens_what_needs_one(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    hub.elsewhere = hub.url.replace("127.0.0.1", "localhost")
    Gsm8k().load()
    assert "Bearer hf_abc" in hub.tokens
    assert hub.shown
    assert not [path for path in hub.shown if path.startswith("/cdn/")], "the hub's own token goes nowhere else"


def test_layouts_of_parquet_files() -> None:
    listed = [
        "data/test-00000-of-00002.parquet",
        "data/test-00001-of-00002.parquet",
        "data/testing-0.parquet",
        "README.md",
    ]
    assert files_of(listed, "default", "test") == listed[:2]
    assert files_of(["main/partial-train/0000.parquet"], "main", "train") == ["main/partial-train/0000.parquet"]
    assert files_of(listed, "default", "train") == []
