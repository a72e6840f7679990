"""What the stages say to models, as templates; each stage has its own as the default of its setting `prompt`.

Places in braces are filled in one pass, so a candidate that contains `{question}` stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outthink.core.errors import SettingsError, explain

CRITIQUE = """Here is a question and {n} answers to it, each under its label.

Question:
{question}

{candidates}

Say for each answer what is good and what is wrong with it. Write one paragraph for each answer, and begin it with the answer's label in \
brackets, in order: [1] first, [{n}] last. Do not answer the question."""

RANK = """Here is a question and {n} answers to it, each under its label.

Question:
{question}

{candidates}

Order the answers from best to worst: what counts is whether they are right, then whether they are complete and clear. Write the labels \
only, all of them, on one line, in this form: [2] > [1] > [3]. Explain nothing."""

FUSE = """Here is a question and {n} answers to it by others. Some may be wrong.

Question:
{question}

{candidates}

Write one answer to the question that is better than each of these: keep what is right, correct what is wrong, and leave out what the \
question did not ask. Write the answer alone, without a word about the answers above.{brief}"""

BRIEF = " Make it no longer than the answers above."

JUSTIFY = """Here is a question and an answer to it.

Question:
{question}

Answer:
{candidate}

Go through the answer step by step and say whether each step holds, and why."""

VERDICT = """Here is a question, an answer to it, and an examination of that answer.

Question:
{question}

Answer:
{candidate}

Examination:
{reasons}

Is the answer correct? Reply with one word in brackets: [Correct] or [Incorrect]."""

WRITE_TESTS = """Here is a question.

{question}

Write {number} short statements that are true of every good answer to it and that can be checked by reading the answer. Write one \
statement a line, numbered 1. to {number}., and nothing else."""

TOLD_TESTS = "A good answer passes all of these tests:\n{tests}"

RUN_TESTS = """Here is a question, an answer to it, and {number} tests.

Question:
{question}

Answer:
{candidate}

Tests:
{tests}

Say for each test whether the answer passes it. Write one line a test in this form, and nothing else:
[1] Passed
[2] Failed"""

_PLACE = re.compile(r"\{([a-z_]+)\}")


def fill(template: str, **texts: object) -> str:
    """The template with its places filled, once: what is put in is not looked at again."""
    known: Mapping[str, object] = texts
    return _PLACE.sub(lambda found: str(known.get(found.group(1), found.group())), template)


def check_places(template: str, needed: tuple[str, ...], who: str) -> None:
    """Raises `SettingsError` for a template that lacks a place."""
    missing = [place for place in needed if f"{{{place}}}" not in template]
    if missing:
        raise SettingsError(
            explain(
                f"The prompt of {who!r} lacks a place.",
                got=template,
                expected=", ".join(f"{{{place}}}" for place in needed),
                remedy=f"Put {{{missing[0]}}} where it belongs, or leave the prompt out for the built-in one.",
            )
        )
