"""Every error that outthink raises on purpose, one tree.

    OutthinkError
    ├── SettingsError          a setting has a bad value, or does not exist
    │   └── RecipeError        the same, found while reading a recipe file
    ├── InputError             the task itself: empty question, missing file, bad JSONL line
    ├── Incompatible           the method needs what the process, engine or verifier cannot do
    ├── BudgetExhausted        a limit leaves no room for anything useful (ends a run normally)
    ├── EngineError            the backend refused or broke
    │   ├── ContextOverflow    a prompt longer than the model's window, refused before it costs anything
    │   ├── ModelMissing       the model or its library is not installed, or the file is not a model
    │   └── EngineClosed       used after close
    ├── VerifierError          a verifier broke or gave an impossible score
    ├── AllFailed              every member failed; carries the failures
    │   └── BelowQuorum        too many of them failed for what the user set
    ├── Collapsed              every member has weight zero
    └── CheckpointError        saved state that cannot be read

A message says what went wrong, what was got, what was expected, and what to do: `explain` puts the four together.
A failure of one member among many is not an exception but a `Failure` value.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outthink.core.half_pairs import mended


class OutthinkError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback."""


class SettingsError(OutthinkError, ValueError):
    """A setting has a bad value, or no such setting exists."""


class RecipeError(SettingsError):
    """A recipe cannot be read; names the file and the place in it."""


class InputError(OutthinkError, ValueError):
    """The task given cannot be worked on: empty question, missing file, bad line."""


class Incompatible(OutthinkError):
    """A method needs something that the process, engine or verifier at hand cannot do. Raised before anything is spent."""


class BudgetExhausted(OutthinkError):
    """Nothing useful fits under a limit any more. `limit` names the column of the budget."""

    def __init__(self, limit: str, message: str = "") -> None:
        super().__init__(message or f"The budget's limit on {limit} is used up.")
        self.limit = limit


class EngineError(OutthinkError):
    """The backend refused a request or broke. `status` is its own code where it has one."""

    def __init__(self, message: str, *, status: int | None = None, retryable: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable


class ContextOverflow(EngineError):
    """A prompt longer than the model's window. Refused before it costs anything."""


class ModelMissing(EngineError):
    """The model file or the library that runs it is not there, or the file is not a model."""


class EngineClosed(EngineError):
    """The engine was used after it was closed."""


class VerifierError(OutthinkError):
    """A verifier broke, or returned something that cannot be a score."""


class CheckpointError(OutthinkError):
    """Saved state that cannot be read: damaged, of another schema, or of an unknown type."""


class Collapsed(OutthinkError):
    """Every member of a population has weight zero."""


@dataclass(frozen=True)
class Failure:
    """One member's failure, as a value: what is left after retries. Never shown as an answer.

    Attributes:
        kind: error class in short, such as "ContextOverflow" or "TimeoutError".
        message: the backend's own words where it gave any.
        status: HTTP status or similar, where there is one.
        retryable: whether the same call may succeed later.
    """

    kind: str
    message: str
    status: int | None = None
    retryable: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", mended(self.message))

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that `error` stands for; status and retryability are kept."""
        return cls(
            kind=type(error).__name__,
            message=str(error) or type(error).__name__,
            status=getattr(error, "status", None),
            retryable=bool(getattr(error, "retryable", False)),
        )

    def as_error(self) -> OutthinkError:
        """The error to raise where nobody takes values: of the class that `kind` names where it is one for requests, else `EngineError`."""
        if self.kind in _OF_REQUESTS:
            return _OF_REQUESTS[self.kind](self.message)
        classes = {one.__name__: one for one in (ContextOverflow, ModelMissing, EngineClosed)}
        return classes.get(self.kind, EngineError)(self.message, status=self.status, retryable=self.retryable)


_OF_REQUESTS: dict[str, type[OutthinkError]] = {"InputError": InputError, "SettingsError": SettingsError}


class AllFailed(OutthinkError):
    """Every member failed, so there is no answer. `failures` holds each cause."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        causes = sorted({f"{f.kind}: {f.message}" for f in failures})
        super().__init__(f"All {len(failures)} members failed. Causes: " + "; ".join(causes))
        self.failures = tuple(failures)


class BelowQuorum(AllFailed):
    """More failed than `Tolerance.quorum` lets pass. `failures` holds each cause; what was spent stands in the session's ledger."""

    def __init__(self, failures: Sequence[Failure], what: str, kept: int, asked: int, quorum: float) -> None:
        super().__init__(failures)
        causes = sorted({f"{f.kind}: {f.message}" for f in failures})
        self.args = (
            explain(
                f"Too many {what} failed.",
                got=f"{kept} of {asked}",
                expected=f"a share of at least {quorum:g}",
                remedy=f"Causes: {'; '.join(causes)}. Mend them, or lower tolerance.quorum.",
            ),
        )


def explain(what: str, *, got: object, expected: str, remedy: str) -> str:
    """One message of four parts: what, got, expected, remedy."""
    return f"{what} Got {got!r}; expected {expected}. {remedy}"


def repeated(names: Iterable[str]) -> list[str]:
    """The names that stand there more than once, each once, sorted: for the refusal of a set of names."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def nearest(name: str, known: Iterable[str], n: int = 3) -> str:
    """'Did you mean ...?' with the names closest to `name`, or the list of all that are known."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=n, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "Known: " + ", ".join(choices) + "."
