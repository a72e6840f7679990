"""The gateway: its addresses, and the way of a request from the socket to its answer.

    gateway = Gateway(load_configuration(path), store=Store.open())
    application = gateway.application()         # ASGI; `outthink serve` runs it with uvicorn

Each request has an id, which its reply's header and the log's line carry. The log says who asked for what and what became of it, never a
prompt, an answer or a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from outthink.core.errors import OutthinkError, SettingsError, explain
from outthink.engines.engine import Engine
from outthink.serve.access import Access
from outthink.serve.admission import Admission
from outthink.serve.bodies import read_body
from outthink.serve.book import Book
from outthink.serve.catalogue import Catalogue
from outthink.serve.chat import Chat
from outthink.serve.completions import Completions
from outthink.serve.configuration import Configuration
from outthink.serve.dashboard import dashboard
from outthink.serve.desk import Desk, Order
from outthink.serve.interface import Interface
from outthink.serve.keys import KeyFile
from outthink.serve.metrics import CONTENT_TYPE, Metrics
from outthink.serve.quotas import Quota
from outthink.serve.refusal import Refusal, of_error
from outthink.serve.responses import Responses
from outthink.serve.runs import followed
from outthink.serve.searching import Searcher
from outthink.serve.sending import EARLY_SECONDS, ClientGone, EventStream, Work
from outthink.serve.tracing import Tracing
from outthink.serve.upstreams import Upstreams
from outthink.serve.visit import LOG, Visit
from outthink.serve.writing import written
from outthink.store.store import Store

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

INTERFACES: Mapping[str, Interface] = {
    "/v1/chat/completions": Chat(),
    "/v1/completions": Completions(),
    "/v1/responses": Responses(),
}
INTERNAL = Refusal(500, "The server failed. Its log says why.", code="internal_error", kind="server_error")


class Gateway:
    """One gateway.

    Attributes:
        keys: whose keys are asked for; None: nobody is asked, and only requests to this machine's own names are served.
        store: where runs and accounts are kept; None: nowhere. Closed by whoever opened it.
        live: engines that are open already, by name, in place of the configuration's models; closed by whoever opened them.
        provider: where spans go; None: wherever the process's own go.
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        keys: KeyFile | None = None,
        store: Store | None = None,
        live: Mapping[str, Engine] | None = None,
        provider: TracerProvider | None = None,
    ) -> None:
        self.configuration = configuration or Configuration()
        self.catalogue = Catalogue(self.configuration, live)
        self.upstreams = Upstreams(self.catalogue.sources)
        self.admission = Admission(self.configuration.limits)
        self.keys = keys
        self.store = store
        self.book = Book(store) if store is not None else None
        self.metrics = Metrics(
            lambda: self.admission.at_work, lambda: self.admission.waiting, lambda: float(self._is_ready())
        )
        self.draining = False
        self._access = Access(keys)
        self._tracing = Tracing(provider)
        searcher = Searcher(self.upstreams, store)
        self._desk = Desk(self.configuration, self.catalogue, searcher, self.admission, self.metrics, self.book)
        self._created = int(time.time())
        self._check_quotas()

    def application(self) -> ASGIApp:
        """The ASGI application; engines open when it starts and close when it ends."""
        routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/ready", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._model, methods=["GET"]),
            Route("/v1/outthink/runs/{name}", self._run, methods=["GET"]),
            *(Route(path, self._ask, methods=["POST"]) for path in INTERFACES),
            *self._pages(),
        ]
        return Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self._missing, 500: self._broken},
        )

    def _pages(self) -> list[BaseRoute]:
        if self.book is None:
            return []
        return [dashboard(self.book, self._access, self.upstreams, self.catalogue.sources)]

    @asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        background = [asyncio.ensure_future(self.upstreams.open_all())]
        if self.book is not None:
            background.append(asyncio.ensure_future(self._renew(self.book)))
        try:
            yield
        finally:
            self.draining = True
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self.upstreams.close()

    async def _renew(self, book: Book) -> None:
        while True:
            await asyncio.sleep(book.lease_seconds / 3)
            try:
                await book.renew()
            except OutthinkError as error:
                # Requests meet the same error and report it; here the next attempt may do better.
                LOG.error("the store did not take the gateway's sign of life: %s", error)

    def _check_quotas(self) -> None:
        if self.keys is None or self.store is not None:
            return
        limited = [key.name for key in self.keys.list() if key.quota.limits]
        if limited:
            raise SettingsError(
                explain(
                    "Keys have quotas, and there is no store to keep their accounts in.",
                    got=", ".join(limited),
                    expected="a store",
                    remedy="Leave out --no-store.",
                )
            )

    # -- small addresses --------------------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Response:
        return written({"status": "ok"})

    def _is_ready(self) -> bool:
        return not (self.upstreams.problems or self.draining or (self.store is not None and self.store.broken))

    async def _ready(self, request: Request) -> Response:
        problems = self.upstreams.problems
        broken = self.store is not None and self.store.broken
        state = "draining" if self.draining else "store failed" if broken else "opening" if problems else "ready"
        return written({"status": state, "models": problems}, status=200 if state == "ready" else 503)

    async def _metrics(self, request: Request) -> Response:
        try:
            self._access.holder(request, admin=True)
        except Refusal as refusal:
            return self._refused(self._visit(request), refusal)
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _models(self, request: Request) -> Response:
        visit = self._visit(request)
        try:
            self._admit(request, visit)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        data = [self._listed(name) for name in self.catalogue.names()]
        return self._answered(visit, {"object": "list", "data": data})

    async def _model(self, request: Request) -> Response:
        visit = self._visit(request)
        try:
            self._admit(request, visit)
            name = str(request.path_params["name"])
            self.catalogue.find(name)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        return self._answered(visit, self._listed(name))

    def _listed(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "outthink"}

    async def _run(self, request: Request) -> Response:
        visit = self._visit(request)
        try:
            self._admit(request, visit)
            found = await followed(request, self.store, visit.holder)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        return self._answered(visit, found)

    # -- searches ---------------------------------------------------------------------------------------------------

    async def _ask(self, request: Request) -> ASGIApp:
        visit = self._visit(request)
        interface = INTERFACES[visit.path]
        visit.span = self._tracing.begin(visit.path, request.headers, visit.id)
        try:
            quota = self._admit(request, visit)
            body = await read_body(request, self.configuration.limits)
            name = request.headers.get("idempotency-key")
            order = self._desk.order(visit, interface, body, quota, name)
            return await self._taken(request, order)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        except OutthinkError as error:
            return self._refused(visit, of_error(error))
        except ClientGone:
            visit.left()
            return Response(status_code=204)

    async def _taken(self, request: Request, order: Order) -> ASGIApp:
        limits, visit = self.configuration.limits, order.visit
        task = asyncio.ensure_future(self._desk.work(order))
        work = Work(task, order.cut, limits.leave_seconds)
        headers = {"x-request-id": visit.id}
        if not order.ask.stream:
            try:
                body = await work.until_gone(request.receive, asyncio.shield(task))
            finally:
                await work.end()
            return Response(body, media_type="application/json", headers=headers)
        try:
            await asyncio.wait({task}, timeout=EARLY_SECONDS)
        except asyncio.CancelledError:
            await work.end()
            raise
        if task.done() and (early := task.exception()) is not None:
            raise early
        task.add_done_callback(lambda done: self._ended(visit, done))
        return EventStream(
            work,
            order.progress,
            keep_alive=limits.keep_alive_seconds,
            headers=headers,
            broken=self._internal,
            left=visit.left,
        )

    def _ended(self, visit: Visit, task: asyncio.Task[bytes]) -> None:
        """Note how the work on a stream ended, where it did not end well."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            visit.left()
        else:
            visit.refused(error if isinstance(error, Refusal) else self._internal(error))

    # -- who may ----------------------------------------------------------------------------------------------------

    def _admit(self, request: Request, visit: Visit) -> Quota:
        """The quota of whoever asks. Raises `Refusal` for those who may not."""
        if self.draining:
            raise Refusal(503, "The server is shutting down.", code="draining", kind="server_error")
        holder = self._access.holder(request)
        if holder is None:
            return Quota()
        visit.holder = holder.id
        return holder.quota

    # -- replies and the log ----------------------------------------------------------------------------------------

    def _visit(self, request: Request) -> Visit:
        """The request's entry in the log, one for each request."""
        known: Visit | None = getattr(request.state, "visit", None)
        if known is None:
            path = request.scope["path"]
            known = Visit(path if path in INTERFACES or path == "/v1/models" else "other", self.metrics)
            request.state.visit = known
        return known

    def _answered(self, visit: Visit, body: Mapping[str, Any]) -> Response:
        visit.over(200)
        return written(body, headers={"x-request-id": visit.id})

    def _refused(self, visit: Visit, refusal: Refusal) -> Response:
        visit.refused(refusal)
        headers = {**refusal.headers, "x-request-id": visit.id}
        return written(refusal.document(), status=refusal.status, headers=headers)

    def _internal(self, error: BaseException) -> Refusal:
        LOG.error("a request broke the gateway", exc_info=error)
        return INTERNAL

    async def _missing(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        refusal = Refusal(status, "There is nothing for this method at this address.", code="not_found")
        return self._refused(self._visit(request), refusal)

    async def _broken(self, request: Request, error: Exception) -> Response:
        return self._refused(self._visit(request), self._internal(error))
