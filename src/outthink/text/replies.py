"""What a reply adds to a text: the new state, cut where a step or the text ends.

The process notices ends by itself, also where a backend ignores stop strings: what was generated beyond an end is paid for and dropped,
and drawn again later if the text goes on. Ends are stopping times, so dropping what follows leaves the distribution as it is.

Where states are tokens, the tokens are the truth and the text is what they decode to; a cut falls between two tokens, after the one that
completes a delimiter. Text behind the user's own stop string is never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from outthink.core.errors import Failure
from outthink.engines.engine import Generation, StopReason
from outthink.text.partial import Mark, Partial
from outthink.text.steppers import Stepper

Decode = Callable[[Sequence[int]], str]
UNFINISHED = "\ufffd"


@dataclass(frozen=True)
class Asked:
    """What a call was for: one step or the whole rest (`whole`), the tokens wanted, and those that the budget granted.

    Attributes:
        room: tokens that the member may still have.
    """

    whole: bool
    wanted: int
    granted: int
    room: int


@dataclass(frozen=True)
class Taken:
    """The new state, and whether its step was cut short by the budget or a cut."""

    state: Partial
    short: bool


@dataclass(frozen=True)
class Reader:
    """Reads replies. `decode` is None where the backend deals in text; `ends` are the tokens that end a text."""

    stepper: Stepper
    stops: tuple[str, ...]
    decode: Decode | None = None
    ends: frozenset[int] = frozenset()

    def take(self, before: Partial, reply: Generation, asked: Asked) -> Taken | Failure:
        """The state after `reply`, or why it cannot be used."""
        reply = self._ended(reply)
        grown = self._grown(before, reply)
        if isinstance(grown, Failure):
            return grown
        marks = list(before.marks)
        self._mark(grown, marks, once=not asked.whole)
        stepped = not asked.whole and len(marks) > len(before.marks)
        tokens, text = (marks[-1].tokens, grown.text[: marks[-1].text]) if stepped else (grown.count, grown.text)
        whole_reply = grown.is_whole(tokens, len(text)) and not (stepped and self._hides_the_end(reply))
        at, stop_text = _first(text, self.stops, len(before.text.rstrip(UNFINISHED)))
        if stop_text:
            tokens, _ = grown.upto(at + len(stop_text))
            text = text[:at]
            whole_reply = False
        reason = _reason(reply, asked, stop_text, whole_reply=whole_reply, stepped=stepped)
        kept = [mark for mark in marks if mark.tokens <= tokens]
        if stop_text and kept and len(kept) > len(before.marks) and kept[-1].tokens == tokens:
            # The stop string ended inside the delimiter's own token: the step did not end, the text did.
            kept.pop()
        state = replace(
            before,
            text=text,
            tokens=None if grown.tokens is None else grown.tokens[:tokens],
            marks=tuple(replace(mark, text=min(mark.text, len(text))) for mark in kept),
            length=tokens,
            log_prob=grown.log_prob(tokens),
            stop=reason,
            stop_text=stop_text,
            reasoning=before.reasoning + reply.reasoning,
            # The reply's last token is the state's last token, also where a stop string ended in it.
            hidden=reply.hidden if whole_reply or tokens == grown.count else None,
        )
        limited = reply.stop is StopReason.LENGTH and asked.granted < asked.wanted
        short = not reason and not stepped and (limited or reply.stop is StopReason.CANCELLED)
        return Taken(state, short)

    def _ended(self, reply: Generation) -> Generation:
        """The reply up to its first end token, also where the backend went on."""
        at = next((i for i, token in enumerate(reply.tokens or ()) if token in self.ends), None)
        if at is None or reply.tokens is None:
            return reply
        log_probs = None if reply.log_probs is None else reply.log_probs[: at + 1]
        whole = at + 1 == len(reply.tokens)
        hidden = reply.hidden if whole else None
        return replace(reply, tokens=reply.tokens[: at + 1], log_probs=log_probs, stop=StopReason.END, hidden=hidden)

    def _hides_the_end(self, reply: Generation) -> bool:
        """Whether the reply's end was drawn behind a delimiter without a token to show for it.

        It goes the way of whatever else is drawn there: keeping ends while other tokens are drawn again would favour them.
        """
        return self.decode is None and self.stepper.size is None and reply.stop is StopReason.END

    def _grown(self, before: Partial, reply: Generation) -> _Grown | Failure:
        if self.decode is not None:
            if reply.tokens is None or before.tokens is None:
                return Failure("EngineError", "The engine continues tokens but returned none.")
            tokens = (*before.tokens, *reply.tokens)
            return _Grown(before, reply, self.decode(tokens), len(tokens), tokens, self.decode)
        if reply.stop is StopReason.STOP and not reply.stop_text:
            return Failure(
                "EngineError", "The engine stopped at a stop string but does not say which; the text cannot go on."
            )
        added = reply.cost.output_tokens or (len(reply.tokens) if reply.tokens is not None else 0)
        text = before.text + reply.text + reply.stop_text
        # A backend that reports no usage still moved on.
        added = added or int(len(text) > len(before.text))
        return _Grown(before, reply, text, before.length + added)

    def _mark(self, grown: _Grown, marks: list[Mark], *, once: bool) -> None:
        """Add a mark at the end of each step that the text has completed, or of the first one only."""
        while True:
            start = marks[-1] if marks else Mark(0, 0, 0.0)
            if self.stepper.size is not None:
                count = start.tokens + self.stepper.size
                if count > grown.count or (grown.tokens is None and count < grown.count):
                    return
                end = grown.text_of(count)
            else:
                found = self.stepper.end(grown.text, start.text)
                if found is None:
                    return
                count, end = grown.upto(found)
                if count <= start.tokens:
                    return
            marks.append(Mark(end, count, grown.log_prob(count)))
            if once:
                return


@dataclass(frozen=True)
class _Grown:
    """The text with everything that a reply brought, before any cut."""

    before: Partial
    reply: Generation
    text: str
    count: int
    tokens: tuple[int, ...] | None = None
    decode: Decode | None = None

    def upto(self, end: int) -> tuple[int, int]:
        """The fewest tokens whose text has at least `end` characters, and how many it has then."""
        if self.tokens is None or self.decode is None:
            return self._share(end), end
        low, high = self.before.length, self.count
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.text_of(middle) >= end else (middle, high)
        return high, self.text_of(high)

    def text_of(self, count: int) -> int:
        """How many characters the first `count` tokens make; bytes of a character that is not complete do not count."""
        if self.tokens is None or self.decode is None or count >= self.count:
            return len(self.text)
        return len(self.decode(self.tokens[:count]).rstrip(UNFINISHED))

    def is_whole(self, count: int, characters: int) -> bool:
        """Whether so many tokens, or characters where tokens are not known, are all there is."""
        return characters == len(self.text) if self.tokens is None else count == self.count

    def log_prob(self, count: int) -> float | None:
        """Log-probability of the first `count` tokens; None where it is not known."""
        known, values = self.before.log_prob, self.reply.log_probs
        if known is None or values is None or (self.tokens is None and count != self.count):
            return None
        return known + sum(values[: count - self.before.length] if self.tokens is not None else values)

    def _share(self, end: int) -> int:
        """Tokens of a part of the reply, by its share of the characters: an estimate, and an upper one."""
        old, new = len(self.before.text), len(self.text)
        if end >= new or new <= old:
            return self.count
        return self.before.length + max(1, -(-(self.count - self.before.length) * (end - old) // (new - old)))


def carried(text: str, stops: Sequence[str]) -> tuple[str, ...]:
    """What would complete a stop string that the text has begun. Stopping there in vain only leaves a step open.

    Endings of less than three visible characters would stop in vain too often; such stop strings are noticed when they are complete.
    """
    found = [
        stop[size:]
        for stop in stops
        for size in range(len(stop) - 1, 0, -1)
        if text.endswith(stop[:size]) and len(stop[size:].strip()) >= 3
    ]
    return tuple(dict.fromkeys(found))


def _first(text: str, stops: Sequence[str], known: int) -> tuple[int, str]:
    """Where the first stop string begins that ends behind the first `known` characters, and which it is."""
    found = [(at, stop) for stop in stops if (at := text.find(stop, max(0, known - len(stop) + 1))) >= 0]
    return min(found, default=(-1, ""))


def _reason(reply: Generation, asked: Asked, stop_text: str, *, whole_reply: bool, stepped: bool) -> str:
    if stop_text:
        return "stop"
    if reply.stop is StopReason.END and whole_reply:
        return "end"
    used = reply.cost.output_tokens
    full = whole_reply and used >= asked.room
    # A backend that ends by length before the limit it was given has run out of context.
    exhausted = reply.stop is StopReason.LENGTH and used < asked.granted and not stepped
    return "length" if (full or exhausted) and reply.stop is not StopReason.CANCELLED else ""
