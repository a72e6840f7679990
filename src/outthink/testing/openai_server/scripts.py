"""A script that can do what a probe asks of a model, and is as uncertain about everything else as a model should be.

It counts, goes on with a number that was begun, and otherwise draws letters: independent, with the probabilities of `LETTERS`, so that
seeds, temperatures and log-probabilities have something to show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outthink.engines.scripted_tokens import ASSISTANT, END, question_of, reply_of

COUNT = "1 2 3 4 5 6 7 8 9"
BEGUN = re.compile(r"number after (\d+) is (\d*)$", re.IGNORECASE)
ASKED = re.compile(r"number (?:that )?comes after (\d+)", re.IGNORECASE)

# Twenty-five letters whose probabilities fall slowly; no two are equal.
_WEIGHTS = {chr(ord("a") + i): 30.0 - i for i in range(25)}
LETTERS: Mapping[str, float] = {letter: weight / sum(_WEIGHTS.values()) for letter, weight in _WEIGHTS.items()}


def able_model(text: str) -> Mapping[str, float]:
    """The next token of a small but obedient model."""
    said = reply_of(text) if ASSISTANT in text else text
    if (begun := BEGUN.search(said)) is not None:
        return _rest(str(int(begun.group(1)) + 1), begun.group(2))
    question = question_of(text)
    if (asked := ASKED.search(question)) is not None:
        number = int(asked.group(1))
        return _rest(f"The number after {number} is {number + 1}", said)
    if "count" in question.lower():
        return _rest(COUNT, said)
    return LETTERS


def _rest(whole: str, said: str) -> Mapping[str, float]:
    """The next character of `whole` after what was said; the end when nothing is left, or when something else was said."""
    if whole.startswith(said) and len(said) < len(whole):
        return {whole[len(said)]: 1.0}
    return {END: 1.0}


def opinionated_model(text: str) -> Mapping[str, float]:
    """Letters with an end, one reply in ten ending at each; where it is asked for a score it gives one, low ones as often as high ones."""
    said = reply_of(text) if ASSISTANT in text else text
    if "Score:" in question_of(text):
        opening = "Score: "
        if len(said) < len(opening):
            return {opening[len(said)]: 1.0}
        return dict.fromkeys("123456789", 1 / 9) if said == opening else {END: 1.0}
    return {**{letter: p * 0.9 for letter, p in LETTERS.items()}, END: 0.1}
