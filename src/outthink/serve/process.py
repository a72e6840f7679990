"""The text process of a gateway's request: candidates also show why they ended and, where asked, the log-probability of each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outthink.core.task import Candidate, Feature
from outthink.engines.engine import TextPrompt, TokenPrompt
from outthink.serve.tap import Heard, Tap
from outthink.text.partial import Partial, Texts
from outthink.text.process import TextProcess

SHOWN: frozenset[Feature] = frozenset({"stop", "reasoning", "length"})
TOKENS: Feature = "served-tokens"
UNFINISHED = "\ufffd"


@dataclass(frozen=True)
class ServedToken:
    """One token of an answer: its text, and its log-probability under the model, nats."""

    text: str
    log_prob: float


class ServedText(TextProcess):
    """Text whose engine is a `Tap` where log-probabilities are wanted."""

    tap: Tap | None = None

    async def view(self, states: Texts, wants: frozenset[Feature]) -> list[Candidate]:
        seen = await super().view(states, wants | SHOWN)
        if self.tap is None:
            return seen
        return [
            _with(candidate, self._tokens(state, self.tap) if state.done else None)
            for candidate, state in zip(seen, states, strict=True)
        ]

    def _tokens(self, state: Partial, tap: Tap) -> tuple[ServedToken, ...] | None:
        """The tokens of a finished text; None where the backend has not told all of them."""
        base = self._prompter.prompt(replace(self._fresh, revision=state.revision))
        if isinstance(base, TokenPrompt) and state.tokens is not None and self._tokenizer is not None:
            values = tap.log_prob((*base.tokens, *state.tokens), len(state.tokens))
            # Tokens are shown as the text grows by them: half a character stands with the token that completes it.
            found: list[ServedToken] = []
            size = begun = 0
            for count, value in enumerate(values, 1):
                if size >= len(state.text):
                    break
                if value is None:
                    return None
                piece = self._tokenizer.decode(state.tokens[begun:count])
                if piece.endswith(UNFINISHED):
                    found.append(ServedToken("", value))
                    continue
                found.append(ServedToken(piece[: len(state.text) - size], value))
                size, begun = size + len(piece), count
            return tuple(found) if "".join(token.text for token in found) == state.text else None
        opening = base.text if isinstance(base, TextPrompt) else ""
        ends = [*state.ends(), len(state.text)]
        return _followed(tap.heard, opening, state.text, 0, ends)


def _followed(
    heard: Sequence[Heard], opening: str, text: str, at: int, ends: Sequence[int]
) -> tuple[ServedToken, ...] | None:
    """The tokens of `text` from `at` on, put together from replies that began where others left off."""
    if at >= len(text):
        return ()
    for reply in heard:
        if reply.before != opening + text[:at]:
            continue
        for end in sorted({e for e in ends if e > at}, reverse=True):
            taken = _upto(reply, text[at:end])
            rest = None if taken is None else _followed(heard, opening, text, end, ends)
            if taken is not None and rest is not None:
                return (*taken, *rest)
    return None


def _upto(reply: Heard, text: str) -> tuple[ServedToken, ...] | None:
    """The first tokens of a reply, as far as they make this text; None where they do not. The last one may go on beyond it."""
    if not "".join(reply.names).startswith(text):
        return None
    found: list[ServedToken] = []
    size = 0
    for name, value in zip(reply.names, reply.log_probs, strict=True):
        if size >= len(text):
            break
        found.append(ServedToken(name[: len(text) - size], value))
        size += len(name)
    return tuple(found)


def _with(candidate: Candidate, tokens: tuple[ServedToken, ...] | None) -> Candidate:
    return Candidate(
        content=candidate.content,
        kind=candidate.kind,
        final=candidate.final,
        answer=candidate.answer,
        features={**candidate.features, TOKENS: tokens},
        id=candidate.id,
    )
