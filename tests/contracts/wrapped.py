"""The contract for methods that need a capability: a wrapper that the contract puts around a process is given that capability too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from outthink.core import Algorithm, Process
from outthink.testing.contracts import AlgorithmContract
from outthink.testing.contracts.algorithm import Example, Solved


class WrappedContract(AlgorithmContract):
    """`around`: what gives the capability to a wrapped process."""

    around: ClassVar[Callable[[Any], Process[Any]]]

    def solve(
        self,
        algorithm: Algorithm[Any],
        example: Example,
        *,
        wrap: Callable[[Process[Any]], Any] | None = None,
        **how: Any,
    ) -> Solved:
        around = type(self).around
        return super().solve(algorithm, example, wrap=wrap and (lambda process: around(wrap(process))), **how)
