"""Recipes come to life side by side: those with the same [engine] table share the engine, those with the same verifier share it too.

    recipes = OpenRecipes(engines)
    async with recipes.built(recipe) as built: ...
    await recipes.close()

Engines and verifiers stay open from one recipe to the next, for loading them is what takes time; with `most`, those that were not used for
longest are closed to make room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from outthink.agent import Agent
from outthink.core.component import EngineSettings
from outthink.core.verifier import Verifier
from outthink.engines.engine import Engine
from outthink.recipes.build import Built, Live, build
from outthink.recipes.engines import Engines
from outthink.recipes.recipe import Recipe

Door = Callable[[EngineSettings, Engine, AsyncExitStack], Awaitable[Engine]]
"""What stands between a recipe and its engine, such as a recorder; what it opens is closed with the stack."""


async def directly(settings: EngineSettings, engine: Engine, stack: AsyncExitStack) -> Engine:
    """Nothing stands between."""
    return engine


@dataclass
class _Shared:
    engine: Engine
    stack: AsyncExitStack
    verifiers: dict[bytes, Verifier] = field(default_factory=dict)
    users: int = 0


class OpenRecipes:
    """See the module. `most`: engines that stay open; None for all. Recipes are opened one after the other."""

    def __init__(self, engines: Engines, *, most: int | None = None, door: Door = directly) -> None:
        self._engines, self._most, self._door = engines, most, door
        self._open: dict[bytes, _Shared] = {}

    @asynccontextmanager
    async def built(self, recipe: Recipe) -> AsyncIterator[Built]:
        """The recipe, ready to run while the context lasts. Raises what building it raises."""
        shared = await self._shared(recipe.engine)
        shared.users += 1
        try:
            async with AsyncExitStack() as own:
                # What an episode earns is known to the world that it was played in.
                world = recipe.process if isinstance(recipe.process, Agent) else None
                key = msgspec.json.encode([recipe.answer, recipe.verifier, world], order="sorted")
                known = shared.verifiers.get(key)
                # Who comes first with a verifier opens it for all who come after.
                where = own if recipe.verifier is None or known is not None else shared.stack
                live = Live(engine=shared.engine, verifier=known)
                made = await where.enter_async_context(build(recipe, live=live, engines=self._engines))
                if made.solver.verifier is not None:
                    shared.verifiers[key] = made.solver.verifier
                yield made
        finally:
            shared.users -= 1

    async def close(self) -> None:
        """Close everything."""
        while self._open:
            _, shared = self._open.popitem()
            await shared.stack.aclose()

    async def _shared(self, settings: EngineSettings) -> _Shared:
        key = msgspec.json.encode(settings, order="sorted")
        found = self._open.pop(key, None)
        if found is None:
            await self._make_room()
            stack = AsyncExitStack()
            engine = await stack.enter_async_context(self._engines.leased(settings))
            found = _Shared(await self._door(settings, engine, stack), stack)
        self._open[key] = found
        return found

    async def _make_room(self) -> None:
        while self._most is not None and len(self._open) >= self._most:
            idle = next((key for key, one in self._open.items() if not one.users), None)
            if idle is None:
                return
            await self._open.pop(idle).stack.aclose()
