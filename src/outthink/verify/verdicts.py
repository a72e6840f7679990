"""Reads a judge's verdict from its reply, strictly: the last verdict counts, and what is none is no opinion, never a score of 0.

Only the reply is read. A line that quotes the candidate begins with ">" as it did in the prompt and is no verdict, and a reply that was cut
short has none, for what it would have said is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.engines.engine import Generation, StopReason
from outthink.verify.rubrics import Rubric

LONGEST_LINE = 200
LONGEST_NOTE = 1000
_DRESS = " \t*_#`"
_FENCED = re.compile(r"\A```(?:json)?\s*(\{.*\})\s*```\Z", re.DOTALL)


@dataclass(frozen=True)
class Verdict:
    """One judgement: its value in [0, 1], and the reasons given for it, at most 1000 characters."""

    value: float
    reasons: str = ""


def read(reply: Generation, rubric: Rubric) -> Verdict | None:
    """The verdict of a reply; None where it has none."""
    if reply.stop in (StopReason.LENGTH, StopReason.CANCELLED):
        return None
    if rubric.reply == "json":
        return _from_json(reply.text, rubric)
    if rubric.reply == "direct":
        text = reply.text.strip()
        said = _after_mark(text, rubric.mark)
        value = rubric.scale.value(_bare(text if said is None else said))
        return None if value is None or len(text.splitlines()) > 1 else Verdict(value)
    lines = reply.text.splitlines()
    for at in range(len(lines) - 1, -1, -1):
        said = _after_mark(lines[at], rubric.mark)
        if said is not None:
            value = rubric.scale.value(_bare(said))
            return None if value is None else Verdict(value, _short("\n".join(lines[:at])))
    return None


def _after_mark(line: str, mark: str) -> str | None:
    """What a line says behind "Score:"; None for a line that is no verdict."""
    if len(line) > LONGEST_LINE:
        return None
    head, colon, said = line.partition(":")
    return said if colon and head.strip(_DRESS).casefold() == mark.casefold() else None


def _bare(said: str) -> str:
    return said.strip(_DRESS).removesuffix(".").strip(_DRESS)


def _from_json(text: str, rubric: Rubric) -> Verdict | None:
    """The whole reply must be the object: one that stands among other words may be the candidate's."""
    try:
        document: Any = msgspec.json.decode(_FENCED.sub(r"\1", text.strip()))
    except (msgspec.DecodeError, RecursionError):
        return None
    said = document.get(rubric.mark.casefold()) if isinstance(document, dict) else None
    if isinstance(said, bool) or not isinstance(said, (str, int, float)):
        return None
    value = rubric.scale.value(said if isinstance(said, str) else f"{said:.12g}")
    reasons = document.get("reasons", "")
    return None if value is None else Verdict(value, _short(reasons if isinstance(reasons, str) else ""))


def _short(reasons: str) -> str:
    tidy = reasons.strip()
    return tidy if len(tidy) <= LONGEST_NOTE else tidy[: LONGEST_NOTE - 1] + "…"
