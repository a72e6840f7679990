"""What verifiers and people see of a text: the text without thinking, its answer, and the features that a verifier asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from outthink.core.task import Candidate, Feature
from outthink.engines.context import Context
from outthink.engines.engine import Wanted
from outthink.text.partial import Partial
from outthink.text.reasoning import Thinking

ALWAYS: frozenset[Feature] = frozenset({"steps", "length", "reasoning", "stop"})
LOG_PROBS: frozenset[Feature] = frozenset({"log_prob", "mean_log_prob"})
HIDDEN: frozenset[Feature] = frozenset({"hidden"})
CONTEXT: frozenset[Feature] = frozenset({"context"})


def offered(wants: frozenset[Wanted]) -> frozenset[Feature]:
    """Features that can be shown when the engine is asked for `wants`."""
    return (
        ALWAYS | (LOG_PROBS if "log_probs" in wants else frozenset()) | (HIDDEN if "hidden" in wants else frozenset())
    )


def shown(state: Partial, thinking: Thinking | None) -> str:
    """The text without its thinking."""
    return state.text if thinking is None else thinking.split(state.text, done=state.done)[1]


async def candidates(
    states: Sequence[Partial],
    wants: frozenset[Feature],
    thinking: Thinking | None,
    extract: Callable[[str], str | None] | None,
    context: Callable[[Partial], Context] | None = None,
) -> list[Candidate]:
    """One candidate a state. Answers are found in finished texts only, in a thread: a user's pattern may take its time.

    `context`: what the model has in view at a state, for those that want it.
    """
    texts = [shown(state, thinking) for state in states]
    finished = [i for i, state in enumerate(states) if state.done]
    answers: dict[int, str | None] = {}
    if extract is not None and finished:
        different = list(dict.fromkeys(texts[i] for i in finished))
        found = await asyncio.to_thread(lambda: [extract(text) for text in different])
        by_text = dict(zip(different, found, strict=True))
        answers = {i: by_text[texts[i]] for i in finished}
    return [
        Candidate(
            content=texts[i],
            final=state.done,
            answer=answers.get(i),
            features={
                name: context(state) if name == "context" and context is not None else _feature(name, state, thinking)
                for name in sorted(wants)
            },
        )
        for i, state in enumerate(states)
    ]


def _feature(name: Feature, state: Partial, thinking: Thinking | None) -> Any:
    match name:
        case "steps":
            return steps(state, thinking)
        case "length":
            return state.length
        case "reasoning":
            inside = thinking.split(state.text, done=state.done)[0] if thinking is not None else ""
            return state.reasoning + inside
        case "stop":
            return state.stop
        case "log_prob":
            return np.nan if state.log_prob is None else state.log_prob
        case "mean_log_prob":
            return np.nan if state.log_prob is None or not state.length else state.log_prob / state.length
        case _:
            return state.hidden


def steps(state: Partial, thinking: Thinking | None) -> tuple[str, ...]:
    """The text of each step, thinking left out; steps that show nothing are left out as well."""
    found: list[str] = []
    before = ""
    for end in state.ends():
        prefix = state.text[:end]
        here = prefix if thinking is None else thinking.split(prefix, done=end == len(state.text) and state.done)[1]
        added = here.removeprefix(before)
        before = here
        if added:
            found.append(added)
    return tuple(found)
