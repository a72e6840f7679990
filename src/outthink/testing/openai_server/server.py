"""The server: a listening socket on 127.0.0.1, one task a connection, and the counters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from outthink.engines.scripted import NextToken
from outthink.testing.openai_server import shapes
from outthink.testing.openai_server.asking import Api, Ask, Refused, read
from outthink.testing.openai_server.counters import Counters
from outthink.testing.openai_server.http import Connection, HttpRequest
from outthink.testing.openai_server.personality import Fault, Personality
from outthink.testing.openai_server.scoring import SCORING_PATHS, Scoring
from outthink.testing.openai_server.scripts import able_model
from outthink.testing.openai_server.speaking import Speaker, Spoken, single
from outthink.testing.openai_server.telling import Telling

PATHS: dict[str, Api] = {"/v1/chat/completions": "chat", "/v1/completions": "completions", "/v1/responses": "responses"}


class OpenAIServer:
    """A scripted OpenAI-compatible server, as an async context manager. It lives on the event loop that entered it.

        async with OpenAIServer(coin, personality=Personality(seed="ignored")) as server:
            engine = await connect(Openai(base_url=server.base_url, model=server.model, probe="never"))

    With `scoring` it also rates texts, at the endpoints that vLLM has for that.

    Attributes:
        bodies: the body of every generation or scoring request, in order of arrival. `headers`: their headers.
        told: the text of every reply that was generated, in full, also where it never arrived.
        port: where to listen on 127.0.0.1; 0: where the system likes.

    `GET /counters` (beside the interface, without a key) answers with the counters, for clients in other processes.
    """

    def __init__(
        self,
        script: NextToken = able_model,
        *,
        personality: Personality | None = None,
        vocabulary: tuple[str, ...] = (),
        model: str = "scripted",
        scoring: Scoring | None = None,
        port: int = 0,
    ) -> None:
        self._port = port
        self.personality = personality or Personality()
        self.model = model
        self.scoring = scoring
        self.counters = Counters()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.told: list[str] = []
        self._speaker = Speaker(script, self.personality, vocabulary)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate: asyncio.Semaphore | None = None
        self._fresh = 0

    @property
    def base_url(self) -> str:
        """The address that a client is given, with the port that the system chose. Raises `RuntimeError` before the server listens."""
        if self._server is None:
            raise RuntimeError("The server does not listen yet: use it as an async context manager.")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> OpenAIServer:
        slots = self.personality.slots
        self._gate = asyncio.Semaphore(slots) if slots is not None else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def reset(self) -> None:
        """Counters back to zero; open connections and requests in flight stay counted."""
        before = self.counters
        self.counters = Counters(open_connections=before.open_connections, in_flight=before.in_flight)
        self.bodies.clear()
        self.headers.clear()
        self.told.clear()

    # -- connections ------------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that asyncio would make reports its cancellation as an error.
        task = asyncio.ensure_future(self._converse(Connection(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, connection: Connection) -> None:
        self.counters.connections += 1
        self.counters.open_connections += 1
        try:
            while not connection.closing and (request := await connection.next_request()) is not None:
                if not await self._until_gone(connection, self._answer(connection, request)):
                    break
        except ConnectionError:
            # The client went away while a reply was being written; `_answer` has counted it.
            return
        finally:
            self.counters.open_connections -= 1
            connection.close()

    async def _until_gone(self, connection: Connection, work: Awaitable[None]) -> bool:
        """Do the work unless the client leaves before it is done; whether it stayed."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(connection.gone())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            await task
            return True
        finally:
            for future in (task, gone):
                future.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    # -- requests ---------------------------------------------------------------------------------------------------

    async def _answer(self, connection: Connection, request: HttpRequest) -> None:
        try:
            await self._route(connection, request)
        except Refused as refused:
            self.counters.statuses[refused.status] += 1
            await connection.reply(refused.status, shapes.error(str(refused), refused.status, refused.code))

    async def _route(self, connection: Connection, request: HttpRequest) -> None:
        who = self.personality
        if request.method == "GET" and request.path == "/counters":
            await connection.reply(200, self.counters)
            return
        if who.key and request.headers.get("authorization") != f"Bearer {who.key}":
            raise Refused(401, "Incorrect API key provided.", code="invalid_api_key")
        if request.method == "GET" and request.path == "/v1/models":
            self.counters.listed += 1
            entry = {"id": self.model, "object": "model", "owned_by": "outthink", "max_model_len": who.context}
            await connection.reply(200, {"object": "list", "data": [entry]})
            return
        endpoint = SCORING_PATHS.get(request.path) if self.scoring is not None else None
        if endpoint is not None and request.method == "POST":
            await self._served(connection, request, lambda body, fault: self._rate(connection, endpoint, body))
            return
        api = PATHS.get(request.path)
        missing = (api == "completions" and who.completions == "refused") or (api == "responses" and not who.responses)
        if api is None or missing or request.method != "POST":
            self.counters.requests += 1
            raise Refused(404, f"There is nothing at {request.path}.", code="not_found")
        served = api
        await self._served(
            connection,
            request,
            lambda body, fault: self._generate(connection, read(served, body, self.personality), fault, request.at),
        )

    async def _served(
        self,
        connection: Connection,
        request: HttpRequest,
        work: Callable[[dict[str, Any], Fault | None], Awaitable[None]],
    ) -> None:
        index = self.counters.requests
        self.counters.requests += 1
        try:
            body = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError:
            raise Refused(400, "The body is not a JSON object.") from None
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        faults = self.personality.faults
        fault = faults(index, body) if faults is not None else None
        self.counters.enter()
        try:
            if fault is not None:
                self.counters.faults[fault.kind] += 1
                await self._fault_before(connection, fault)
                if fault.kind in {"status", "hang", "drop", "not-json", "error-body"}:
                    return
            await self._within_slots(lambda: work(body, fault))
        finally:
            self.counters.leave()

    async def _fault_before(self, connection: Connection, fault: Fault) -> None:
        """Faults that generate nothing."""
        if fault.kind == "status":
            self.counters.statuses[fault.status] += 1
            headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
            text = fault.text or f"Scripted failure {fault.status}."
            await connection.reply(fault.status, shapes.error(text, fault.status, "scripted"), headers)
        elif fault.kind == "hang":
            await asyncio.Event().wait()
        elif fault.kind == "drop":
            connection.close()
        elif fault.kind == "not-json":
            await connection.reply_bytes(200, b"<html><body>It works!</body></html>", "text/html")
        elif fault.kind == "error-body":
            await connection.reply(200, shapes.error(fault.text or "Upstream failed.", fault.status, "scripted"))

    async def _within_slots(self, work: Callable[[], Awaitable[None]]) -> None:
        if self._gate is None:
            await work()
            return
        async with self._gate:
            await work()

    async def _rate(self, connection: Connection, endpoint: str, body: dict[str, Any]) -> None:
        if self.scoring is None:
            raise Refused(404, "This server rates nothing.", code="not_found")
        document = self.scoring.document(endpoint, body)
        self.counters.calls += 1
        self.counters.input_tokens += document["usage"]["prompt_tokens"]
        if self.personality.usage != "yes":
            del document["usage"]
        self.counters.statuses[200] += 1
        await connection.reply(200, document)

    async def _generate(self, connection: Connection, ask: Ask, fault: Fault | None, arrived: float) -> None:
        begun = arrived if self._gate is None else asyncio.get_running_loop().time()
        replies = await self._replies(ask, fault)
        self.told.extend(reply.text for reply in replies)
        telling = Telling(connection, ask, replies, self.personality, self.counters, fault, begun)
        self.counters.calls += 1
        self.counters.input_tokens += telling.input_tokens
        self.counters.cached_input_tokens += telling.cached_tokens
        try:
            await telling.tell()
            self.counters.statuses[200] += 1
        except (asyncio.CancelledError, ConnectionError):
            self.counters.aborts += 1
            raise

    async def _replies(self, ask: Ask, fault: Fault | None) -> list[Spoken]:
        if fault is not None and fault.kind == "odd-text":
            return [single(fault.text, ask, self._speaker.size(ask), limited=fault.limited)] * ask.n
        return await self._speaker.speak(ask, self._fresh_seed)

    def _fresh_seed(self) -> int:
        self._fresh += 1
        return self._fresh
