"""Pages drawn by a real Chromium: one browser for all, one page after another, and nothing gets out.

    drawn = await renderer().draw("<h1>Hello</h1>")          # Rendered, or a Failure that says why not

A page is what nobody has read, so three walls stand around it. It is served as a sandboxed document under a policy that allows styles and
nothing else: no scripts, no frames, no forms, no fonts, no going elsewhere. Whatever it asks for is refused at the browser's door, but for
images, which all become one grey picture, as the benchmark of Sketch2Code has one in the place of all. And the browser itself sits in a box
without a network and without files (`boxed_browser`). A page that takes too long or too much memory loses the browser, which is started
anew for the next one.

The same page gives the same picture on one machine; fonts differ between machines. Pages that were drawn are remembered.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from outthink.agent.pages.boxed_browser import INSTALL, missing
from outthink.agent.pages.devtools import START_SECONDS, Browser, BrowserGone, Deadline, Event, PageRefused
from outthink.agent.pages.png import flat, read
from outthink.agent.pages.rendered import STYLES, Rendered, components
from outthink.core.errors import EngineClosed, Failure, Incompatible, explain

WIDTH, HEIGHT = 800, 600
TALLEST = 2400
"""Pixels of a page's height that are drawn."""
SHRUNK = 4
SECONDS = 5.0
LONGEST = 40_000
"""Characters of a page."""
REMEMBERED = 256
REFUSED = "PageRefused"
"""The failure of a page that is at fault itself; any other is the browser's."""

_ADDRESS = "http://page.invalid/"
_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src http: https:"
_IMAGE = base64.b64encode(flat(160, 120, (204, 204, 204))).decode()


class Renderer:
    """Draws pages one after another, in a thread of its own. The browser is started when it is first needed. Close it once.

    Attributes:
        started: browsers started so far. drawn: pages drawn so far; those that were remembered do not count.
        seconds: of processor time for one page.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.started = 0
        self.drawn = 0
        self._thread: ThreadPoolExecutor | None = None
        self._browser: Browser | None = None
        self._tab: _Tab | None = None
        self._known: OrderedDict[str, Rendered | Failure] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    async def draw(self, page: str) -> Rendered | Failure:
        """The page as it looks; `Failure(REFUSED)` for one that cannot be drawn, whose message an agent may read."""
        if len(page) > LONGEST:
            return Failure(REFUSED, f"The page has more than {LONGEST} characters.")
        return await asyncio.get_running_loop().run_in_executor(self._executor(), self._draw, page)

    def pid(self) -> int | None:
        """The process id of the browser's box; None while there is none."""
        return None if self._browser is None else self._browser.pid

    def close(self) -> None:
        """Kill the browser. A page that is being drawn fails. Safe to call twice."""
        with self._lock:
            self._closed = True
            if self._browser is not None:
                self._browser.interrupt()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        self._drop()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise EngineClosed("Pages were to be drawn after the renderer was closed.")
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="outthink-pages")
            return self._thread

    def _draw(self, page: str) -> Rendered | Failure:
        if page in self._known:
            self._known.move_to_end(page)
            return self._known[page]
        found = self._drawn(page)
        if isinstance(found, Failure) and found.retryable:
            # A browser that died by itself, such as between two pages, is no fault of the page.
            found = self._drawn(page)
        # What is not the page's own fault may go well the next time.
        if isinstance(found, Rendered) or found.kind == REFUSED:
            self._known[page] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _drawn(self, page: str) -> Rendered | Failure:
        try:
            found = self._open().draw(page, self.seconds)
        except PageRefused as error:
            self._drop()
            return Failure(REFUSED, str(error))
        except BrowserGone as error:
            self._drop()
            return Failure("BrowserGone", str(error), retryable=True)
        self.drawn += 1
        return found

    def _open(self) -> _Tab:
        if self._tab is None:
            browser = Browser()
            self.started += 1
            with self._lock:
                self._browser = browser
                if self._closed:
                    browser.interrupt()
            self._tab = _Tab(browser)
        return self._tab

    def _drop(self) -> None:
        with self._lock:
            browser, self._browser, self._tab = self._browser, None, None
        if browser is not None:
            browser.close()


class _Tab:
    """Where pages are drawn one after another. It keeps nothing of a page: none can run, store or remember anything."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._deadline = Deadline(START_SECONDS)
        self._session = self._page = ""
        self._served = True
        # A context of its own has no history, so that no link was ever visited.
        context = self._order("Target.createBrowserContext")["browserContextId"]
        target = self._order("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = self._order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for method, parameters in _PREPARED:
            self._order(method, **parameters)

    def draw(self, page: str, seconds: float) -> Rendered:
        """The page as it looks. Raises `PageRefused` and `BrowserGone`; the tab is of no use then."""
        self._deadline = Deadline(seconds, self._browser.pid)
        self._page, self._served = base64.b64encode(page.encode("utf-8", "replace")).decode(), False
        self._browser.send("Page.navigate", self._session, url=_ADDRESS)
        self._browser.events(self._deadline, lambda event: self._serve(event) or self._is_loaded(event))
        size = self._order("Page.getLayoutMetrics")["cssContentSize"]
        height = max(1, min(int(size["height"]), TALLEST))
        snapshot = self._order("DOMSnapshot.captureSnapshot", computedStyles=list(STYLES))
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1 / SHRUNK}
        shot = self._order("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return Rendered(WIDTH, height, components(snapshot, WIDTH, height), read(base64.b64decode(shot["data"])))

    def _is_loaded(self, event: Event) -> bool:
        """Whether this page is: the one before may still say so after it was left."""
        return self._served and event["method"] == "Page.loadEventFired"

    def _order(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.order(method, self._deadline, self._session, on=self._serve, **parameters)

    def _serve(self, event: Event) -> bool:
        """Answer what the page asks for: itself once, a grey picture for images, nothing else."""
        if event["method"] != "Fetch.requestPaused":
            return False
        asked, request = event["params"], event["params"]["requestId"]
        if asked["resourceType"] == "Document" and asked["request"]["url"] == _ADDRESS and not self._served:
            self._served = True
            self._answer(request, "text/html; charset=utf-8", self._page)
        elif asked["resourceType"] == "Image":
            self._answer(request, "image/png", _IMAGE)
        else:
            self._browser.send("Fetch.failRequest", self._session, requestId=request, errorReason="Aborted")
        return False

    def _answer(self, request: str, kind: str, body: str) -> None:
        headers = [{"name": "Content-Type", "value": kind}, {"name": "Content-Security-Policy", "value": _POLICY}]
        self._browser.send(
            "Fetch.fulfillRequest",
            self._session,
            requestId=request,
            responseCode=200,
            responseHeaders=headers,
            body=body,
        )


_PREPARED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Page.enable", {}),
    ("Inspector.enable", {}),
    ("Emulation.setScriptExecutionDisabled", {"value": True}),
    (
        "Emulation.setDeviceMetricsOverride",
        {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
    ),
    # What moves stands still, so that a page has one look.
    ("Animation.enable", {}),
    ("Animation.setPlaybackRate", {"playbackRate": 0}),
    ("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
)


@cache
def renderer() -> Renderer:
    """The renderer that every page of this process shares; closed when the process ends.

    Raises `Incompatible` where there is no browser or no box for it.
    """
    if why := missing():
        raise Incompatible(
            explain(
                "Pages cannot be drawn here.",
                got=why,
                expected="Chromium and bubblewrap with user namespaces, on Linux",
                remedy=INSTALL,
            )
        )
    made = Renderer()
    atexit.register(made.close)
    return made
