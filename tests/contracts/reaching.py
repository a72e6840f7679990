"""A wrapper that knows no capabilities, given those of the process inside it: at once, and without failures."""

from __future__ import annotations

from typing import Any

from outthink.core import Advance, Completable, Perturbable, Rewindable
from outthink.testing.wrappers import Wrapper
from tests.contracts.wrapped import WrappedContract


class Reaching(Wrapper[Any], Rewindable[Any], Perturbable[Any], Completable[Any]):
    """Around a wrapper: members go back, have neighbours and are completed as the process inside does it."""

    @property
    def _inside(self) -> Any:
        inside: Any = self.inner
        while isinstance(inside, Wrapper):
            inside = inside.inner
        return inside

    async def rewind(self, *given: Any, **how: Any) -> Advance[Any]:
        got: Advance[Any] = await self._inside.rewind(*given, **how)
        return got

    async def perturb(self, *given: Any, **how: Any) -> Advance[Any]:
        got: Advance[Any] = await self._inside.perturb(*given, **how)
        return got

    async def complete(self, *given: Any, **how: Any) -> Advance[Any]:
        got: Advance[Any] = await self._inside.complete(*given, **how)
        return got


class ReachingContract(WrappedContract):
    """The contract for methods that need these capabilities."""

    around = Reaching
