"""What the agents of PlanGEN say, and how their replies are read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

CONSTRAINTS = """Here is a problem.

{question}

List everything that a solution of it must keep to: every condition that the problem states or implies, with its numbers, names and times. \
Write one condition a line, and nothing else. Do not solve the problem.{hint}"""

VERIFY = """Here is a problem, the conditions that a solution must keep to, and a proposed {what}.

Problem:
{question}

Conditions:
{constraints}

Proposed {what}:
{plan}

Check the proposal against each condition in turn. Then rate it from -100 (useless) to 100 (keeps to all of them{rest}): be strict, any \
condition that is broken means a low score. End with one line of the form
Score: N"""

SELECT = """Here is a problem, the last attempt at it, and what was said about that attempt.

Problem:
{question}

Last attempt:
{plan}

Said about it:
{feedback}

How well would each of these methods solve the problem? {methods}. Give each a number from 0 to 1. Reply with one JSON object and nothing \
else, such as {example}"""

METHODS = {
    "best-of-n": "several independent attempts, of which the best is taken",
    "tree-of-thought": "step by step, with a few alternatives for each step",
    "rebase": "step by step, with more alternatives where it goes well",
}

PLAN = """{question}

A solution must keep to these conditions:
{constraints}

An earlier attempt:
{plan}

What was said about it:
{feedback}

Write a better solution, in the form that the problem asks for."""

STEP = """{question}

A solution must keep to these conditions:
{constraints}
{before}
What has been worked out so far:
{path}

Write the next step, and only that. If everything has been worked out, write the solution in the form that the problem asks for."""

COMPLETE = """Here is a problem and what has been worked out so far.

Problem:
{question}

Worked out so far:
{path}

Does this contain a complete solution of the problem, in the form that it asks for? Reply 1 for yes or 0 for no, and nothing else."""

EXECUTE = """{question}

Follow this plan:
{plan}

Give the answer."""

_SCORE = re.compile(r"score\s*[:=]?\s*\**\s*(-?\d+)", re.IGNORECASE)
_BIT = re.compile(r"\b([01])\b")
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d+[.):])\s+")


def read_score(text: str) -> int | None:
    """The last integer after the word "score", held to [-100, 100]; None where there is none."""
    found = _SCORE.findall(text)
    return max(-100, min(100, int(found[-1]))) if found else None


def read_lines(text: str) -> tuple[str, ...]:
    """One item a line, without bullets."""
    return tuple(said for line in text.splitlines() if (said := _BULLET.sub("", line).strip()))


def read_complete(text: str) -> bool | None:
    """Whether the reply is 1; None where it is neither 1 nor 0. The last one counts."""
    found = _BIT.findall(text)
    return found[-1] == "1" if found else None


def read_prior(text: str, arms: Sequence[str]) -> list[float] | None:
    """How suitable each algorithm is, held to [0, 1]; None for a reply that does not say it of everyone."""
    start, end = text.find("{"), text.rfind("}")
    try:
        said = msgspec.json.decode(text[start : end + 1].encode()) if 0 <= start < end else None
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    values = [said.get(arm) for arm in arms]
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        return None
    return [min(1.0, max(0.0, float(value))) for value in values if value is not None]
