"""The five kinds of thing that a recipe names: engine, process, algorithm, verifier, answer.

Each is `Tagged` settings that know how to build their live part. What is needed from the other parts comes in `Parts`, so that settings
never hold live objects. A verifier or answer without live parts may be its own settings: `build` then returns `self`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outthink.core.settings import Tagged

if TYPE_CHECKING:
    from outthink.core.process import Process
    from outthink.core.task import Feature, Task
    from outthink.core.verifier import Equivalence, Verifier


@dataclass(frozen=True)
class Parts:
    """The live parts that a recipe has opened so far, and the settings of others; None where the recipe has none.

    `own`: engines that single parts asked for in their own settings, opened beforehand. They are shared, and closed by whoever opened them.
    """

    engine: Any = None
    answer: AnswerSettings | None = None
    process: ProcessSettings | None = None
    own: tuple[tuple[EngineSettings, Any], ...] = ()

    def opened(self, settings: EngineSettings) -> Any:
        """The engine that was opened beforehand for these settings; None where nobody did, and the part opens it itself."""
        return next((engine for asked, engine in self.own if asked == settings), None)


class EngineSettings(Tagged):
    """An engine by name: `[engine] type = "local"`."""

    @abstractmethod
    def open(self) -> Any:
        """The engine, open; the caller closes it. Raises `ModelMissing` or `EngineError`."""


class ProcessSettings(Tagged):
    """A process by name: `[process] type = "text"`."""

    def showing(self, wants: frozenset[Feature]) -> ProcessSettings:
        """These settings with whatever has to be asked of the engine beforehand, so that candidates show `wants`; most need nothing."""
        return self

    @abstractmethod
    def build(self, task: Task, parts: Parts) -> Process[Any]:
        """The process of one task. Raises `Incompatible` when the engine cannot carry it."""


class VerifierSettings(Tagged):
    """A verifier by name: `[verifier] type = "arithmetic"`."""

    @abstractmethod
    def build(self, parts: Parts) -> Verifier:
        """The live verifier."""


class AnswerSettings(Tagged):
    """How an answer is found in a text, and which answers are the same: `[answer] type = "numeric"`."""

    @abstractmethod
    def extract(self, text: str) -> str | None:
        """The answer in a finished text, in canonical form; None when there is none."""

    @abstractmethod
    def build(self, parts: Parts) -> Equivalence:
        """Which of the extracted answers are the same."""
