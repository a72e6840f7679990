"""Whether the parts of a search fit together, checked before anything is spent.

Search checks what it knows itself (capabilities, the need for a verifier); here stands what takes knowledge of a domain: which features a
process can show, whether its texts can be moved on in parts, what can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from outthink.core.algorithm import Algorithm
from outthink.core.cost import Budget
from outthink.core.errors import Incompatible, explain
from outthink.core.process import Process
from outthink.core.task import Feature
from outthink.core.verifier import Verifier
from outthink.recipes.function import MEASURED, Function


def check_function(function: Function, algorithm: Algorithm[Any], budget: Budget, verifier: Verifier | None) -> None:
    """A plain function gives whole answers, text alone, and no token counts. Raises `Incompatible` for what needs more."""
    if not algorithm.whole_samples:
        raise Incompatible(
            explain(
                f"{algorithm.name()!r} moves answers on step by step, and a plain function only gives whole ones.",
                got=repr(function.generate),
                expected="a process that can continue a text",
                remedy="Use a method over whole answers such as 'best-of-n' or 'vote', or an engine that continues texts.",
            )
        )
    unmeasured = sorted(set(budget.limits()) - set(MEASURED))
    if unmeasured:
        raise Incompatible(
            explain(
                "The budget limits what nobody can count of a plain function.",
                got=", ".join(unmeasured),
                expected="limits on " + ", ".join(MEASURED),
                remedy=f"For example {Budget(calls=16)!r}.",
            )
        )
    if verifier is not None and verifier.spec.wants:
        raise unseen(verifier.spec.wants, "a plain function")


def check_text(process: Process[Any], algorithm: Algorithm[Any], verifier: Verifier | None) -> None:
    """A text shows what its engine reports, and moves by steps where it can be continued; an episode shows its actions.

    Raises `Incompatible`.
    """
    from outthink.agent import AgentProcess
    from outthink.text.modes import no_steps
    from outthink.text.process import TextProcess

    if not isinstance(process, TextProcess | AgentProcess):
        return
    if isinstance(process, TextProcess) and not algorithm.whole_samples and not process.step_wise:
        raise no_steps(process.engine, process.settings)
    hidden = (verifier.spec.wants if verifier is not None else frozenset()) - process.offers
    if hidden:
        raise unseen(hidden, f"the engine {process.engine.name!r}" if isinstance(process, TextProcess) else "an agent")


def unseen(wants: Iterable[Feature], where: str) -> Incompatible:
    """The error for a verifier that looks at what `where` does not show."""
    return Incompatible(
        explain(
            f"This verifier looks at what {where} does not show.",
            got=", ".join(sorted(wants)),
            expected="a verifier of what is there, such as the text alone",
            remedy="Give another verifier, such as a function of your own, or use a method without one, such as 'vote'.",
        )
    )
