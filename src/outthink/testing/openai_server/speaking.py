"""Replies from a script: tokens with their exact log-probabilities, drawn by the same engine that tests use in this process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from outthink.core.errors import ContextOverflow, EngineError, Failure
from outthink.engines.engine import ChatPrompt, Generation, Prompt, Request, StopReason, TextPrompt
from outthink.engines.scripted import Behaviour, NextToken, ScriptedEngine
from outthink.engines.scripted_sampling import processed
from outthink.engines.scripted_tokens import ASSISTANT, END, reply_of
from outthink.testing.openai_server.asking import Ask, Refused
from outthink.testing.openai_server.personality import Personality

_PAGE = 4096


@dataclass(frozen=True)
class Piece:
    """One token: its text as far as it is sent, its own text, and log-probabilities of it and of the likeliest others (nats)."""

    text: str
    token: str
    id: int
    log_prob: float
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Spoken:
    """One whole reply. `finish` is "stop" or "length"; `stop_text` the stop string that ended it."""

    pieces: tuple[Piece, ...]
    finish: str
    stop_text: str
    input_tokens: int
    cached_tokens: int

    @property
    def text(self) -> str:
        """What the client sees."""
        return "".join(piece.text for piece in self.pieces)


class Speaker:
    """Draws replies. One prefix cache for all requests, as a server has it."""

    def __init__(self, script: NextToken, who: Personality, vocabulary: tuple[str, ...] = ()) -> None:
        self._script = script
        self._who = who
        self._vocabulary = vocabulary
        over = who.over_limit if who.limits == "ignored" else 0
        self._behaviour = Behaviour(context=who.context, over_limit=over)
        self._engine = self._made(script)

    async def speak(self, ask: Ask, fresh: Callable[[], int]) -> list[Spoken]:
        """n replies. `fresh` gives seeds where the request has none. Raises `Refused` as a server would answer."""
        engine = self._engine if not ask.options else self._made(held_to(self._script, ask.options))
        requests = [
            Request(
                prompt=ask.prompt,
                seed=(ask.seed + i) % 2**64 if ask.seed is not None else fresh(),
                max_tokens=max(1, ask.max_tokens - len(self._who.reasoning.split())),
                sampling=ask.sampling,
                stop=ask.stop,
                wants=frozenset({"log_probs"}),
            )
            for i in range(ask.n)
        ]
        spoken = []
        for result in await engine.generate(requests):
            if isinstance(result, Failure):
                raise refusal(result)
            spoken.append(self._spoken(ask, result, engine))
        return spoken

    def size(self, ask: Ask) -> int:
        """The prompt's length in tokens."""
        return len(self._engine.tokenizer.encode(text_of(ask.prompt, self._engine), special=True))

    def _made(self, script: NextToken) -> ScriptedEngine:
        return ScriptedEngine(script, vocabulary=self._vocabulary, behaviour=self._behaviour)

    def _spoken(self, ask: Ask, reply: Generation, engine: ScriptedEngine) -> Spoken:
        before = text_of(ask.prompt, engine)
        said, left, counts = "", reply.text, Counter[int]()
        pieces = []
        for token, raw in zip(reply.tokens or (), reply.log_probs or (), strict=True):
            others = self._others(ask, before + said, counts, engine)
            own = engine.tokenizer.text_of(token)
            shown = "" if own == END else own[: len(left)] if left.startswith(own[: len(left)]) else ""
            left = left[len(shown) :]
            log_prob = dict(others).get(own, raw) if self._who.log_prob_law == "processed" else raw
            kept = others[: min(ask.alternatives or 0, self._who.most_log_probs)]
            pieces.append(Piece(shown, own, token, log_prob, kept))
            counts[token] += 1
            said += "" if own == END else own
        finish = "length" if reply.stop is StopReason.LENGTH else "stop"
        cost = reply.cost
        return Spoken(tuple(pieces), finish, reply.stop_text, cost.input_tokens, cost.cached_input_tokens)

    def _others(
        self, ask: Ask, text: str, counts: Mapping[int, int], engine: ScriptedEngine
    ) -> tuple[tuple[str, float], ...]:
        if ask.alternatives is None:
            return ()
        logits = {engine.tokenizer.id_of(t): math.log(p) for t, p in self._script(text).items() if p > 0}
        if self._who.log_prob_law == "processed":
            logits = {token: math.log(p) for token, p in processed(logits, ask.sampling, counts).items()}
        ranked = sorted(logits.items(), key=lambda item: (-item[1], item[0]))
        return tuple((engine.tokenizer.text_of(token), value) for token, value in ranked)


def text_of(prompt: Prompt, engine: ScriptedEngine) -> str:
    """What the script sees of a prompt."""
    if isinstance(prompt, TextPrompt):
        return prompt.text
    if isinstance(prompt, ChatPrompt):
        return engine.tokenizer.decode(engine.tokenizer.chat(prompt.messages, prefix=prompt.prefix))
    raise EngineError("The scripted server takes text and messages.")


def held_to(script: NextToken, options: tuple[str, ...]) -> NextToken:
    """The script, held to replies that are one of `options`; where it allows none of them, their next characters are equally likely."""

    def next_token(text: str) -> Mapping[str, float]:
        said = reply_of(text) if ASSISTANT in text else ""
        open_ends = [option[len(said) :] for option in options if option.startswith(said)]
        given = {
            token: p
            for token, p in script(text).items()
            if p > 0 and any(rest == "" if token == END else rest.startswith(token) for rest in open_ends)
        }
        if given:
            total = sum(given.values())
            return {token: p / total for token, p in given.items()}
        counts = Counter(rest[0] if rest else END for rest in open_ends)
        return {token: count / counts.total() for token, count in counts.items()} or {END: 1.0}

    return next_token


def refusal(failure: Failure) -> Refused:
    """A failure of the scripted engine as a status."""
    if failure.kind == ContextOverflow.__name__:
        return Refused(
            400, f"This model's maximum context length is exceeded. {failure.message}", code="context_length_exceeded"
        )
    return Refused(failure.status or 400, failure.message)


def single(text: str, ask: Ask, input_tokens: int, *, limited: bool = True) -> Spoken:
    """A reply that was prescribed word for word. Every character counts as a token; in long texts without a limit, every four do."""
    size = 1 if limited or len(text) <= _PAGE else 4
    kept = text[: ask.max_tokens] if limited else text
    parts = [kept[at : at + size] for at in range(0, len(kept), size)]
    pieces = tuple(Piece(c, c, ord(c[0]), 0.0, ((c, 0.0),)) for c in parts)
    return replace(Spoken(pieces, "stop", "", input_tokens, 0), finish="stop" if kept == text else "length")
