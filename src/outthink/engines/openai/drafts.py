"""What has arrived of a reply so far: pieces of each choice and the usage. Kept outside the reading task, so that a cut loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outthink.core.half_pairs import mended
from outthink.engines.openai.usage import Usage


@dataclass
class Draft:
    """One choice.

    Attributes:
        finish: the backend's word for why it ended; None while it goes on.
        told_stop: the stop string that the backend named; None where it named none.
        pieces: how many pieces of text or thought arrived. `size`: how many characters they hold, white space aside.
        names: the text of each token that came with a log-probability. `others`: the alternatives at each such position.
        calls: tool calls by their place, each with "id", "name" and "arguments" as far as they have arrived.
    """

    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    others: list[list[tuple[str, float]]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish: str | None = None
    told_stop: str | None = None
    pieces: int = 0
    size: int = 0

    def add(self, place: list[str], text: str) -> None:
        """One more piece, of the text (`parts`) or the thought (`thoughts`)."""
        place.append(text)
        self.pieces += 1
        self.size += sum(map(len, text.split()))

    @property
    def text(self) -> str:
        """The text so far; halves of surrogate pairs that arrived apart are put together."""
        return mended("".join(self.parts))

    @property
    def reasoning(self) -> str:
        """The thinking text so far."""
        return mended("".join(self.thoughts))


@dataclass
class Reply:
    """The answer to one call, for every choice.

    Attributes:
        sent: whether the call is on its way, so that the backend may bill it.
        begun: whether anything of the reply has arrived. `streamed`: whether it was asked for in pieces, as they are generated.
        ended: whether the reply is complete.
        closed: whether this side closed it, having seen all it wanted.
        usage: the latest that the backend reported. `usage_final`: whether it is that of the whole reply.
    """

    drafts: dict[int, Draft] = field(default_factory=dict)
    sent: bool = False
    begun: bool = False
    streamed: bool = False
    ended: bool = False
    closed: bool = False
    usage: Usage | None = None
    usage_final: bool = False

    def draft(self, index: int) -> Draft:
        """The choice of this index."""
        return self.drafts.setdefault(index, Draft())


def first_stop(text: str, stops: Sequence[str]) -> tuple[int, str]:
    """Where the first stop string begins, and which it is; (-1, "") when there is none."""
    found = [(at, i) for i, stop in enumerate(stops) if stop and (at := text.find(stop)) >= 0]
    if not found:
        return -1, ""
    at, which = min(found)
    return at, stops[which]
