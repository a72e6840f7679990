"""Settings that are their own live part: a verifier or an answer kind that holds nothing but its settings, so that `build` is itself."""

from __future__ import annotations

from typing import Self

from outthink.core.component import AnswerSettings, Parts, VerifierSettings
from outthink.core.verifier import Equivalence, Verifier


# The metaclass of settings is one of abstract classes as well; type checkers cannot see that.
class LiveVerifier(VerifierSettings, Verifier):  # type: ignore[metaclass]
    """Base of verifiers without connections, processes or other live parts."""

    def build(self, parts: Parts) -> Self:
        """Itself."""
        return self


class LiveAnswer(AnswerSettings, Equivalence):  # type: ignore[metaclass]
    """Base of answer kinds that compare without help."""

    def build(self, parts: Parts) -> Self:
        """Itself."""
        return self
