"""Pages in a real Chromium: what is drawn is where it was put, and an untrusted page reaches no network, no file and no end of time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from outthink.agent.pages import Rendered, Renderer, boxed_browser, renderer
from outthink.agent.pages.devtools import Browser, Deadline
from outthink.agent.pages.renderer import LONGEST, REFUSED
from outthink.core import EngineClosed, Failure, Incompatible

pytestmark = pytest.mark.needs("boxed-browser")


@pytest.fixture(scope="module")
def bare() -> Iterator[Callable[[str], str]]:
    """A browser in its box with no other wall: what it says of an address that it is sent to, "" for nothing."""
    with Browser() as browser:
        deadline = Deadline(120.0)
        target = browser.order("Target.createTarget", deadline, url="about:blank")["targetId"]
        session = browser.order("Target.attachToTarget", deadline, targetId=target, flatten=True)["sessionId"]
        yield lambda place: browser.order("Page.navigate", deadline, session, url=place).get("errorText", "")


async def drawn(drawing: Renderer, page: str) -> Rendered:
    found = await drawing.draw(page)
    assert isinstance(found, Rendered), found
    return found


class Counting(BaseHTTPRequestHandler):
    """Answers everything, and counts."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached")

    def log_message(self, *arguments: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and what it was asked for."""
    asked: list[str] = []
    listening = HTTPServer(("127.0.0.1", 0), type("Here", (Counting,), {"asked": asked}))
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", asked
    listening.shutdown()
    listening.server_close()
    thread.join(timeout=10)


def reached(address: str) -> bool:
    with urllib.request.urlopen(address, timeout=10) as reply:
        return bool(reply.read() == b"reached")


def at(left: int, top: int, width: int, height: int, more: str = "") -> str:
    return f"position:absolute;left:{left}px;top:{top}px;width:{width}px;height:{height}px;{more}"


async def test_what_is_drawn_is_where_it_was_put(drawing: Renderer) -> None:
    page = f"""<!doctype html>
      <nav style="{at(0, 0, 800, 40)}"></nav>
      <img src="https://example.org/x.jpg" style="{at(40, 80, 200, 120)}">
      <p style="{at(300, 80, 100, 60, "color:#f00;margin:0")}">Some <b>bold</b> words</p>
      <form style="{at(0, 300, 400, 100)}"><input type="submit" value="Go" style="{at(8, 8, 60, 20)}"></form>
      <hr style="{at(0, 500, 400, 2, "margin:0;border:0")}"><div role="button" style="{at(500, 300, 90, 30)}">Press</div>
      <p style="visibility:hidden">unseen</p><p style="display:none">unseen</p><p style="opacity:0">unseen</p>
      <div style="{at(0, 1000, 10, 200)}"></div>"""
    found = await drawn(drawing, page)
    assert (found.width, found.height) == (800, 1200)
    assert {(one.kind, one.box) for one in found.components} == {
        ("navigation", (0, 0, 800, 40)),
        ("image", (40, 80, 240, 200)),
        ("text", (300, 80, 400, 140)),
        ("form or table", (0, 300, 400, 400)),
        ("button", (8, 308, 68, 328)),
        ("divider", (0, 500, 400, 502)),
        ("button", (500, 300, 590, 330)),
        ("text", (500, 300, 590, 330)),
    }
    assert [one.words for one in found.texts] == ["Some bold words", "Press"]
    assert found.texts[0].colour == (255, 0, 0)
    left, top, right, bottom = found.texts[0].letters
    assert 300 <= left < right <= 400
    assert 80 <= top < bottom
    assert found.picture.shape == (300, 200, 3)
    # Every image is one and the same grey.
    assert (found.picture[25:45, 15:55] == 204).all()
    assert (found.picture[150:, 120:] == 255).all()


async def test_the_same_page_has_one_look_and_is_drawn_once(drawing: Renderer) -> None:
    moving = (
        "<style>@keyframes a{from{left:0}to{left:400px}}p{position:absolute;animation:a 1s infinite}</style><p>here</p>"
    )
    before, started = drawing.drawn, drawing.started
    first, again = await drawn(drawing, moving), await drawn(drawing, moving)
    assert again is first
    assert drawing.drawn == before + 1
    anew = await drawn(drawing, moving + "<!-- another page -->")
    assert anew.components == first.components
    assert np.array_equal(anew.picture, first.picture)
    assert drawing.started == max(1, started), "one browser draws all pages"


async def test_scripts_do_not_run_and_pages_do_not_go_elsewhere(drawing: Renderer) -> None:
    still = await drawn(drawing, "<p>as written</p>")
    attack = """<script>document.body.textContent='changed'</script><img src=x onerror="document.body.textContent='changed'">
      <svg onload="document.body.textContent='changed'"></svg><meta http-equiv="refresh" content="0;url=https://example.org/">
      <iframe srcdoc='changed'></iframe><object data='data:text/html,changed'></object>"""
    found = await drawn(drawing, f"<p>as written</p>{attack}")
    assert [one.words for one in found.texts] == ["as written"]
    assert found.texts == still.texts


async def test_nothing_reaches_the_network(
    drawing: Renderer, bare: Callable[[str], str], server: tuple[str, list[str]]
) -> None:
    base, asked = server
    page = f"""<!doctype html><link rel="preconnect" href="{base}"><link rel="dns-prefetch" href="{base}">
      <link rel="prefetch" href="{base}/prefetch"><link rel="stylesheet" href="{base}/style.css">
      <style>@import "{base}/import.css"; @font-face{{font-family:f;src:url({base}/font)}} p{{font-family:f;
      background:url({base}/background.png)}}</style><meta http-equiv="refresh" content="0;url={base}/refresh">
      <img src="{base}/image.png" srcset="{base}/image2.png 2x"><iframe src="{base}/frame"></iframe>
      <object data="{base}/object"></object><embed src="{base}/embed"><video src="{base}/video" poster="{base}/poster" autoplay></video>
      <script src="{base}/script.js"></script><svg><image href="{base}/svg.png"/><use href="{base}/use.svg#a"/></svg>
      <form action="{base}/form"><input autofocus></form><p>drawn all the same</p>"""
    found = await drawn(drawing, page)
    assert "drawn all the same" in [one.words for one in found.texts]
    assert asked == []
    # The box alone keeps it in, whatever the page's policy would be.
    assert bare(f"{base}/directly").startswith("net::ERR_")
    assert asked == []
    assert await asyncio.to_thread(reached, f"{base}/counted")
    assert asked == ["/counted"]


async def test_no_file_is_seen(drawing: Renderer, bare: Callable[[str], str], tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<p>the secret</p>")
    ways = "<iframe src='{0}'></iframe><object data='{0}'></object><embed src='{0}'><img src='{0}'>"
    page = f"<p>as written</p>{ways}"
    found, none = [await drawn(drawing, page.format(place)) for place in (secret.as_uri(), "file:///none")]
    assert [one.words for one in found.texts] == ["as written"]
    assert np.array_equal(found.picture, none.picture)
    # The box alone keeps files out: what it shows of the system can be read in it, what it does not show cannot.
    assert bare("file:///usr/") == ""
    for hidden in (secret.as_uri(), Path.home().as_uri(), "file:///etc/passwd"):
        assert bare(hidden) == "net::ERR_FILE_NOT_FOUND", hidden


def doubling(levels: int) -> str:
    """A picture that is twice as large at each level."""
    defined = "".join(
        f'<g id="a{i}"><use href="#a{i - 1}"/><use href="#a{i - 1}" x="1"/></g>' for i in range(1, levels)
    )
    return f'<svg><defs><g id="a0"><rect width="9" height="9"/></g>{defined}</defs><use href="#a{levels - 1}"/></svg>'


@pytest.mark.parametrize(
    ("seconds", "why"), [(0.6, "takes more than 0.6 s"), (60.0, "too much memory")], ids=["for ever", "without end"]
)
async def test_a_page_without_end_is_stopped_and_the_next_one_is_drawn(
    seconds: float, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxed_browser, "MEMORY", 500_000)
    drawing = Renderer(seconds=seconds)
    try:
        endless = doubling(31)
        found = await drawing.draw(endless)
        assert isinstance(found, Failure)
        assert found.kind == REFUSED
        assert why in found.message
        assert await drawing.draw(endless) is found, "nobody waits for it twice"
        drawing.seconds = 60.0
        assert (await drawn(drawing, "<p>next</p>")).texts[0].words == "next"
        assert drawing.started >= 2
    finally:
        drawing.close()


async def test_too_long_a_page_is_refused_unseen() -> None:
    drawing = Renderer()
    found = await drawing.draw("x" * (LONGEST + 1))
    assert isinstance(found, Failure)
    assert found.kind == REFUSED
    assert drawing.started == 0
    drawing.close()


def below(root: int) -> set[int]:
    """Living processes that descend from this one."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


async def test_it_is_killed_at_the_end_and_started_anew_when_it_died() -> None:
    drawing = Renderer(seconds=60.0)
    await drawn(drawing, "<p>one</p>")
    pid = drawing.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await drawn(drawing, "<p>two</p>")
    assert drawing.started == 2
    pid = drawing.pid()
    assert pid is not None
    family = below(pid)
    assert len(family) > 3
    drawing.close()
    assert drawing.pid() is None
    for _ in range(100):
        if not any((Path("/proc") / str(one)).exists() for one in family):
            break
        await asyncio.sleep(0.05)  # the kernel takes down what was in the box
    assert not [one for one in family if (Path("/proc") / str(one)).exists()]
    with pytest.raises(EngineClosed):
        await drawing.draw("<p>three</p>")


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer.cache_clear()
    monkeypatch.setattr(boxed_browser, "BROWSERS", ("no-such-browser",))
    with pytest.raises(Incompatible, match=r"Chromium is not installed.*apt-get install chromium bubblewrap"):
        renderer()
    monkeypatch.undo()
    monkeypatch.setattr(boxed_browser, "BOX", "no-such-box")
    with pytest.raises(Incompatible, match="no-such-box is not installed"):
        renderer()
