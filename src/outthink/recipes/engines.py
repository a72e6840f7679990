"""Engines that are open: one for each distinct [engine] table, shared by everything that asks for the same.

Loading a model takes seconds and memory, so searches with equal engine settings use one engine. It closes when nobody uses it any more,
but the last few without a user stay open for the next search. Safe to use from several threads and event loops.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.core.component import EngineSettings
from outthink.core.settings import Settings
from outthink.engines.engine import Engine


@dataclass
class _Shared:
    engine: Engine
    users: int = 0


class Engines:
    """Engines by settings. `idle`: the most that stay open without a user."""

    def __init__(self, *, idle: int = 1) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._open: dict[bytes, _Shared] = {}

    @property
    def any_open(self) -> bool:
        """Whether an engine is open, with or without users."""
        with self._lock:
            return bool(self._open)

    async def lease(self, settings: EngineSettings) -> Engine:
        """The engine of these settings, opened if nobody has yet; give it back with `release`. Raises what opening raises."""
        return await asyncio.to_thread(self._lease, settings)

    async def release(self, settings: EngineSettings) -> None:
        """Give an engine back; closes those that are idle for longest beyond what may stay."""
        # The lock may be held by somebody who opens a model: waiting for it is no work for an event loop.
        for engine in await asyncio.to_thread(self._release, settings):
            await engine.close()

    async def close(self) -> None:
        """Close every engine, users or not."""
        for engine in await asyncio.to_thread(self._all):
            await engine.close()

    @asynccontextmanager
    async def leased(self, settings: EngineSettings) -> AsyncIterator[Engine]:
        """The engine of these settings while the context lasts."""
        engine = await self.lease(settings)
        try:
            yield engine
        finally:
            await self.release(settings)

    def _all(self) -> list[Engine]:
        with self._lock:
            engines = [shared.engine for shared in self._open.values()]
            self._open.clear()
            return engines

    def _lease(self, settings: EngineSettings) -> Engine:
        # Opening happens under the lock: two searches that start together must not load one model twice.
        with self._lock:
            shared = self._open.get(_name(settings))
            if shared is None:
                shared = self._open[_name(settings)] = _Shared(settings.open())
            shared.users += 1
            return shared.engine

    def _release(self, settings: EngineSettings) -> list[Engine]:
        with self._lock:
            shared = self._open.pop(_name(settings), None)
            if shared is None:  # closed meanwhile
                return []
            shared.users -= 1
            self._open[_name(settings)] = shared  # last in order: used most recently
            unused = [name for name, one in self._open.items() if one.users == 0]
            return [self._open.pop(name).engine for name in unused[: max(0, len(unused) - self._idle)]]


def own_engines(part: Settings | None) -> tuple[EngineSettings, ...]:
    """The engines that a part asks for in its settings, at any depth, each once."""
    found: dict[bytes, EngineSettings] = {}

    def look(value: Any) -> None:
        if isinstance(value, EngineSettings):
            found.setdefault(_name(value), value)
        elif isinstance(value, Settings):
            for name in value.__struct_fields__:
                look(getattr(value, name))
        elif isinstance(value, (tuple, list)):
            for one in value:
                look(one)

    look(part)
    return tuple(found.values())


def _name(settings: EngineSettings) -> bytes:
    return msgspec.json.encode(settings, order="sorted")
