"""The dashboard's addresses, and the two ways to serve them: inside another application, or alone on this machine.

/            the runs               /runs/ID            one run         /runs/ID/state      how it stands, as JSON
/engines     /keys     /benches     /runs/ID/compare    side by side    /runs/ID/live       the same as a stream of events
"""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from outthink.core.half_pairs import as_json
from outthink.dash.bench_page import bench_page, benches_page
from outthink.dash.compare_page import compare_page
from outthink.dash.engines_page import engines_page
from outthink.dash.guard import OWN_NAMES, Guard
from outthink.dash.keys_page import keys_page
from outthink.dash.members import ANSWER, member_of, members_of, picture
from outthink.dash.page import Place, message
from outthink.dash.readers import Readers
from outthink.dash.run_page import run_page
from outthink.dash.runs_page import runs_page
from outthink.dash.statics import static
from outthink.dash.streaming import Streams, state_in
from outthink.dash.watching import Watch
from outthink.dash.what_if import rule_of, what_if
from outthink.store import NoSuchRun, Store, StoreError

MOST_NAME = 64
MOST_PART = 400
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def mount(store: Store, at: str = "/ui", readers: Readers | None = None) -> Mount:
    """All of the dashboard as one route. It asks nobody for a key: whoever mounts it decides who gets here."""
    views = Views(store, readers or Readers(), Place(at, store.name))
    pages = Starlette(routes=views.routes(), exception_handlers=views.handlers())
    return Mount(at, app=Guard(pages), name="dashboard")


def application(store: Store, readers: Readers | None = None) -> ASGIApp:
    """The dashboard by itself under `/ui/`, for browsers that call this machine by one of its own names."""

    async def home(request: Request) -> Response:
        return RedirectResponse("/ui/")

    return Guard(Starlette(routes=[Route("/", home), mount(store, "/ui", readers)]), names=OWN_NAMES)


class Views:
    """One function for each address. Those that only read a store are plain functions, and run in threads."""

    def __init__(self, store: Store, readers: Readers, place: Place) -> None:
        self.store, self.readers, self.place = store, readers, place
        self.streams = Streams(store)

    def routes(self) -> list[Route]:
        """Every address."""
        return [
            Route("/", self.runs, methods=["GET"]),
            Route("/live", self.news, methods=["GET"]),
            Route("/engines", self.engines, methods=["GET"]),
            Route("/keys", self.keys, methods=["GET"]),
            Route("/benches", self.benches, methods=["GET"]),
            Route("/benches/{name}", self.bench, methods=["GET"]),
            Route("/static/{name}", static, methods=["GET"]),
            Route("/runs/{run}", self.run, methods=["GET"]),
            Route("/runs/{run}/compare", self.compare, methods=["GET"]),
            Route("/runs/{run}/state", self.state, methods=["GET"]),
            Route("/runs/{run}/live", self.live, methods=["GET"]),
            Route("/runs/{run}/what-if", self.what_if, methods=["GET"]),
            Route("/runs/{run}/members/{node}", self.member, methods=["GET"]),
            Route("/runs/{run}/pictures/{node}.png", self.picture, methods=["GET"]),
        ]

    def handlers(self) -> dict[Any, Any]:
        """What becomes of errors."""
        return {NoSuchRun: self.missing, StoreError: self.broken, HTTPException: self.refused}

    # -- pages ------------------------------------------------------------------------------------------------------

    def runs(self, request: Request) -> Response:
        """The list."""
        return runs_page(self.store, request.query_params, self.place).reply(self.place)

    def run(self, request: Request) -> Response:
        """One run; a beginning of its name, or "last", leads to it."""
        name = _run(request)
        found = self.store.run(name)
        if found.line.id != name:
            return RedirectResponse(self.place.to(f"runs/{found.line.id}"))
        return run_page(found, self.place).reply(self.place)

    def compare(self, request: Request) -> Response:
        """Two candidates."""
        nodes = [_number(text) for text in request.query_params.getlist("node")]
        page, status = compare_page(self.store.run(_run(request)), nodes, self.place)
        return page.reply(self.place, status)

    def engines(self, request: Request) -> Response:
        """Engines."""
        return engines_page(self.store, self.readers, self.place).reply(self.place)

    def keys(self, request: Request) -> Response:
        """Keys and quotas."""
        return keys_page(self.readers).reply(self.place)

    def benches(self, request: Request) -> Response:
        """Benchmarks."""
        return benches_page(self.readers, self.place).reply(self.place)

    def bench(self, request: Request) -> Response:
        """One benchmark; its name is looked up among those that are shown, and is never a path."""
        page, status = bench_page(self.readers, str(request.path_params["name"]), self.place)
        return page.reply(self.place, status)

    # -- for scripts ------------------------------------------------------------------------------------------------

    def state(self, request: Request) -> Response:
        """How a run stands."""
        return _json(state_in(Watch.open(self.store, _run(request)), _part(request)))

    def what_if(self, request: Request) -> Response:
        """A replay by another rule."""
        run = self.store.run(_run(request))
        found = what_if(run, request.query_params.get("rule", "") or rule_of(run))
        if found is None:
            raise HTTPException(404, "This rule cannot be replayed on this run.")
        return _json(found)

    def member(self, request: Request) -> Response:
        """One member."""
        run, node, part = self.store.run(_run(request)), _number(request.path_params["node"]), _part(request) or ""
        name = run.line.id
        members = self.store.read(lambda connection: members_of(connection, name, part)) if part else run.candidates
        found = member_of(run, node, part, members)
        if found is None:
            raise HTTPException(404, "There is no such member.")
        return _json(found)

    def picture(self, request: Request) -> Response:
        """One member's picture, or the answer's."""
        name, wanted = _run(request), str(request.path_params["node"])
        node = None if wanted == ANSWER else _number(wanted)
        found = self.store.read(lambda connection: picture(connection, name, node))
        if found is None:
            raise HTTPException(404, "There is no such picture.")
        return Response(found, media_type="image/png", headers={"cache-control": "private, max-age=3600"})

    async def live(self, request: Request) -> Response:
        """One run as a stream."""
        return await self.streams.run(_run(request), _part(request))

    async def news(self, request: Request) -> Response:
        """The list as a stream."""
        return await self.streams.list()

    # -- errors -----------------------------------------------------------------------------------------------------

    async def missing(self, request: Request, error: Exception) -> Response:
        """No run of this name."""
        return message("No such run", "There is no stored run of this name.").reply(self.place, 404)

    async def broken(self, request: Request, error: Exception) -> Response:
        """The store failed."""
        return message("The store failed", str(error)).reply(self.place, 503)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Nothing at this address, or not this way."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        told = error.detail if isinstance(error, HTTPException) else "There is nothing at this address."
        return message("Nothing here", told).reply(self.place, status)


def _run(request: Request) -> str:
    """The name of a run, of letters that such names have."""
    name = str(request.path_params["run"])
    if len(name) > MOST_NAME or not LETTERS.issuperset(name):
        raise HTTPException(404, "This is no name of a run.")
    return name


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise HTTPException(404, "This is no number of a member.")
    return int(text)


def _part(request: Request) -> str | None:
    part = request.query_params.get("part")
    return None if part is None else part[:MOST_PART]


def _json(value: object) -> Response:
    return Response(as_json(value), media_type="application/json")
