"""A wrapper that knows no capabilities, given those of the process inside it: at once, and without failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outthink.core import Advance, Algorithm, Completable, Perturbable, Process, Rewindable
from outthink.testing.contracts import AlgorithmContract
from outthink.testing.contracts.algorithm import Example, Solved
from outthink.testing.wrappers import Wrapper


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


class ReachingContract(AlgorithmContract):
    """The contract for methods that need capabilities."""

    def solve(
        self,
        algorithm: Algorithm[Any],
        example: Example,
        *,
        wrap: Callable[[Process[Any]], Any] | None = None,
        **how: Any,
    ) -> Solved:
        return super().solve(algorithm, example, wrap=wrap and (lambda process: Reaching(wrap(process))), **how)
