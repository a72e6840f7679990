"""Small languages with known probabilities, and what the tests of texts share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from outthink.core import Advance, Allowance, Budget, Cut, Key, Ledger, Task
from outthink.engines.engine import Continuation, Generation, Request
from outthink.engines.scripted import NextToken, ScriptedEngine
from outthink.engines.scripted_behaviour import Behaviour
from outthink.engines.scripted_tokens import ASSISTANT, END, reply_of
from outthink.text import TextProcess

PROMPT = "say:"
# Tokens that end in the middle of a step's delimiter or sentence, and tokens that go on behind it.
VOCABULARY = ("one", " two", ". ", ".\n", "\n\n", "\n\nnew", "? A")


def small_language(text: str) -> Mapping[str, float]:
    """At most three tokens, whose probabilities depend on what stands before; delimiters span tokens and are spanned by them."""
    reply = text.rpartition("say:")[2]
    depth = len(tokens_of(reply))
    if depth >= 3:
        return {END: 1.0}
    if reply.endswith("\n"):
        return {"\n": 0.3, "one": 0.4, " two": 0.1, END: 0.2}
    if reply.endswith("new"):
        return {"one": 0.5, "\n\nnew": 0.3, END: 0.2}
    if reply.endswith(". "):
        return {" two": 0.6, "\n\n": 0.2, END: 0.2}
    return {"one": 0.2, "\n": 0.15, "\n\nnew": 0.25, ". ": 0.15, "? A": 0.15, END: 0.1}


def letters(text: str) -> Mapping[str, float]:
    """At most four characters, each a token, so that a text may be cut anywhere; for backends that deal in text."""
    reply = reply_of(text) if ASSISTANT in text else text.rpartition(PROMPT)[2]
    if len(reply) >= 4:
        return {END: 1.0}
    if reply.endswith("."):
        return {" ": 0.6, "a": 0.2, END: 0.2}
    if reply.endswith("\n"):
        return {"\n": 0.5, "a": 0.2, END: 0.3}
    return {"a": 0.35, ".": 0.25, "\n": 0.25, END: 0.15}


def tokens_of(reply: str) -> list[str]:
    """The tokens of a reply in this language, longest first (no two readings exist)."""
    found = []
    while reply:
        token = next((t for t in sorted(VOCABULARY, key=len, reverse=True) if reply.startswith(t)), reply[0])
        found.append(token)
        reply = reply[len(token) :]
    return found


def enumerated(script: NextToken, prompt: str = PROMPT) -> dict[str, float]:
    """Every complete text and its probability."""
    found: dict[str, float] = {}
    open_texts = {"": 1.0}
    while open_texts:
        longer: dict[str, float] = {}
        for text, weight in open_texts.items():
            for token, p in script(prompt + text).items():
                target = found if token == END else longer
                key = text if token == END else text + token
                target[key] = target.get(key, 0.0) + weight * p
        open_texts = longer
    return found


def engine_of(
    script: NextToken = small_language,
    vocabulary: Sequence[str] = VOCABULARY,
    cls: type[ScriptedEngine] = ScriptedEngine,
    **how: Any,
) -> ScriptedEngine:
    return cls(script, vocabulary=vocabulary, behaviour=Behaviour(**how))


def process_of(engine: ScriptedEngine, **settings: Any) -> TextProcess:
    """A process whose plain prompt is the question alone."""
    return TextProcess(engine, Task(prompt=PROMPT), **{"format": "plain", "prompt": "{question}", **settings})


def key(name: str = "test") -> Key:
    return Key(20_26, (name,))


async def begun(process: TextProcess, n: int = 4, steps: int = 1, name: str = "test") -> Any:
    """n members that have taken so many steps."""
    states = await process.start(key(name).child("start").seeds(n))
    for step in range(steps):
        states = (await process.advance(states, key(name).child(step).seeds(n), allowance=Allowance())).states
    return states


async def to_the_end(process: TextProcess, n: int, name: str = "test", most_steps: int = 40) -> Any:
    """n members, step by step until all are done."""
    states = await process.start(key(name).child("start").seeds(n))
    for step in range(most_steps):
        got = await process.advance(states, key(name).child(step).seeds(n), allowance=Allowance())
        assert not got.failures
        states = got.states
        if got.done.all():
            return states
    raise AssertionError("not finished")


async def advance(process: TextProcess, states: Any, budget: Budget | None = None, **how: Any) -> Advance[Any]:
    name, cut = how.pop("name", "advance"), how.pop("cut", None)
    seeds = key(name).seeds(len(states))
    return await process.advance(states, seeds, allowance=Allowance(Ledger(budget), cut=cut), **how)


class Deaf(ScriptedEngine):
    """A backend that ignores stop strings."""

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Any]:
        return await super().generate([replace(request, stop=()) for request in requests], cut=cut)


class DeafAndSecretive(Deaf):
    """A backend of texts that ignores stop strings and tells no tokens."""

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Any]:
        replies = await super().generate(requests, cut=cut)
        return [replace(r, tokens=None, log_probs=None) if isinstance(r, Generation) else r for r in replies]


def chi_square(texts: Sequence[str], expected: Mapping[str, float]) -> tuple[float, float]:
    """The statistic of the counts against the probabilities, rare texts pooled, and its limit at the level 0.001.

    Source of the limit: Wilson and Hilferty 1931, the cube root of chi-square over its degrees of freedom is nearly normal.
    """
    n, counts = len(texts), Counter(texts)
    assert set(counts) <= set(expected), f"impossible texts: {sorted(set(counts) - set(expected))[:3]}"
    common = [text for text, p in expected.items() if n * p >= 8]
    observed = np.array([counts[text] for text in common], float)
    wanted = np.array([n * expected[text] for text in common])
    rest = n - wanted.sum()
    if rest > 1:
        observed, wanted = np.append(observed, n - observed.sum()), np.append(wanted, rest)
    df = len(wanted) - 1
    limit = df * (1 - 2 / (9 * df) + 3.0902 * math.sqrt(2 / (9 * df))) ** 3
    return float(((observed - wanted) ** 2 / wanted).sum()), limit


TOKENS, COMPLETION, PREFIX, PROMPTED, NONE = (
    Continuation.TOKENS,
    Continuation.COMPLETION,
    Continuation.ASSISTANT_PREFIX,
    Continuation.PROMPTED,
    Continuation.NONE,
)
