"""The models of a gateway, open for as long as it runs: opened in the background when it starts, or by the first request that needs one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from outthink.core.errors import OutthinkError
from outthink.engines.engine import Engine
from outthink.recipes.engines import Engines
from outthink.serve.catalogue import Source
from outthink.serve.refusal import without_addresses


class Upstreams:
    """Engines by their settings. `engines` also serves verifiers with models of their own."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources)
        self.engines = Engines(idle=len(sources) + 4)
        self._held: dict[bytes, asyncio.Task[Engine]] = {}
        self._problems: dict[str, str] = {}
        self._opened: set[str] = set()

    async def open_all(self) -> None:
        """Open every model; what cannot be opened is told by `problems` and tried again by the request that asks for it."""
        for name, source in self._sources.items():
            try:
                await self.engine(source)
            except OutthinkError as error:
                self._problems[name] = without_addresses(str(error))

    @property
    def problems(self) -> Mapping[str, str]:
        """Why models are not open, by name; "" for one that is still opening."""
        waiting = {name: "" for name, source in self._sources.items() if not self._is_open(name, source)}
        return {**waiting, **self._problems}

    def _is_open(self, name: str, source: Source) -> bool:
        return isinstance(source, Engine) or name in self._opened

    async def engine(self, source: Source) -> Engine:
        """The engine, open. Raises what opening it raises."""
        if isinstance(source, Engine):
            return source
        key = msgspec.json.encode(source, order="sorted")
        task = self._held.get(key)
        if task is None:
            task = self._held[key] = asyncio.ensure_future(self.engines.lease(source))
        try:
            # A client that leaves must not end the opening that others wait for.
            opened = await asyncio.shield(task)
        except OutthinkError:
            if self._held.get(key) is task:
                del self._held[key]
            raise
        for name, known in self._sources.items():
            if known == source:
                self._problems.pop(name, None)
                self._opened.add(name)
        return opened

    async def close(self) -> None:
        """Close every engine that was opened here."""
        for task in self._held.values():
            task.cancel()
        await asyncio.gather(*self._held.values(), return_exceptions=True)
        await self.engines.close()
