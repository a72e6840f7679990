"""Any plain function as a verifier, told apart by its signature and never by trying.

    as_verifier(lambda text: -len(text))                               # one text
    async def judge(answer: str, task: Task) -> float: ...             # the extracted answer, with the task; awaited
    def batch(texts: list[str]) -> list[float]: ...                    # all at once

What the first parameter is named or annotated decides what it gets: `answer` the extracted answer (no answer, no opinion), `candidate` or
the annotation `Candidate` the whole candidate, anything else the content. A list or a sequence of these, or a plural name (`texts`,
`answers`, `candidates`), gets all at once. A second parameter `task` gets the task. True counts 1, False 0, None is no opinion; an
exception fails that one candidate (or the whole batch that the function was given) and keeps its cause.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from outthink.core.cost import Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure, Incompatible, VerifierError, explain
from outthink.core.task import Candidate, Feature, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier

Looks = Literal["content", "answer", "candidate"]
_PLURALS: Mapping[str, Looks] = {
    "texts": "content", "contents": "content", "answers": "answer", "candidates": "candidate"
}  # fmt: skip
_SEQUENCES = ("list", "sequence", "tuple", "iterable", "collection")


@dataclass(frozen=True)
class Signature:
    """How a function wants to be called."""

    looks: Looks
    batched: bool
    task: bool
    awaited: bool


@dataclass(frozen=True)
class FunctionVerifier(Verifier):
    """Calls a function. Plain ones run in a thread, so that a slow one does not hold the event loop."""

    function: Callable[..., Any]
    signature: Signature
    what: ScoreSpec

    @property
    def spec(self) -> ScoreSpec:
        return self.what

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        return await self._scored(candidates, task, None)

    async def score_until(self, candidates: Sequence[Candidate], task: Task, cut: Cut) -> Scores | None:
        """The candidates that the function has rated when `cut` fires are kept, unless it rates all at once.

        A plain function that is at work then ends by itself, in its thread.
        """
        if self.signature.batched:
            return await super().score_until(candidates, task, cut)
        return await self._scored(candidates, task, cut)

    async def _scored(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        shown = [self._shown(candidate) for candidate in candidates]
        asked = [i for i, what in enumerate(shown) if what is not None]
        values = np.full(len(candidates), np.nan)
        failures: dict[int, Failure] = {}
        replies = await self._replies([shown[i] for i in asked], task, cut)
        unjudged = frozenset(i for i, reply in zip(asked, replies, strict=True) if reply is None)
        for i, reply in zip(asked, replies, strict=True):
            if isinstance(reply, Failure):
                failures[i] = reply
            elif reply is not None:
                values[i] = reply
        calls = Cost(verifier_calls=len(candidates) - len(unjudged))
        return Scores(values, cost=calls, failures=failures, unjudged=unjudged)

    def _shown(self, candidate: Candidate) -> Any:
        looks = self.signature.looks
        return candidate if looks == "candidate" else candidate.answer if looks == "answer" else candidate.content

    async def _replies(self, shown: list[Any], task: Task, cut: Cut | None) -> list[float | Failure | None]:
        """A number or a failure for each; None for those that the cut left without."""
        more = (task,) if self.signature.task else ()
        if not shown:
            return []
        if self.signature.batched:
            reply = await self._called(shown, *more)
            if isinstance(reply, Failure):
                return [reply] * len(shown)
            found = [_number(one) for one in reply]
            if len(found) != len(shown):
                raise VerifierError(
                    explain(
                        f"{_name(self.function)} returned the wrong number of scores.",
                        got=len(found),
                        expected=f"{len(shown)}, one for each candidate",
                        remedy="Return one value per candidate, None for no opinion.",
                    )
                )
            return [*found]
        if self.signature.awaited:
            return await gather_until(cut, [self._rated(one, *more) for one in shown])
        rated: list[float | Failure | None] = [None] * len(shown)

        async def one_by_one() -> None:
            for i, one in enumerate(shown):
                rated[i] = await self._rated(one, *more)

        await gather_until(cut, [one_by_one()])
        return rated

    async def _rated(self, *arguments: Any) -> float | Failure:
        reply = await self._called(*arguments)
        return reply if isinstance(reply, Failure) else _number(reply)

    async def _called(self, *arguments: Any) -> Any | Failure:
        try:
            if self.signature.awaited:
                return await self.function(*arguments)
            return await asyncio.to_thread(self.function, *arguments)
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises is that candidate's failure, with its cause
            return Failure.of(error)


def as_verifier(
    function: Callable[..., Any] | Verifier,
    *,
    kind: ScoreKind | str | None = None,
    partial: bool = False,
    low: float = -np.inf,
    high: float = np.inf,
    log_map: LogMap | str = LogMap.RAW,
    wants: frozenset[Feature] = frozenset(),
    batched: bool | None = None,
    local: bool | None = None,
) -> Verifier:
    """A verifier that calls `function`; a verifier passes through.

    Args:
        kind: what the score rates; by default an outcome, or a prefix value when `partial`.
        partial: whether unfinished texts may be rated as well. If unsure leave it off: only finished ones are then judged.
        low, high: the range; a score outside it is an error. log_map: how a score becomes a log-weight; as it is by default.
        wants: features that a function of whole candidates looks at.
        batched: overrides what the signature says.
        local: whether it still runs after a deadline; by default plain functions do and awaited ones do not.
    Raises `Incompatible` for a function that cannot be called with a candidate, or with a candidate and a task.
    """
    if isinstance(function, Verifier):
        return function
    signature = read_signature(function, batched=batched)
    spec = ScoreSpec(
        kind=ScoreKind(kind or (ScoreKind.PREFIX_VALUE if partial else ScoreKind.OUTCOME)),
        partial=partial,
        low=low,
        high=high,
        log_map=LogMap(log_map),
        wants=wants,
        local=not signature.awaited if local is None else local,
    )
    return FunctionVerifier(function, signature, spec)


def read_signature(function: Callable[..., Any], *, batched: bool | None = None) -> Signature:
    """How `function` wants to be called. Raises `Incompatible`."""
    if not callable(function):
        raise _unusable(function, "something that cannot be called")
    awaited = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        # Some built-in functions tell nothing about themselves: one argument, as in `str -> float`.
        return Signature("content", bool(batched), task=False, awaited=awaited)
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.KEYWORD_ONLY for p in required) or len(required) > 2:
        raise _unusable(function, str(inspect.signature(function)))
    if not positional:
        if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
            raise _unusable(function, str(inspect.signature(function)))
        return Signature("content", bool(batched), task=False, awaited=awaited)
    hints = _hints(function)
    first = positional[0]
    task = len(positional) > 1 and (positional[1].name == "task" or _says(positional[1], hints, "Task"))
    if len(required) == 2 and not task:
        raise _unusable(function, str(inspect.signature(function)))
    looks, plural = _looks(first, hints)
    return Signature(looks, plural if batched is None else batched, task, awaited)


def _looks(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> tuple[Looks, bool]:
    text = _annotation(parameter, hints)
    head = text.lower().rsplit(".", 1)[-1] if "[" not in text else text.lower().split("[", 1)[0].rsplit(".", 1)[-1]
    plural = head in _SEQUENCES or parameter.name in _PLURALS
    if "Candidate" in text or parameter.name in ("candidate", "candidates"):
        return "candidate", plural
    if parameter.name in ("answer", "answers"):
        return "answer", plural
    return "content", plural


def _says(parameter: inspect.Parameter, hints: Mapping[str, Any], word: str) -> bool:
    return _annotation(parameter, hints).rsplit(".", 1)[-1].strip("'\"") == word


def _annotation(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> str:
    hint = hints.get(parameter.name, parameter.annotation)
    if hint is parameter.empty:
        return ""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    target = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError):
        # Annotations that name what is not imported: their text says enough.
        return {}


def _number(reply: Any) -> float | Failure:
    if reply is None:
        return float("nan")
    if isinstance(reply, bool | int | float | np.generic):
        return float(reply)
    if isinstance(reply, np.ndarray) and reply.ndim == 0:
        return float(reply)
    return Failure(
        "VerifierError", f"The function returned {reply!r} of type {type(reply).__name__}; expected a number."
    )


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _unusable(function: object, got: str) -> Incompatible:
    return Incompatible(
        explain(
            "This cannot be used as a verifier.",
            got=f"{getattr(function, '__name__', type(function).__name__)}: {got}",
            expected="a function of one candidate (or a list of them), or of a candidate and `task`",
            remedy="Write `def score(text: str) -> float`, or `def score(text: str, task: Task) -> float`.",
        )
    )
