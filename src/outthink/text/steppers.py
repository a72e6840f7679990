"""What one step of a text is: up to a delimiter, a sentence, a number of tokens, or the whole answer.

    Text(stepper=Delimiter(text="\\n"))        # a line is a step: worked sums, proofs, code

A boundary stands after the delimiter. Where the state is made of tokens it stands after the token that completes the delimiter, also when
that token goes on ("\\n\\nStep"): the tokens drawn are kept as they are, so the steps put together have exactly the distribution of the
whole text. Moving the boundary into the token, or drawing it again, would bend that distribution. If unsure: `Delimiter()`, a blank line.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from outthink.core.settings import Positive, Tagged

_SENTENCE = re.compile(r"[.!?][\"'”’)\]]*[ \t]|\n")


class Delimiter(Tagged):
    """A step ends with `text`, which belongs to it.

    Attributes:
        most: tokens after which one call stops although no delimiter came; the step stays open and the next call goes on with it.
            None: as long as it takes. A bound keeps what each call has to promise to the budget small.
    """

    text: Annotated[str, Meta(min_length=1)] = "\n\n"
    most: Positive | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """What the engine is asked to stop at."""
        return (self.text,)

    @property
    def size(self) -> int | None:
        """Tokens of a step, where they decide."""
        return None

    def end(self, text: str, start: int) -> int | None:
        """Where the step that begins at `start` ends, None while it has not."""
        at = text.find(self.text, start)
        return None if at < 0 else at + len(self.text)


class Sentence(Tagged):
    """A step ends with a sentence: a full stop, question or exclamation mark before white space, or the end of a line.

    An engine is asked to stop at these four only, the most that some servers take; quotation marks after the full stop are noticed here.
    """

    most: Positive | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """What the engine is asked to stop at."""
        return (". ", "? ", "! ", "\n")

    @property
    def size(self) -> int | None:
        """Tokens of a step, where they decide."""
        return None

    def end(self, text: str, start: int) -> int | None:
        """Where the step that begins at `start` ends, None while it has not."""
        found = _SENTENCE.search(text, start)
        return None if found is None else found.end()


class Tokens(Tagged):
    """A step is `n` tokens."""

    n: Positive = 32

    @property
    def stops(self) -> tuple[str, ...]:
        """What the engine is asked to stop at."""
        return ()

    @property
    def size(self) -> int | None:
        """Tokens of a step, where they decide."""
        return self.n

    @property
    def most(self) -> int | None:
        """The most tokens of one call."""
        return self.n

    def end(self, text: str, start: int) -> int | None:
        """Text does not decide."""
        return None


class Whole(Tagged):
    """The whole answer is one step; the only one for engines that cannot continue a text."""

    @property
    def stops(self) -> tuple[str, ...]:
        """What the engine is asked to stop at."""
        return ()

    @property
    def size(self) -> int | None:
        """Tokens of a step, where they decide."""
        return None

    @property
    def most(self) -> int | None:
        """The most tokens of one call."""
        return None

    def end(self, text: str, start: int) -> int | None:
        """Text does not decide."""
        return None


Stepper = Delimiter | Sentence | Tokens | Whole
