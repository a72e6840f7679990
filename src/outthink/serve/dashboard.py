"""The dashboard inside a gateway, at `/ui`: for admins alone where keys are asked for, with the gateway's engines, keys and quotas."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from outthink.core.component import EngineSettings
from outthink.dash import EngineFacts, KeyFacts, Readers, mount
from outthink.dash import Quota as Shown
from outthink.serve.access import Access
from outthink.serve.book import Book
from outthink.serve.catalogue import Source
from outthink.serve.keys import Key, KeyFile
from outthink.serve.refusal import Refusal
from outthink.serve.upstreams import Upstreams
from outthink.serve.writing import written

PLACE = "/ui"
_SHOWN = ("model", "preset", "api", "context")
_WORDS = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "searches": "searches at once",
    "money_per_day": "money a day",
}


def dashboard(book: Book, access: Access, upstreams: Upstreams, sources: Mapping[str, Source]) -> Mount:
    """The route."""
    keys = access.keys
    readers = Readers(
        engines=lambda: [_engine(name, source, upstreams) for name, source in sources.items()],
        keys=None if keys is None else lambda: _keys(keys, book),
    )
    inner = mount(book.store, PLACE, readers)
    return Mount(PLACE, app=AdminsOnly(inner.app, access), name="dashboard")


class AdminsOnly:
    """An application that is reached with an admin's key, or from this machine where no keys are asked for."""

    def __init__(self, application: ASGIApp, access: Access) -> None:
        self._application = application
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        try:
            self._access.holder(HTTPConnection(scope), admin=True)
        except Refusal as refusal:
            await written(refusal.document(), status=refusal.status, headers=refusal.headers)(scope, receive, send)
            return
        await self._application(scope, receive, send)


def _engine(name: str, source: Source, upstreams: Upstreams) -> EngineFacts:
    problem = upstreams.problems.get(name)
    if not isinstance(source, EngineSettings):
        return EngineFacts(name=name, state="ready", about={"engine": source.name})
    about = {"type": source.name()} | {
        field: str(value) for field in _SHOWN if (value := getattr(source, field, None)) not in (None, "")
    }
    state = "ready" if problem is None else "failed" if problem else "opening"
    return EngineFacts(name=name, state=state, about=about | ({"problem": problem} if problem else {}))


def _keys(keys: KeyFile, book: Book) -> list[KeyFacts]:
    return [_key(key, book) for key in keys.list()]


def _key(key: Key, book: Book) -> KeyFacts:
    used = book.used(key.id, time.time())
    quotas = tuple(Shown(name=word, used=used[name], most=key.quota.limits.get(name)) for name, word in _WORDS.items())
    return KeyFacts(id=key.id, name=key.name, created=key.created, admin=key.admin, quotas=quotas)
