"""The gateway: addresses, who may use them, and the way of a request from its body to its answer.

    gateway = Gateway(load_configuration(path))
    application = gateway.application()         # ASGI; `outthink serve` runs it with uvicorn

Each request has an id, which its reply's header and the log's line carry. The log says who asked for what and what became of it, never a
prompt, an answer or a key.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from outthink.core.errors import OutthinkError
from outthink.engines.engine import Engine
from outthink.serve.admission import Admission
from outthink.serve.bodies import read_body
from outthink.serve.catalogue import Catalogue
from outthink.serve.chat import Chat
from outthink.serve.completions import Completions
from outthink.serve.configuration import Configuration
from outthink.serve.interface import Interface, Reply
from outthink.serve.keys import KeyFile
from outthink.serve.names import local_names
from outthink.serve.refusal import Refusal, of_error
from outthink.serve.responses import Responses
from outthink.serve.searching import Outcome, prepared, searched
from outthink.serve.sending import EARLY_SECONDS, ClientGone, EventStream, Progress, until_gone
from outthink.serve.upstreams import Upstreams
from outthink.serve.writing import written

LOG = logging.getLogger("outthink.serve")
INTERFACES: Mapping[str, Interface] = {
    "/v1/chat/completions": Chat(),
    "/v1/completions": Completions(),
    "/v1/responses": Responses(),
}
LEFT = 499
"""The status in the log of a request whose client left."""


@dataclass
class Visit:
    """One request as the log knows it."""

    id: str
    path: str
    began: float
    holder: str = "-"
    model: str = "-"


class Gateway:
    """One gateway.

    Attributes:
        keys: whose keys are asked for; None: nobody is asked, and only requests to this machine's own names are served.
        live: engines that are open already, by name, in place of the configuration's models; closed by whoever opened them.
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        keys: KeyFile | None = None,
        live: Mapping[str, Engine] | None = None,
    ) -> None:
        self.configuration = configuration or Configuration()
        self.catalogue = Catalogue(self.configuration, live)
        self.upstreams = Upstreams(self.catalogue.sources)
        self.admission = Admission(self.configuration.limits)
        self.keys = keys
        self.draining = False
        self._created = int(time.time())

    def application(self) -> ASGIApp:
        """The ASGI application; engines open when it starts and close when it ends."""
        routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/ready", self._ready, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._model, methods=["GET"]),
            *(Route(path, self._ask, methods=["POST"]) for path in INTERFACES),
        ]
        return Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self._missing, 500: self._broken},
        )

    @asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        opening = asyncio.ensure_future(self.upstreams.open_all())
        try:
            yield
        finally:
            self.draining = True
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self.upstreams.close()

    # -- small addresses --------------------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Response:
        return written({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        problems = self.upstreams.problems
        ready = not problems and not self.draining
        body = {"status": "ready" if ready else "draining" if self.draining else "opening", "models": problems}
        return written(body, status=200 if ready else 503)

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

    # -- searches ---------------------------------------------------------------------------------------------------

    async def _ask(self, request: Request) -> ASGIApp:
        visit = self._visit(request)
        interface = INTERFACES[request.url.path]
        try:
            self._admit(request, visit)
            body = await read_body(request, self.configuration.limits)
            return await self._search(request, visit, interface, body)
        except Refusal as refusal:
            return self._refused(visit, refusal)
        except OutthinkError as error:
            return self._refused(visit, of_error(error))
        except ClientGone:
            self._log(visit, LEFT)
            return Response(status_code=204)

    async def _search(self, request: Request, visit: Visit, interface: Interface, body: Mapping[str, Any]) -> ASGIApp:
        ask = interface.read(body)
        visit.model = ask.model[:128]
        ceilings = self.configuration.ceilings
        ask.check(ceilings)
        entry = self.catalogue.find(ask.model, ask.options.method)
        recipe = prepared(ask, entry, ceilings)
        self.admission.check()
        progress = Progress(ask.options.progress if ask.stream else "none")
        reply_id, created = interface.prefix + secrets.token_hex(12), int(time.time())

        async def work() -> Outcome:
            async with self.admission.place():
                return await searched(ask, entry, recipe, self.upstreams, sinks=(progress,))

        def reply(outcome: Outcome) -> Reply:
            return Reply(reply_id, created, ask, outcome)

        if not ask.stream:
            outcome = await until_gone(request.receive, work())
            return self._answered(visit, interface.document(reply(outcome)))
        started = asyncio.ensure_future(work())
        try:
            await asyncio.wait({started}, timeout=EARLY_SECONDS)
        except asyncio.CancelledError:
            started.cancel()
            raise
        if started.done() and (early := started.exception()) is not None:
            raise early
        started.add_done_callback(lambda task: self._log_stream(visit, task))
        return EventStream(
            started,
            lambda outcome: interface.events(reply(outcome)),
            progress,
            keep_alive=self.configuration.limits.keep_alive_seconds,
            headers={"x-request-id": visit.id},
        )

    # -- who may ----------------------------------------------------------------------------------------------------

    def _admit(self, request: Request, visit: Visit) -> None:
        """Raises `Refusal` for those who may not."""
        if self.draining:
            raise Refusal(503, "The server is shutting down.", code="draining", kind="server_error")
        if self.keys is None:
            if request.url.hostname not in local_names():
                # A page in the user's browser may reach this address under a name of its own.
                raise Refusal(403, "This server answers to the names of its own machine only.", code="wrong_host")
            return
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        holder = self.keys.holder(secret.strip()) if scheme.lower() == "bearer" and secret.strip() else None
        if holder is None:
            raise Refusal(
                401,
                "An API key is needed: Authorization: Bearer KEY.",
                code="invalid_api_key",
                kind="authentication_error",
                headers={"www-authenticate": "Bearer"},
            )
        visit.holder = holder.id

    # -- replies and the log ----------------------------------------------------------------------------------------

    def _visit(self, request: Request) -> Visit:
        return Visit(f"req_{secrets.token_hex(12)}", request.url.path, time.monotonic())

    def _answered(self, visit: Visit, body: Mapping[str, Any]) -> Response:
        self._log(visit, 200)
        return written(body, headers={"x-request-id": visit.id})

    def _refused(self, visit: Visit, refusal: Refusal) -> Response:
        self._log(visit, refusal.status, refusal.code or "")
        headers = {**refusal.headers, "x-request-id": visit.id}
        return written(refusal.document(), status=refusal.status, headers=headers)

    def _log_stream(self, visit: Visit, task: asyncio.Task[Outcome]) -> None:
        if task.cancelled():
            self._log(visit, LEFT)
            return
        error = task.exception()
        self._log(visit, error.status if isinstance(error, Refusal) else 500 if error is not None else 200)

    def _log(self, visit: Visit, status: int, code: str = "") -> None:
        LOG.info(
            "%s key=%s %s model=%r %d%s %.0f ms",
            visit.id,
            visit.holder,
            visit.path,
            visit.model,
            status,
            f" {code}" if code else "",
            1000 * (time.monotonic() - visit.began),
        )

    async def _missing(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        refusal = Refusal(status, f"There is nothing for {request.method} at this address.", code="not_found")
        return self._refused(self._visit(request), refusal)

    async def _broken(self, request: Request, error: Exception) -> Response:
        LOG.error("a request broke the gateway", exc_info=error)
        told = Refusal(500, "The server failed. Its log says why.", code="internal_error", kind="server_error")
        return self._refused(self._visit(request), told)
